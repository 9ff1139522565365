"""Dataset: templates, splits, tokens, what is cut and left out, gold, and the well-known data sets' real columns."""

import json
import warnings

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

import textgym
from tests.laws import transition_of
from textgym.metrics.parts import references
from textgym.tasks.base import SPLITS
from textgym.tasks.dataset import Dataset
from textgym.tasks.parts.dataset_presets import PRESETS
from textgym.tasks.parts.dataset_settings import settle
from textgym.tasks.parts.dataset_store import TokenStore
from textgym.tasks.parts.dataset_template import RowError, Template
from textgym.tasks.parts.dataset_tokenizer import ByteVocabulary, ForeignVocabulary
from textgym.tasks.parts.held_out import split_of


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def texts(task, split):
    """The prompts and references of a split."""
    prompts = task.prompt_set(split)
    return [
        (task.vocabulary.decode(prompt), task.vocabulary.decode(reference))
        for prompt, reference in zip(prompts.prompt_ids, prompts.reference_ids, strict=True)
    ]


def in_all_splits(tmp_path, rows):
    """Files by split that each hold a row of their own; the train split begins with these rows."""
    return {
        "train": write(tmp_path / "train.jsonl", rows),
        "validation": write(tmp_path / "validation.jsonl", [{"prompt": "p p", "reference": "r"}]),
        "test": write(tmp_path / "test.jsonl", [{"prompt": "x x", "reference": "a"}]),
    }


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{q}", "why not"),
        ("ask: {q}?", "ask: why not?"),
        ("{pad}", "padded"),
        ("{answers.text}", "first"),
        ("{pairs.en}", "one"),
        ("{a.b}", "flat"),
        ("{{{n}}}", "{3}"),
        ("{short}", "why not"),
        ("{long:0:2}|{long:2:}|{long:-1:}", "a b|c d|d"),
        ("{label}", "good"),
        ("{yes} {share}", "true 0.5"),
        ("{empty}: more", ""),
        ("{none_given.text}", ""),
    ],
)
def test_templates(template, text):
    row = {
        "q": "why not", "pad": " padded\n", "answers": {"text": ["first", "second"], "start": [1, 2]},
        "pairs": [{"en": "one"}], "a.b": "flat", "n": 3, "long": "a  b c\nd", "label": 1,
        "yes": True, "share": 0.5, "empty": " ",
        "none_given": {"text": []},
    }  # fmt: skip
    assert Template(template, {"short": "q"}, {"label": ["bad", "good"]}).fill(row) == text


@pytest.mark.parametrize(
    ("template", "row", "fault"),
    [
        ("{q}", {"p": "x"}, "no column 'q'; the columns here: 'p'"),
        ("{q.r}", {"q": {"s": "x"}}, "no column 'q.r'; the columns here: 's'"),
        ("{q.r}", {"q": "x"}, "column 'q.r' is str 'x' where it should have a part 'r'"),
        ("{q}", {"q": None}, "column 'q' must be text, got nothing"),
        ("{q}", {"q": {"a": 1}}, "column 'q' must be text, got dict"),
        ("{q}", {"q": float("nan")}, "column 'q' must be text, got float nan"),
        ("{q}", {"q": "a\0"}, "column 'q' holds a null byte"),
        ("{q}", {"q": "ab\ud800"}, "column 'q' holds half a surrogate pair, its character 3"),
        ("{label}", {"label": -1}, "column 'label' must be 0 to 1 or one of bad, good, got int -1"),
        ("{label}", {"label": "awful"}, "column 'label' must be 0 to 1"),
        ("{label}", {"label": 0.5}, "column 'label' must be 0 to 1"),
        ("{__class__.__name__}", {"q": "x"}, "no column '__class__.__name__'"),
    ],
)
def test_faults_name_the_column(template, row, fault):
    with pytest.raises(RowError, match=fault.replace(".", r"\.")):
        Template(template, {}, {"label": ["bad", "good"]}).fill(row)


