"""Metrics of words against the packages that they follow, brute force, and values worked out by hand."""

import json
import math
import pickle
import random
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from sacrebleu.metrics import BLEU
from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE, SPECIAL_CASES, SentimentIntensityAnalyzer

from textgym.metrics.diversity import Diversity
from textgym.metrics.fairness import Fairness
from textgym.metrics.informativeness import Informativeness
from textgym.metrics.parts.self_bleu import multi_reference_bleu
from textgym.metrics.parts.unsafe_words import WORDS
from textgym.metrics.parts.vader import polarity
from textgym.metrics.parts.words import spelled, terms_of
from textgym.metrics.relevance import Relevance
from textgym.metrics.safety import Safety
from textgym.metrics.sentiment import Sentiment
from textgym.registration import build
from textgym.tasks.base import PromptSet, Task
from textgym.transition import Transition
from textgym.vocabulary import WordVocabulary

WORDS_OF_TASK = (
    "the The a list List list( sort file names 42 , . good bad not very awful kill idiot class he He HE she She SHE "
    "him his her king says"
)
VOCABULARY = WordVocabulary(WORDS_OF_TASK.split())
RULES = "but BUT But, no NO or nor least at very so this without doubt never kind of Kind the file"


class Told(Task):
    """A task whose prompts and references the test hands in, as text."""

    vocabulary = VOCABULARY
    max_new_tokens = 8

    def __init__(self, *samples):
        self.samples = samples

    def make_prompt_set(self, split):
        prompts, references = (
            [self.vocabulary.encode(part) for part in parts] for parts in zip(*self.samples, strict=True)
        )
        return PromptSet.from_tokens(prompts, references, self.vocabulary)

    def gold(self, transition):
        raise NotImplementedError


def written(task, texts, samples, rows=None):
    """The record of finished texts, with arbitrary tokens in the padding."""
    ids = [task.vocabulary.encode(text) if isinstance(text, str) else list(text) for text in texts]
    n, width = len(ids), max(1, *map(len, ids))
    padded = np.random.default_rng(0).integers(3, len(task.vocabulary), size=(n, width))
    for row, text in zip(padded, ids, strict=True):
        row[: len(text)] = text
    lengths, zeros = np.array([len(text) for text in ids]), np.zeros(n, np.int64)
    rows, samples = np.arange(n) if rows is None else np.array(rows), np.array(samples)
    done = np.ones(n, np.bool_)
    prompt_set = task.prompt_set("train")
    bare = Transition(prompt_set, rows, samples, zeros, zeros, zeros, padded, lengths, padded, lengths, done)
    return bare.with_texts(padded, lengths)


def score(metric, texts, samples, rows=None):
    return metric.score(written(metric.task, texts, samples, rows))


@pytest.fixture(scope="module")
def docstring():
    return build("tasks", "docstring")


TASK = Told(("the list 42", "sort a list ."), ("file names", "list( file"), (", .", "The file"))


def idf(documents):
    """Of 6 documents."""
    return math.log(7 / (1 + documents))


def test_terms_are_letters_in_lower_case_weighted_by_document_frequency():
    terms = terms_of(TASK)
    number = {token: terms.of_token[i] for i, token in enumerate(VOCABULARY.tokens)}
    assert number["list"] == number["List"] == number["list("]
    assert number["the"] == number["The"]
    assert number["42"] == number[","] == number["<pad>"] == number["<end>"] == 0
    assert len(set(number.values())) == len({token.lower().strip("(") for token in VOCABULARY.tokens[3:]}) - 3 + 1
    weights = {word: terms.idf[number[word]] for word in ("list", "file", "the", "sort", "awful", "42")}
    expected = {"list": idf(3), "file": idf(3), "the": idf(2), "sort": idf(1), "awful": idf(0), "42": 0.0}
    assert weights == pytest.approx(expected)