@pytest.mark.parametrize("template", ["{q", "q}", "{}", "{q!r}", "{q:1}", "{q:a:b}"])
def test_templates_that_cannot_be_read(template):
    with pytest.raises(ValueError, match="cannot read the template"):
        Template(template, {}, {})


@given(st.lists(st.lists(st.integers(0, 99), max_size=5), max_size=30), st.integers(1, 7), st.data())
def test_what_is_stored_comes_back_padded(rows, step, data):
    store = TokenStore(100)
    for first in range(0, len(rows), step):
        store.add(rows[first : first + step])
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), np.bool_)
    ids, lengths = store.take_padded(kept, pad_id=0)
    expected = [row for row, stays in zip(rows, kept, strict=True) if stays]
    assert ids.dtype == np.int32
    assert [row[:length].tolist() for row, length in zip(ids, lengths, strict=True)] == expected
    assert all(not row[length:].any() for row, length in zip(ids, lengths, strict=True))


def test_csv_and_parquet_say_what_jsonl_says(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"question": f'what, "{n}"?\nReally', "answer": f"it is {n}"} for n in range(60)]
    paths = [write(tmp_path / "a.jsonl", rows), str(tmp_path / "a.csv"), str(tmp_path / "a.parquet")]
    quoted = ['"' + row["question"].replace('"', '""') + '",' + row["answer"] for row in rows]
    (tmp_path / "a.csv").write_text("\n".join(["question,answer", *quoted]))
    parquet.write_table(pyarrow.Table.from_pylist(rows), paths[2], row_group_size=7)
    tasks = [Dataset(path, prompt="{question}", reference="{answer}") for path in paths]
    assert len({task.fingerprint for task in tasks}) == 1
    assert {tuple(task.counts.items()) for task in tasks} == {tuple(tasks[0].counts.items())}
    assert tasks[0].counts["kept"] == 60
    assert sorted(pair for split in SPLITS for pair in texts(tasks[0], split))[0] == ('what, "0"?\nReally', "it is 0")


def test_splits_come_from_the_content_and_not_from_the_order(tmp_path):
    rows = [{"prompt": f"p {n % 50}", "reference": f"r {n}"} for n in range(200)]
    one, other = (Dataset(write(tmp_path / f"{n}.jsonl", rows[::step])) for n, step in enumerate((1, -1)))
    for split in SPLITS:
        assert sorted(texts(one, split)) == sorted(texts(other, split))
        assert all(split_of(f"{prompt}\n{reference}") == split for prompt, reference in texts(one, split))
    together = Dataset(str(tmp_path / "0.jsonl"), split_by="{prompt}")
    prompts = [{prompt for prompt, _ in texts(together, split)} for split in SPLITS]
    assert sum(map(len, prompts)) == 50


def test_a_missing_split_is_held_out_of_train(tmp_path):
    rows = [{"prompt": f"p {n}", "reference": f"r {n}"} for n in range(100)]
    test = write(tmp_path / "test.jsonl", rows[:10])
    task = Dataset({"train": write(tmp_path / "train.jsonl", rows), "test": test})
    assert sorted(texts(task, "test")) == sorted((f"p {n}", f"r {n}") for n in range(10))
    held_out = {f"p {n}" for n in range(10, 100) if split_of(f"p {n}\nr {n}") == "validation"}
    assert {prompt for prompt, _ in texts(task, "validation")} == held_out
    assert task.counts["repeated"] == 10
    assert task.counts["kept"] == 100
    with pytest.raises(ValueError, match="there must be data for the split train, got test"):
        Dataset({"test": test})