def test_relevance_worked_out_by_hand():
    the, lists, sort = idf(2) ** 2, idf(3) ** 2, idf(1) ** 2
    texts = ["List the", "the", "sort list list( , List", "sort", "", "42 .", "list"]
    expected = [1.0, math.sqrt(the / (the + lists)), lists / math.sqrt((the + lists) * (lists + sort)), 0, 0, 0, 0]
    np.testing.assert_allclose(score(Relevance(TASK), texts, [0] * 6 + [2]), expected, rtol=0, atol=1e-12)


def test_informativeness_worked_out_by_hand():
    texts = ["sort list", "sort sort", "awful", "the list 42", "", "file , 42 The"]
    expected = [idf(1) / 2, idf(1) / 2, idf(0), 0, 0, idf(3) / 4]
    np.testing.assert_allclose(
        score(Informativeness(TASK), texts, [0] * 6), np.array(expected) / idf(0), rtol=0, atol=1e-12
    )


def test_relevance_and_informativeness_equal_set_arithmetic(docstring):
    generator, prompts, terms = np.random.default_rng(3), docstring.prompt_set("train"), terms_of(docstring)
    samples = generator.integers(len(prompts), size=300)
    texts = [generator.integers(3, len(docstring.vocabulary), size=generator.integers(41)) for _ in samples[:150]]
    texts += [prompts.reference_ids[i][: prompts.reference_lengths[i]] for i in samples[150:]]
    relevance, informativeness = [], []
    for text, sample in zip(texts, samples, strict=True):
        asked = set(terms.of_token[prompts.prompt_ids[sample][: prompts.prompt_lengths[sample]]])
        said = set(terms.of_token[text]) if len(text) else set()
        both, asks, says = (sum(terms.idf[t] ** 2 for t in part) for part in (asked & said, asked, said))
        relevance.append(both / math.sqrt(asks * says) if asks * says else 0.0)
        informativeness.append(sum(terms.idf[t] for t in said - asked) / max(1, len(text)) / terms.idf.max())
    np.testing.assert_allclose(score(Relevance(docstring), texts, samples), relevance, rtol=0, atol=1e-12)
    np.testing.assert_allclose(score(Informativeness(docstring), texts, samples), informativeness, rtol=0, atol=1e-12)


def test_spelled_is_decode(docstring):
    generator = np.random.default_rng(0)
    for task in (docstring, TASK):
        size = len(task.vocabulary)
        record = written(task, [generator.integers(size, size=generator.integers(30)) for _ in range(200)], [0] * 200)
        decoded = [task.vocabulary.decode(i[:k]) for i, k in zip(record.text_ids, record.text_lengths, strict=True)]
        assert spelled(record, task.vocabulary) == decoded


SENTENCES = [
    "VADER is smart, handsome, and funny.",
    "VADER is VERY SMART, uber handsome, and FRIGGIN FUNNY!!!",
    "At least it isn't a horrible book.",
    "The plot was good, but the characters are uncompelling and the dialog is not great.",
    "good good bad but good bad bad good",
    "Catch utf-8 emoji such as 💘 and💋and 😁",
    "He is kind of nice, the kind of day to die for???",
    "never so good, without doubt good, no good or bad, the least bad",
    "",
]


def test_polarity_is_vaders():
    choice, analyser = random.Random(0), SentimentIntensityAnalyzer()
    lexicon, emoji = list(analyser.lexicon), list(analyser.emojis)
    listed = [*BOOSTER_DICT, *NEGATE, *SPECIAL_CASES]
    rules = RULES.split()

    def word():
        drawn = choice.choice(choice.choice([lexicon, lexicon, lexicon, listed, rules, rules, emoji]))
        drawn = drawn.upper() if choice.random() < 0.15 else drawn
        return drawn + choice.choice(["", "", "", "", ".", ",", "!", "?", "!!", "...", ")"])

    texts = [*SENTENCES, *(" ".join(word() for _ in range(choice.randrange(20))) for _ in range(4000))]
    expected = [analyser.polarity_scores(text)["compound"] for text in texts]
    assert [round(value, 4) for value in polarity(texts).tolist()] == expected
    assert len(set(expected)) > 2000


def test_sentiment_maps_polarity_to_the_unit_interval():
    texts = ["good", "not very good .", "awful", "the file", ""]
    scores = score(Sentiment(TASK), texts, [0] * 5)
    np.testing.assert_allclose(scores, (polarity(texts) + 1) / 2, rtol=0, atol=0)
    assert scores[0] > 0.5 > scores[1]
    assert scores[2] < scores[3] == scores[4] == 0.5


def sacrebleu(text, references):
    if not references:
        return 0.0
    bleu = BLEU(tokenize="none", smooth_method="floor", effective_order=True)
    return bleu.sentence_score(" ".join(map(str, text)), [" ".join(map(str, r)) for r in references]).score / 100


def test_multi_reference_bleu_is_sacrebleus():
    generator = np.random.default_rng(0)
    ids, references = generator.integers(4, size=(300, 12)), generator.integers(4, size=(300, 3, 10)).astype(np.int32)
    lengths, reference_lengths = generator.integers(13, size=300), generator.integers(1, 11, size=(300, 3))
    given = generator.random((300, 3)) < 0.6
    given[:, 0] |= ~given.any(axis=1)
    expected = [
        sacrebleu(ids[i, : lengths[i]], [references[i, j, : reference_lengths[i, j]] for j in np.flatnonzero(given[i])])
        for i in range(300)
    ]
    got = multi_reference_bleu(ids, lengths, references, reference_lengths, given)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_diversity_follows_each_row_through_its_last_texts():
    generator, rows, memory = np.random.default_rng(1), 3, 2
    metric, alone = Diversity(TASK, memory=memory), [Diversity(TASK, memory=memory) for _ in range(rows)]
    metric.bind(rows)
    for other in alone:
        other.bind(1)
    past = [[] for _ in range(rows)]
    for _ in range(30):
        texts = [generator.integers(3, 7, size=generator.integers(12)).tolist() for _ in range(rows)]
        samples = generator.integers(2, size=rows)
        record = written(TASK, texts, samples)
        scores = metric.score(record)
        for row, text in enumerate(texts):
            known = [old for sample, old in past[row][-memory:] if sample == samples[row]]
            bigrams = list(pairwise(text))
            distinct = len(set(bigrams)) / len(bigrams) if bigrams else float(bool(text))
            assert scores[row] == pytest.approx(distinct * (1 - sacrebleu(text[:8], known)), abs=1e-12)
            past[row].append((samples[row], text[:8]))
            single = written(TASK, [text], samples[row : row + 1])
            assert alone[row].score(single)[0] == scores[row]
            alone[row].remember(single, scores[row : row + 1])
        np.testing.assert_array_equal(metric.score(record), scores)  # a score changes nothing
        metric.remember(record, scores)
    assert max(len({tuple(text) for _, text in row}) for row in past) > memory


def test_diversity_of_a_copy_is_zero_and_a_reseeded_row_has_no_past():
    metric = Diversity(TASK)
    metric.bind(2)
    record = written(TASK, ["sort the list", "sort the list"], [0, 0])
    assert metric.score(record).tolist() == [1.0, 1.0]
    metric.remember(record, metric.score(record))
    assert metric.score(record).tolist() == [0.0, 0.0]
    metric.reseed(np.array([1]))
    assert metric.score(record).tolist() == [0.0, 1.0]
    assert score(metric, ["sort the list", ""], [1, 0]).tolist() == [1.0, 0.0]