def test_filter_size_and_empty_rows_are_counted(tmp_path):
    rows = [{"prompt": f"p {n}", "reference": f"r {n}", "stars": n % 5} for n in range(20)]
    rows += [{"prompt": "", "reference": "r", "stars": 4}, {"prompt": "p", "reference": " ", "stars": 4}]
    starred = {"validation": rows_file(tmp_path, 4), "test": rows_file(tmp_path, 5)}
    task = Dataset({**in_all_splits(tmp_path, rows), **starred}, filter={"stars": [4, 5]}, size=3)
    assert [prompt for prompt, _ in texts(task, "train")] == ["p 4", "p 9", "p 14"]
    counts = task.counts
    assert counts["filtered"] == 16
    assert counts["beyond size"] == 1  # and reading stopped there, before the empty rows
    assert counts["read"] == 20 + 2
    unbounded = Dataset(task.settings.data, filter={"stars": [4, 5]})
    assert unbounded.counts["empty"] == 2
    assert unbounded.counts["kept"] == 4 + 2


def rows_file(tmp_path, number):
    return write(tmp_path / f"one-{number}.jsonl", [{"prompt": f"x {number}", "reference": "y", "stars": number}])


@pytest.mark.parametrize(
    ("truncation", "prompt", "reference"), [("end", "abcd", "uvw"), ("start", "efgh", "uvw"), ("drop", None, None)]
)
def test_truncation(tmp_path, truncation, prompt, reference):
    data = in_all_splits(tmp_path, [{"prompt": "ok", "reference": "ok"}, {"prompt": "abcdefgh", "reference": "uvwxyz"}])
    task = Dataset(data, tokenizer="bytes", max_prompt=5, max_reference=3, truncation=truncation)
    assert texts(task, "train") == [("ok", "ok")] + ([(prompt, reference)] if prompt else [])
    cut = int(prompt is not None)
    assert (task.counts["cut prompts"], task.counts["cut references"], task.counts["dropped"]) == (cut, cut, 1 - cut)
    assert task.max_prompt_tokens <= 5
    assert task.max_new_tokens == 4


def test_a_very_long_text_is_cut_all_the_same(tmp_path):
    data = in_all_splits(tmp_path, [{"prompt": "a" * 10**6 + "b" * 10**6, "reference": "r"}])
    for truncation, letter in (("end", "a"), ("start", "b")):
        task = Dataset(data, max_prompt=6, truncation=truncation)
        assert set(texts(task, "train")[0][0]) == {letter}
        assert task.counts["cut prompts"] == 1


def test_the_fingerprint_is_the_content(tmp_path):
    rows = [{"prompt": f"p {n}", "reference": f"r {n}"} for n in range(80)]
    one, copy = (Dataset(write(tmp_path / name, rows)) for name in ("a.jsonl", "b.jsonl"))
    changed = Dataset(write(tmp_path / "c.jsonl", [*rows[:-1], {"prompt": "p 79", "reference": "r 97"}]))
    assert one.fingerprint == copy.fingerprint != changed.fingerprint


def test_malformed_rows_name_their_place_or_are_told(tmp_path):
    path = tmp_path / "rows.jsonl"
    good = [json.dumps({"prompt": f"p {n}", "reference": f"r {n}"}) for n in range(60)]
    path.write_text("\n".join([*good[:6], '{"prompt": "p", "reference" "r"}', *good[6:], '{"prompt": "only"}']))
    with pytest.raises(ValueError, match=rf"{path}:7:29: not JSON: Expecting ':' delimiter; put it right"):
        Dataset(str(path))
    with pytest.warns(UserWarning, match="2 of 62 rows were malformed and left out") as told:
        task = Dataset(str(path), on_error="skip")
    assert "rows.jsonl:62: no column 'reference'; the columns here: 'prompt'" in str(told[0].message)
    assert task.counts["malformed"] == 2
    assert task.counts["kept"] == 60


@pytest.mark.slow
def test_nothing_in_a_folder_is_executed(tmp_path):
    pytest.importorskip("datasets")
    flag = tmp_path / "flag"
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "folder.py").write_text(f"__import__('pathlib').Path({str(flag)!r}).touch()\n")
    (folder / "train.pkl").write_bytes(b"cos\nsystem\n(S'touch " + str(flag).encode() + b"'\ntR.")
    for name in (str(folder), "pandas", "webdataset"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError, match=f"datasets cannot load '{name}'"):
                Dataset(name)
    assert not flag.exists()