SAFE = Safety(TASK)
DISGUISES = {
    "upper case": str.upper,
    "digits": lambda word: word.translate(str.maketrans("oies", "0135")),
    "signs": lambda word: word.translate(str.maketrans("ais", "@!$")) + "!",
    "stretched": lambda word: "".join(3 * letter for letter in word),
    "dots": ".".join,
    "gaps": " ".join,
    "underscores": "_".join,
    "a word in front": lambda word: "I " + " ".join(word),
    "zero width": "\u200b".join,
    "accents": lambda word: unicodedata.normalize("NFC", "".join(letter + "\u0301" for letter in word)),
    "full width": lambda word: "".join(chr(ord(letter) - ord("a") + ord("\uff41")) for letter in word),
    "punctuation": lambda word: f'"{word}"?!',
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_safety_sees_through(disguise):
    for category, words in WORDS.items():
        for word, severity in words.items():
            if " " not in word:
                hidden = DISGUISES[disguise](word)
                found = [f[:3] for f in SAFE.find(f"well, {hidden} then")]
                assert (category, word, severity) in found, (hidden, found)


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe's classic: assess the class, pass the glass, and associate a cockpit with a cocktail",
        "hello from the shell, he'll sell shells; a therapist skilled in Essex grapes",
        "as if a s; by hel, kil, guun, shiit, suicidology; killjoy and overkill",
        "455 5417 x, y, z a.b.c; c l a s s; k.i.l.n",
        "python 3.11.4 on 127.0.0.1 since 2024-01-15, 1234567 rows, user @ host, x@y, 10-20-30",
        "kindly you, harm your self; $455 and 5417!",
    ],
)
def test_safety_leaves_alone(text):
    assert SAFE.find(text) == []


def test_safety_leaves_real_sentences_alone(docstring):
    train = docstring.prompt_set("train")
    texts = [
        docstring.vocabulary.decode(ids[:length])
        for ids, length in zip(train.reference_ids, train.reference_lengths, strict=True)
    ]
    assert {finding.word for text in texts for finding in SAFE.find(text)} <= {"kill", "kills", "killed"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Kill, him", [("threat", "kill him", 0.9, 0), ("violence", "kill", 0.3, 0)]),
        ("os.kill(pid)", [("violence", "kill", 0.3, 3)]),
        ("é\u200b k\u0301ill, you 1d1ot", [
            ("violence", "kill", 0.3, 3), ("threat", "kill you", 1.0, 3), ("insult", "idiot", 0.4, 14)
        ]),
        ("I k-i-l-l", [("violence", "kill", 0.3, 2)]),
        ("me: a.b+c@mail.example.org.", [("private data", "e-mail address", 0.6, 4)]),
        ("+44 20 7946 0958 or (555) 123-4567", [
            ("private data", "phone number", 0.6, 0), ("private data", "phone number", 0.6, 20)
        ]),
        ("pay 1234-5678-9012-3456", [("private data", "payment card number", 0.8, 4)]),
        ("", []),
    ],
)  # fmt: skip
def test_safety_says_what_it_found(text, found):
    assert sorted(map(tuple, SAFE.find(text))) == sorted(found)
    assert pickle.loads(pickle.dumps(SAFE)).find(text) == SAFE.find(text)


def test_safety_takes_away_the_worst_severity():
    texts = ["the class", "kill the idiot", "kill him", ""]
    np.testing.assert_allclose(score(SAFE, texts, [0] * 4), [1.0, 0.6, 0.1, 1.0])
    insults = Safety(TASK, categories=["insult"])
    np.testing.assert_allclose(score(insults, texts, [0] * 4), [1.0, 0.6, 1.0, 1.0])


def test_safety_takes_a_lexicon(tmp_path):
    own = {"mood": ["awful", "very bad"], "form": {"list": 0.25}}
    file = tmp_path / "lexicon.json"
    file.write_text(json.dumps(own))
    for lexicon in (own, str(file)):
        metric = Safety(TASK, lexicon=lexicon)
        np.testing.assert_allclose(score(metric, ["awful", "bad", "very bad", "List"], [0] * 4), [0, 1, 0, 0.75])
        assert metric.find("kill a@b.org") == []


PEOPLE = Told(
    ("he says , the list", "He says his list"),
    ("file names", "she"),
    ("SHE says", "SHE king"),
    ("king says", "he"),
    ("his him", "list"),
)


def test_fairness_is_the_gap_of_the_other_metric():
    gaps, metric = Fairness(PEOPLE, groups=[["he", "she"]]), Relevance(PEOPLE)
    texts = ["he says", "she says", "the list", "he", "he"]
    own = score(metric, texts, [0, 0, 0, 1, 2])
    other = Told(("she says , the list", "She says his list"), ("file names", "she"), ("HE says", "her king"))
    exchanged = Relevance(PEOPLE).score(written(other, texts, [0, 0, 0, 1, 2]))
    np.testing.assert_allclose(score(gaps, texts, [0, 0, 0, 1, 2]), 1 - np.abs(own - exchanged), rtol=0, atol=1e-12)
    assert own[0] > exchanged[0]
    assert own[1] < exchanged[1]


def test_fairness_exchanges_the_references_in_their_case():
    matches = Fairness(PEOPLE, metric="rouge_l", groups=[["he", "she"], ["his", "her"], ["him", "her"]])
    texts = ["He says his list", "She says her list", "list", "HE king", "list", "his"]
    gaps = [4 / 4 - 2 / 4, 4 / 4 - 2 / 4, 0, 1 / 2, 0, 0]
    np.testing.assert_allclose(score(matches, texts, [0, 0, 0, 2, 4, 1]), 1 - np.array(gaps), rtol=0, atol=1e-12)


def test_fairness_keeps_a_prompt_that_cannot_be_spelled():
    metric = Fairness(PEOPLE, groups=[["king", "queen"], ["list", "queue"]])
    assert score(metric, ["king", "king says", "list"], [3, 3, 0]).tolist() == [1.0, 1.0, 1.0]


def test_fairness_keeps_a_prompt_of_two_turns():
    class TwoTurns(Told):
        def make_prompt_set(self, split):
            turns = [*self.vocabulary.encode("he says"), self.vocabulary.separator_id, *self.vocabulary.encode("list")]
            return PromptSet.from_tokens([turns], [self.vocabulary.encode("file")], self.vocabulary)

    assert score(Fairness(TwoTurns()), ["he says"], [0]).tolist() == [1.0]


def test_fairness_lets_the_other_metric_remember():
    metric = Fairness(PEOPLE, metric="diversity")
    metric.bind(1)
    record = written(PEOPLE, ["he says"], [0])
    metric.remember(record, metric.score(record))
    assert metric.metric.state["written"].tolist() == [1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Diversity(TASK, memory=0), "memory must be a whole number of at least 1, got 0"),
        (lambda: Diversity(TASK, memory=1.5), r"memory must be a whole number of at least 1, got 1\.5"),
        (lambda: Diversity(TASK, n=1.5), r"n must be a whole number from 1, .*, got n=1\.5"),
        (lambda: Diversity(TASK, n=0), "got n=0"),
        (lambda: Diversity(TASK, n=40), "got n=40"),
        (lambda: Safety(TASK, categories=["mood"]), r"categories must be a list of some of drugs, .*got \['mood'\]"),
        (lambda: Safety(TASK, categories="insult"), "got 'insult'"),
        (lambda: Safety(TASK, categories=[]), r"got \[\]"),
        (lambda: Safety(TASK, lexicon={}), "lexicon must be a mapping"),
        (lambda: Safety(TASK, lexicon="/no/such/file.json"), "path of a JSON file: .*No such file"),
        (lambda: Safety(TASK, lexicon={"mood": "bad"}), "'mood' a list of words or a mapping to severities, got 'bad'"),
        (lambda: Safety(TASK, lexicon={"mood": ["b4d"]}), "made of letters and spaces, got 'b4d'"),
        (lambda: Safety(TASK, lexicon={"mood": {"bad": 2}}), r"severities must be in \(0, 1\], got 2 for 'bad'"),
        (lambda: Fairness(TASK, metric="token_match"), "got 'token_match', which scores every token"),
        (lambda: Fairness(TASK, groups=[]), "at least one pair"),
        (lambda: Fairness(TASK, groups=["ab"]), "pairs of single words such as .* got 'ab'"),
        (lambda: Fairness(TASK, groups=[["a man", "a woman"]]), "pairs of single words"),
        (lambda: Fairness(TASK, groups=[["he", "He"]]), "must differ"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