def test_nothing_in_a_file_is_executed(tmp_path):
    flag = tmp_path / "flag"
    evil = f"__import__('pathlib').Path({str(flag)!r}).touch()"
    rows = [{"prompt": f"{evil} {{0.__class__}} {n}", "reference": evil} for n in range(60)]
    Dataset(write(tmp_path / "a.jsonl", rows))
    assert not flag.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "squat"}, r"unknown preset 'squat' \(did you mean 'squad'\?\); known: cnn_dailymail, tldr"),
        ({"data": "nowhere.jsonl"}, r"there is no such file 'nowhere.jsonl'"),
        ({"data": ["a.txt"]}, r"data must be files that end in .jsonl, .csv, .parquet"),
        ({"data": __file__}, r"data must be files that end in .jsonl, .csv, .parquet, got '.*test_dataset_task.py'"),
        ({"columns": ["prompt"]}, r'columns must be a mapping such as {"prompt": "question"}, got \[\'prompt\'\]'),
        ({"filter": "en"}, r'filter must be a mapping such as {"language": "en"}, got \'en\''),
        ({"labels": ["no", "yes"]}, r'labels must be a mapping such as {"label": \["negative", "positive"\]}, got'),
        ({"splits": "train"}, r'splits must be a mapping such as {"train": "train", "test": "validation"}, got'),
        ({"data": {"dev": "a.jsonl"}}, "data must name the splits train, validation, test, got 'dev'"),
        ({"data": [3]}, "data must be a file, a list of files, or files by split, got 3"),
        ({"prompt": "why?"}, "prompt must name a column in braces"),
        ({"reference": "because"}, "reference must name a column in braces"),
        ({"reference": ""}, "without references the task does not know what it wants: give gold"),
        ({"truncation": "middle"}, "truncation must be one of end, start, drop, got 'middle'"),
        ({"on_error": "ignore"}, "on_error must be one of raise, skip"),
        ({"max_prompt": 1}, "max_prompt must be at least 2"),
        ({"size": 0}, "size must be at least 1"),
        ({"vocabulary_size": 200}, "vocabulary_size must be 259 to 65,536, got 200"),
        ({"tokenizer": "nowhere.json"}, "cannot load 'nowhere.json': no such file"),
        ({"gold": "token_match"}, "gold must be a metric of finished texts"),
        ({"gold": "nope"}, "unknown metric 'nope'"),
        ({"prompt": "{query}"}, r"dataset_sample.jsonl:1: no column 'query'; the columns here: 'question', 'answer'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Dataset(**arguments)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_column_that_no_row_has_is_a_wrong_name(tmp_path, ending):
    path = tmp_path / f"rows.{ending}"
    if ending == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist([{"prompt": "p", "answers": "a"}] * 3), path)
    elif ending == "csv":
        path.write_text("prompt,answers\n" + "p,a\n" * 3)
    else:
        write(path, [{"prompt": "p", "answers": "a"}] * 3)
    with pytest.raises(ValueError, match="no column 'answer'; the columns here: 'prompt', 'answers'; ") as told:
        Dataset(str(path), reference="{answer}")
    assert "none of the first 1,000 rows has it (did you mean 'answers'?): name a column" in str(told.value)
    assert "skip" not in str(told.value)
    with pytest.raises(ValueError, match=r"'reference'.*that is there, or give reference=\"\" and a gold"):
        Dataset(str(path))


def test_a_column_that_some_rows_have_may_be_skipped(tmp_path):
    path = write(tmp_path / "rows.jsonl", [{"prompt": "p"}, {"prompt": "p", "reference": "r"}])
    with pytest.raises(ValueError, match=r"rows.jsonl:1: no column 'reference'; .*leave such rows out with on_error"):
        Dataset(path)


def test_data_that_leave_a_split_empty_say_so(tmp_path):
    with pytest.raises(ValueError, match=r"no rows for the split .*kept 1.*give more rows, or files by split"):
        Dataset(write(tmp_path / "a.jsonl", [{"prompt": "p", "reference": "r"}]))


def test_gold_and_its_references():
    task = Dataset()
    ids = task.prompt_set("test")
    references = [row[:n].tolist() for row, n in zip(ids.reference_ids, ids.reference_lengths, strict=True)]
    seen = transition_of(task, range(len(ids)), references, budget=task.max_new_tokens)
    np.testing.assert_allclose(task.gold(seen), 1.0)
    half = transition_of(task, range(len(ids)), [row[:3] for row in references], budget=task.max_new_tokens)
    assert 0 < task.gold(half).mean() < 0.9
    assert Dataset(gold="exact_match").gold(half).tolist() == [0.0] * len(ids)
    assert task.counts["kept"] == task.counts["read"] == 472
    assert task.counts["cut references"] == 0


def test_a_data_set_without_references(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"prompt": f"p {n}"} for n in range(60)])
    env = gymnasium.make("textgym/Dataset-v0", data=path, reference="", gold="sentiment")
    env.reset(seed=0)
    task = env.unwrapped.simulator.task
    assert not task.prompt_set("train").reference_lengths.any()
    texts_of_words = [task.vocabulary.encode(text) for text in ("a wonderful happy day", "a terrible sad day")]
    good, bad = task.gold(transition_of(task, [0, 0], texts_of_words))
    assert good > 0.8
    assert bad < 0.2


def test_mood_is_what_the_row_asks_for(tmp_path):
    rows = [{"prompt": f"p {n}", "reference": "r", "label": n % 2} for n in range(60)]
    task = Dataset(write(tmp_path / "a.jsonl", rows), labels={"label": ["negative", "positive"]}, mood="{label}",
                   gold={"name": "task_signal", "signal": "mood"}, split_by="{prompt}")  # fmt: skip
    numbers = [int(prompt[2:]) for prompt, _ in texts(task, "train")]
    text = task.vocabulary.encode("a wonderful happy day")
    moods = task.gold(transition_of(task, range(len(numbers)), [text] * len(numbers), split="train"))
    assert [mood > 0.5 for mood in moods] == [number % 2 == 1 for number in numbers]


def test_a_filter_knows_numbers_in_csv(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("prompt,reference,stars\n" + "".join(f"p {n},r {n},{n % 3}\n" for n in range(90)))
    assert Dataset(str(path), filter={"stars": [1, 2]}).counts["filtered"] == 30


@pytest.mark.parametrize("metric", ["chrf", "rouge_l", "word_f1"])
def test_very_many_references_are_scored_alike(metric, monkeypatch):
    task = Dataset(gold=metric)
    ids = task.prompt_set("test")
    written = [row[:n].tolist() for row, n in zip(ids.reference_ids, ids.reference_lengths, strict=True)][::-1]
    samples = range(len(ids))
    scores = task.gold(transition_of(task, samples, written, budget=task.max_new_tokens))
    assert 0 < scores.mean() < 1
    monkeypatch.setattr(references, "_MOST_KEPT", 0)
    again = task.gold(transition_of(task, samples, written, budget=task.max_new_tokens))
    np.testing.assert_array_equal(scores, again)


# Tokens.


@given(st.text(st.sampled_from("az <>\n\u00e9\u6587\U0001f600")))
def test_bytes_spell_everything(text):
    vocabulary = ByteVocabulary()
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert len(vocabulary.encode(text)) == len(text.encode())
    assert len(vocabulary) == len(vocabulary.tokens) == 259


def test_the_names_of_special_tokens_are_text(tmp_path):
    rows = [{"prompt": f"<sep> {n} <end>", "reference": f"<pad> {n}"} for n in range(60)]
    task = Dataset(write(tmp_path / "a.jsonl", rows))
    for split in SPLITS:
        prompts = task.prompt_set(split)
        assert (np.count_nonzero(prompts.prompt_ids == 1, axis=1) == 1).all()
        assert all(prompt.startswith("<sep> ") and ref.startswith("<pad> ") for prompt, ref in texts(task, split))


def foreign(tmp_path):
    words = {"[UNK]": 0, "[PAD]": 1, "p": 2, "r": 3, "a": 4, "x": 5}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["[UNK]", "[PAD]"])
    tokenizer.enable_truncation(2)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tokenizer


@pytest.mark.parametrize("place", ["", "tokenizer.json"])
def test_a_tokenizer_from_elsewhere(tmp_path, place):
    foreign(tmp_path)
    task = Dataset(in_all_splits(tmp_path, [{"prompt": "p a x", "reference": "r [PAD] b"}]),
                   tokenizer=str(tmp_path / place))  # fmt: skip
    prompts = task.prompt_set("train")
    assert prompts.prompt_ids.tolist() == [[5, 7, 8, 1]]
    assert prompts.reference_ids[0, 0] == 6
    assert 4 not in prompts.reference_ids  # the text [PAD] is no special token
    vocabulary = task.vocabulary
    assert isinstance(vocabulary, ForeignVocabulary)
    assert vocabulary.tokens[:6] == ("<pad>", "<sep>", "<end>", "[UNK]", "[PAD]", "p")
    assert np.flatnonzero(~vocabulary.writable).tolist() == [0, 1, 4]
    assert vocabulary.decode(vocabulary.encode("p a")) == "p a"
    with pytest.raises(ValueError, match="cannot spell this text: 'unknown'"):
        vocabulary.encode("unknown")


# The columns of the real data sets, as Hugging Face's hub shows them; none of it is fetched here.

GLUE_ROWS = {
    "cola": ({"sentence": "The book {n}."}, "acceptable"),
    "sst2": ({"sentence": "a fine film {n} indeed"}, "positive"),
    "mrpc": ({"sentence1": "One {n}.", "sentence2": "Two {n}."}, "equivalent"),
    "qqp": ({"question1": "Why {n}?", "question2": "How {n}?"}, "duplicate"),
    "mnli": ({"premise": "It rains {n}.", "hypothesis": "It is wet {n}."}, "neutral"),
    "qnli": ({"question": "Who {n}?", "sentence": "It was {n}."}, "not_entailment"),
    "rte": ({"sentence1": "One {n}.", "sentence2": "Two {n}."}, "not_entailment"),
    "wnli": ({"sentence1": "One {n}.", "sentence2": "Two {n}."}, "entailment"),
}
SCHEMAS = {
    "cnn_dailymail": (
        {"article": "LONDON (CNN) -- Long story {n}.", "highlights": "Short story {n}.", "id": "00{n}"},
        ("Summarize: LONDON (CNN) -- Long story 7.", "Short story 7."),
    ),
    "tldr": (
        {"prompt": "SUBREDDIT: r/x\n\nTITLE: {n}\n\nPOST: Much.\n\nTL;DR:", "completion": " little {n}"},
        ("SUBREDDIT: r/x\n\nTITLE: 7\n\nPOST: Much.\n\nTL;DR:", "little 7"),
    ),
    "squad": (
        {
            "id": "57{n}", "title": "Title {n}", "context": "It was in {n}.", "question": "When was it?",
            "answers": {"text": ["in {n}", "{n}"], "answer_start": [7, 10]},
        },
        ("question: When was it? context: It was in 7.", "in 7"),
    ),
    "multi30k": ({"en": "A dog {n}.", "de": "Ein Hund {n}."}, ("A dog 7.", "Ein Hund 7.")),
    "wmt": ({"translation": {"de": "Ja {n}.", "en": "Yes {n}."}}, ("Yes 7.", "Ja 7.")),
    "imdb": (
        {"text": "one two three four five six seven eight nine {n}", "label": 1},
        ("one two three four five six seven eight", "nine 7"),
    ),
    "sst2": ({"idx": 4, "label": 0, "sentence": "a dull {n} film"}, ("negative: a dull", "7 film")),
    **{
        f"glue/{name}": ({**row, "label": 1, "idx": 3}, (None, label)) for name, (row, label) in GLUE_ROWS.items()
    },
}  # fmt: skip


def numbered(value, number):
    """A row in which {n} is a number, in all its nested columns."""
    if isinstance(value, dict):
        return {key: numbered(part, number) for key, part in value.items()}
    if isinstance(value, list):
        return [numbered(part, number) for part in value]
    return value.replace("{n}", str(number)) if isinstance(value, str) else value


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_read_their_schema(tmp_path, preset):
    schema, (prompt, reference) = SCHEMAS[preset]
    path = write(tmp_path / "rows.jsonl", [numbered(schema, n) for n in range(60)])
    env = gymnasium.make("textgym/Dataset-v0", preset=preset, data=path)
    task = env.unwrapped.simulator.task
    assert task.counts["kept"] == task.counts["read"] == 60
    pairs = [pair for split in SPLITS for pair in texts(task, split)]
    if prompt is None:
        assert {reference for _, reference in pairs} == {reference}
        words = [part for name, part in numbered(schema, 7).items() if name not in ("label", "idx")]
        assert any(asked.startswith(preset[5:]) and all(part in asked for part in words) for asked, _ in pairs)
    else:
        assert (prompt, reference) in pairs
    env.reset(seed=0)
    assert env.step(2)[2]
    assert PRESETS[preset]["data"]


def test_every_preset_names_its_place_on_the_hub_and_its_splits():
    for preset in PRESETS:
        settings = settle(preset, {})
        assert "/" in settings.data
        assert set(settings.splits or SPLITS) <= set(SPLITS)
        assert settings.feedback
        assert settings.gold is not None


def test_what_is_given_counts_more_than_the_preset(tmp_path):
    path = write(tmp_path / "rows.jsonl", [numbered(SCHEMAS["imdb"][0], n) for n in range(60)])
    task = Dataset(path, "imdb", prompt="review: {text}", reference="{label}", gold="exact_match")
    assert texts(task, "train")[0][1] == "positive"
    assert task.default_feedback == ("exact_match",)


def test_a_folder_that_datasets_loads(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "id": datasets.Value("string"), "title": datasets.Value("string"), "context": datasets.Value("string"),
            "question": datasets.Value("string"),
            "answers": datasets.Sequence({"text": datasets.Value("string"), "answer_start": datasets.Value("int32")}),
        }
    )  # fmt: skip
    for split, first in (("train", 0), ("validation", 100)):
        rows = [numbered(SCHEMAS["squad"][0], n) for n in range(first, first + 60)]
        datasets.Dataset.from_list(rows, features=features).to_parquet(tmp_path / "squad" / f"{split}.parquet")
    configs = [f"  - split: {split}\n    path: {split}.parquet\n" for split in ("train", "validation")]
    card = "---\nconfigs:\n- config_name: plain\n  data_files:\n" + "".join(configs) + "---\n"
    (tmp_path / "squad" / "README.md").write_text(card)  # as the data sets on the hub have one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = Dataset(str(tmp_path / "squad"), "squad", config="plain")
        assert ("question: When was it? context: It was in 107.", "in 107") in texts(task, "test")
        assert task.counts["kept"] == 120
        with pytest.raises(ValueError, match=r"which has train, validation; got 'test': 'dev'"):
            Dataset(str(tmp_path / "squad"), "squad", splits={"train": "train", "test": "dev"})
        with pytest.raises(ValueError, match=r"squad train, row 1: no column 'answer'; the columns here: 'id'"):
            Dataset(str(tmp_path / "squad"), "squad", reference="{answer}")


def test_environments_and_scores_take_its_arguments(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"q": f"say {n}", "a": f"it is {n}"} for n in range(60)])
    arguments = {"data": path, "columns": {"prompt": "q", "reference": "a"}}
    scores = textgym.score("textgym/Dataset-v0", prompts=[0], completions=["it is"], split="test", **arguments)
    assert 0 < scores.gold[0] < 1
