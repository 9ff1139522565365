"""Data sets of feedback: what is collected is what the environment said, and no view or file changes it."""

import json
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

import textgym
from textgym.dataset.cleaning import Dropped
from textgym.dataset.collecting import collect
from textgym.dataset.consensus import consensus
from textgym.dataset.feedback_dataset import FeedbackDataset, load
from textgym.dataset.records import Reading, Record, SignalFeedback, Source

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:crowdkit")

COPY = "textgym/Copy-v0"
RATING = {"name": "rating", "metric": "rouge_l", "spread": 0.2, "readings": 3, "pool": {"size": 5, "bias": 0.1}}
EVERYTHING = [
    RATING,
    {"name": "rating", "metric": "token_match", "spread": 0.2, "readings": 2},
    "token_match",
    {"name": "preference", "metric": "rouge_l", "readings": 2, "teacher": "equal"},
    {"name": "ranking", "metric": "rouge_l"},
    {"name": "edit", "share": 0.5, "noise": [{"name": "gaussian", "sigma": 0.1}]},
    {"name": "demonstration", "metric": "rouge_l"},
    {"name": "click", "metric": "rouge_l"},
    {"name": "comment", "metric": "rouge_l"},
]
ARGUMENTS = {"feedback": EVERYTHING, "group_size": 3, "noise": [{"name": "gaussian", "sigma": 0.3}]}


def policy(observation):
    """Writes letters that depend on the state alone, and sometimes the end token; for one observation or a batch."""
    state = observation["input_ids"].sum(axis=-1) * 7 + observation["attention_mask"].sum(axis=-1)
    return np.where(state % 9 == 0, 2, 3 + state % 8)


def vector(rows, **arguments):
    return gymnasium.make_vec(COPY, num_envs=rows, vectorization_mode="vector_entry_point", **arguments)


@pytest.fixture(scope="module")
def everything():
    return collect(vector(4, **ARGUMENTS), policy, 24, seed=3)


@pytest.mark.parametrize("mode", ["SameStep", "Disabled"])
def test_autoreset_does_not_change_what_is_collected(everything, mode):
    other = collect(vector(4, autoreset_mode=mode, **ARGUMENTS), policy, 24, seed=3)
    assert [replace(record, source=None) for record in other] == [replace(r, source=None) for r in everything]


def test_a_row_of_a_vector_environment_gives_what_a_single_one_gives(everything):
    single = collect(gymnasium.make(COPY, **ARGUMENTS), policy, 6, seed=3)
    assert [replace(record, source=None) for record in single] == [replace(r, source=None) for r in everything[:6]]


def test_a_record_repeats_what_the_environment_said(everything):
    """Playing the recorded tokens again, from the recorded seed, gives the recorded numbers."""
    env = gymnasium.make(COPY, **ARGUMENTS)
    vocabulary = env.unwrapped.simulator.vocabulary
    for first, record in enumerate(everything):
        _, info = env.reset(seed=record.seed if record.episode == 0 else None)
        assert info["sample"] == record.sample
        steps = [env.step(token)[4] for token in record.completion_ids]
        final = steps[-1]
        assert final["finish_reason"] == record.finish_reason
        for name in ("clean_return", "observed_return", "gold_return"):
            assert final[name] == getattr(record, name)
        assert record.cost == pytest.approx(final["feedback_cost"], abs=1e-9)
        for number, part in enumerate(record.feedback):
            assert part.true_value == pytest.approx(sum(info["signals"][number] for info in steps), abs=1e-12)
            if part.observed_value is None:
                assert not any(info["observed_mask"][number] for info in steps)
            else:
                assert part.observed_value == pytest.approx(
                    sum(i["observed_signals"][number] for i in steps), abs=1e-12
                )
        said = final["annotation"]
        rating = record.feedback[0]
        assert [(r.annotator, r.value, r.said["level"], r.step) for r in rating.readings] == [
            (*each, len(steps) - 1)
            for each in zip(
                *(said["rating:rouge_l"][f].tolist() for f in ("annotator", "readings", "level")), strict=True
            )
        ]
        assert len(record.feedback[1].readings) == 2 * len(steps)
        assert record.feedback[2].kind == "metric"
        assert record.feedback[2].readings == []
        edit = said["edit:ter"]
        corrected = vocabulary.decode(edit["corrected"][0, : edit["corrected_lengths"][0]])
        assert record.feedback[5].readings[0].said["corrected"] == corrected
        opponent = said["preference:rouge_l"]
        assert record.feedback[3].readings[1].said["opponent"] == vocabulary.decode(
            opponent["opponent_ids"][: opponent["opponent_lengths"]]
        )
        assert first % 6 == record.episode


def test_every_row_writes_equally_many_whole_groups_however_long_its_texts_are():
    def uneven(observation):
        """Row 0 ends at once, the others use up their budget."""
        return np.array([2, 3, 3])

    dataset = collect(vector(3, feedback=["rouge_l"], group_size=2), uneven, 7)
    assert [(textgym.row_seeds(0, 3).index(r.seed), r.episode) for r in dataset] == [
        (0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (2, 0),
    ]  # fmt: skip
    assert [r.group for r in dataset].count(dataset[0].group) == 2


def test_missing_answers_stay_missing():
    skipped = {"name": "preference", "metric": "rouge_l", "skip": 1.0}
    dataset = collect(
        vector(2, feedback=[skipped, {"name": "rating", "metric": "rouge_l"}], feedback_budget=6), policy, 8
    )
    unsure, rating = zip(*(record.feedback for record in dataset), strict=True)
    assert [[r.value for r in part.readings] for part in unsure[:4]] == [[None], [None], [None], []]
    assert [part.observed_value is None for part in rating[:4]] == [False, False, False, True]
    assert dataset.preferences() == []
    assert [record.cost for record in dataset[:4]] == [2, 2, 2, 0]


def test_policies_with_predict_and_ids_are_accepted():
    class Learner:
        def predict(self, observation):
            return policy(observation), None

    assert collect(COPY, Learner(), 3) == collect(COPY, policy, 3)
    assert "copy" in collect(COPY, policy, 1)[0].source.arguments


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((COPY, policy, 0), "episodes must be at least 1"),
        ((COPY, policy, 1.5), r"episodes and seed must be whole numbers, got episodes=1\.5, seed=0"),
        ((gymnasium.make_vec(COPY, vectorization_mode="sync"), policy, 1), r'vectorization_mode="vector_entry_point"'),
        ((COPY, 7, 1), "policy must be a function"),
        (("CartPole-v1", policy, 1), "one of TextGym's"),
        ((gymnasium.wrappers.TimeLimit(gymnasium.make(COPY), 1), lambda o: 3, 1), "without TimeLimit"),
    ],
)
def test_collect_says_what_it_cannot_do(arguments, told):
    with pytest.raises(ValueError, match=told):
        collect(*arguments)


def test_what_nobody_was_asked_about_is_never_the_best_text():
    spec = {"name": "rating", "metric": "token_match"}
    env = gymnasium.make(COPY, feedback=[{"name": "rating", "metric": "rouge_l", "weight": -1}], feedback_budget=3)
    dataset = collect(env, policy, 8)
    asked = [record.feedback[0].observed_value is not None for record in dataset]
    assert asked == [True] * 3 + [False] * 5
    assert [record.observed_return is not None for record in dataset] == asked
    assert len(dataset.supervised()) == len({record.prompt for record in dataset[:3]})
    lost = collect(gymnasium.make(COPY, feedback=[spec], noise="sparse/severe"), policy, 20)
    assert {record.observed_return is None for record in lost} == {True, False}
    assert all((record.observed_return is None) == (record.feedback[0].observed_value is None) for record in lost)


SOURCE = Source("mine/Limerick-v0", "{}", "train", 3, "0123", "textgym 0")


def reading(value=1.0, annotator=0, **said):
    return Reading(annotator, value, 0, said)


def part(*readings, signal="rating:gold", **fields):
    blank = {"kind": signal.partition(":")[0], "timing": "episode", "low": 0.0, "high": 1.0, "true_value": 0.5}
    return SignalFeedback(
        **{"signal": signal, "observed_value": 0.5, "cost": 1.0, **blank, **fields}, readings=[*readings]
    )


def text(completion, *parts, prompt="p", episode=0, observed_return=0.0):
    return Record(prompt, completion, [3], "r", 0, 1, episode, "stop", 0.0, observed_return, 0.0, [*parts], SOURCE)


def test_preferences_take_the_chosen_text_and_drop_ties_silence_and_equal_texts():
    told = [reading(1.0, opponent="b"), reading(0.0, opponent="b"), reading(0.5, opponent="b")]
    quiet = [reading(None), reading(1.0, opponent="a")]
    dataset = FeedbackDataset([text("a", part(*told, *quiet, signal="preference:gold"))])
    assert dataset.preferences() == [
        {"prompt": "p", "chosen": "a", "rejected": "b"},
        {"prompt": "p", "chosen": "b", "rejected": "a"},
    ]
    assert dataset.unpaired()[:2] == [
        {"prompt": "p", "completion": "a", "label": True},
        {"prompt": "p", "completion": "b", "label": False},
    ]


def test_a_ranking_is_every_pair_of_its_texts():
    last = reading(0.5, ranking=[2, 3, 1, -1])
    group = [text(name, part(reading(None), signal="ranking:gold"), episode=3 + i) for i, name in enumerate("ab")]
    dataset = FeedbackDataset([text("x", episode=2), *group, text("c", part(last, signal="ranking:gold"), episode=5)])
    assert dataset.rankings() == [{"prompt": "p", "completions": ["c", "a", "b"]}]
    assert [(row["chosen"], row["rejected"]) for row in dataset.preferences("ranking")] == [
        ("c", "a"), ("c", "b"), ("a", "b"),
    ]  # fmt: skip
    assert FeedbackDataset(dataset.records[2:]).rankings() == [{"prompt": "p", "completions": ["c", "b"]}]
    not_asked = text("c", part(reading(0.5, ranking=[2, -1, 1, -1]), signal="ranking:gold"), episode=5)
    assert FeedbackDataset([*group, not_asked]).rankings() == [{"prompt": "p", "completions": ["c", "a"]}]


def test_data_sets_that_were_added_up_keep_their_groups_apart():
    def group(*names):
        last = part(reading(0.5, ranking=[2, 1, 3]), signal="ranking:gold")
        return [text(name, *([last] if i == 2 else []), episode=i) for i, name in enumerate(names)]

    both = FeedbackDataset(group(*"abc")) + FeedbackDataset(group(*"xyz"))
    assert [row["completions"] for row in both.rankings()] == [["b", "a", "c"], ["y", "x", "z"]]


def test_ratings_labels_edits_comments_and_what_to_imitate():
    rated = part(reading(0.25, level=2), reading(0.75, level=4), reading(None))
    poor = part(reading(0.0, level=1), reading(0.75, level=4))
    worked = part(reading(0.5, corrected="A"), signal="edit:ter")
    said = part(reading(0.6, comment="fine"), signal="comment:gold")
    dataset = FeedbackDataset(
        [text("a", rated, worked, said, observed_return=1.0), text("b", poor, observed_return=2.0)]
    )
    assert [row["rating"] for row in dataset.ratings()] == [2.0, 4.0, 1.0, 4.0]
    assert [row["rating"] for row in dataset.ratings("edit")] == [0.5]
    assert [row["label"] for row in dataset.unpaired("rating:gold")] == [True, False]
    assert [row["label"] for row in dataset.unpaired("rating", threshold=0.3)] == [True, True]
    assert dataset.edits() == [{"prompt": "p", "completion": "a", "corrected": "A"}]
    assert dataset.comments() == [{"prompt": "p", "completion": "a", "comment": "fine"}]
    assert dataset.supervised() == [{"prompt": "p", "completion": "A"}]
    assert dataset.supervised("rating") == [{"prompt": "p", "completion": "a"}]
    without_edits = FeedbackDataset([text("a", rated, observed_return=1.0), text("b", poor, observed_return=2.0)])
    assert without_edits.supervised() == [{"prompt": "p", "completion": "b"}]
    brief = part(signal="brevity")
    unasked = text("c", part(signal="rating:gold", observed_value=None), brief, observed_return=3.0)
    unseen = text("d", part(observed_value=None), observed_return=None)
    some = FeedbackDataset([unseen, unasked, text("a", rated, brief, observed_return=1.0)])
    assert some.supervised() == [{"prompt": "p", "completion": "a"}]
    assert some[:2].supervised() == [{"prompt": "p", "completion": "c"}]
    assert some[:1].supervised() == []
    with pytest.raises(ValueError, match=r"no signal 'ratting' \(did you mean 'rating'\?\)"):
        dataset.ratings("ratting")


def test_every_view_has_the_columns_of_its_type(everything):
    columns = {
        "preferences": {"prompt", "chosen", "rejected"},
        "rankings": {"prompt", "completions"},
        "unpaired": {"prompt", "completion", "label"},
        "supervised": {"prompt", "completion"},
        "ratings": {"prompt", "completion", "rating"},
        "edits": {"prompt", "completion", "corrected"},
        "comments": {"prompt", "completion", "comment"},
    }
    for view, wanted in columns.items():
        rows = getattr(everything, view)()
        assert rows
        assert {frozenset(row) for row in rows} == {frozenset(wanted)}


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_file_holds_everything_and_loads_in_datasets(everything, suffix, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    path = tmp_path / f"all.{suffix}"
    everything.save(path)
    assert load(path) == everything
    reader = "json" if suffix == "jsonl" else suffix
    loaded = datasets.load_dataset(reader, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["prompt"][:] == [record.prompt for record in everything]
    assert (
        loaded[0]["feedback"][0]["readings"][0]["said"]["level"] == everything[0].feedback[0].readings[0].said["level"]
    )


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_metrics_alone_and_nothing_at_all_survive_a_file_too(suffix, tmp_path):
    for number, dataset in enumerate([collect(COPY, policy, 2), FeedbackDataset([])]):
        dataset.save(tmp_path / f"{number}.{suffix}")
        assert load(tmp_path / f"{number}.{suffix}") == dataset


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_file_is_written_whole_or_not_at_all(suffix, tmp_path):
    path = tmp_path / "new" / "folder" / f"kept.{suffix}"
    good = FeedbackDataset([text("a", part(reading(level=1)))])
    good.save(path)
    with pytest.raises((TypeError, ValueError, OverflowError)):
        (good + FeedbackDataset([text("b", part(reading(level=2**70 if suffix == "parquet" else object())))])).save(
            path
        )
    assert load(path) == good
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_a_file_says_is_never_done(tmp_path):
    """Texts, names and arguments that would be code, a path, a template or a tag elsewhere come back as they were."""
    nasty = [
        "__import__('os').mkdir('hacked')",
        "$(mkdir hacked)",
        "../hacked",
        "{record.seed}",
        "<script>",
        "\u2028\r\0",
    ]
    record = text(nasty[0], part(reading(**{nasty[1]: nasty[5]}), signal=nasty[2]), prompt=nasty[3])
    dataset = FeedbackDataset([replace(record, reference=nasty[5], source=replace(SOURCE, env_id=nasty[0]))])
    for suffix in ("jsonl", "parquet"):
        dataset.save(tmp_path / f"all.{suffix}")
        assert load(tmp_path / f"all.{suffix}") == dataset
    assert {file.name for file in tmp_path.iterdir()} == {"all.jsonl", "all.parquet"}
    assert not list(tmp_path.parent.glob("hacked*"))


def test_bad_files_are_named_with_their_line(tmp_path, monkeypatch):
    path = tmp_path / "bad.jsonl"
    FeedbackDataset([text("a", part(reading(level=1)))]).save(path)
    good = json.loads(path.read_text())
    for line, told in [
        ("{", "not JSON"),
        ("[]", "a Record must be an object|must be an object"),
        (json.dumps({**good, "prompts": 1}), r"unknown: \['prompts'\]"),
        (json.dumps({key: value for key, value in good.items() if key != "seed"}), r"missing: \['seed'\]"),
        (json.dumps({**good, "feedback": 7}), "expected a list, got 7"),
        (json.dumps({**good, "prompt": 7}), "the prompt of a Record must be str, got 7"),
        (json.dumps({**good, "seed": 0.5}), "the seed of a Record must be int, got 0.5"),
        (json.dumps({**good, "seed": True}), "the seed of a Record must be int, got True"),
        (json.dumps({**good, "clean_return": "high"}), "the clean_return of a Record must be float, got 'high'"),
        (json.dumps({**good, "completion_ids": "ab"}), r"the completion_ids of a Record must be list\[int\], got 'ab'"),
        ("[" * 200_000, "not JSON"),
        ('{"prompt": "\udcff"}', "not JSON: .*utf-8"),  # a byte that is not UTF-8
    ]:
        path.write_bytes((json.dumps(good) + "\n\n" + line + "\n").encode(errors="surrogateescape"))
        with pytest.raises(ValueError, match=rf"bad\.jsonl:3: .*({told})"):
            load(path)
    with pytest.raises(ValueError, match=r"must end in \.jsonl or \.parquet"):
        load(tmp_path / "data.csv")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r'pip install "textgym\[data\]"'):
        load(tmp_path / "data.parquet")


def count(dataset):
    return sum(len(p.readings) for record in dataset for p in record.feedback)


def test_cleaning_drops_the_unreliable_contradictions_and_repeats_and_reports_each():
    generator = np.random.default_rng(0)
    quality = generator.random(40)
    records = []
    for i, q in enumerate(quality):
        honest = [reading(min(1.0, q + 0.05 * j), annotator=j) for j in range(3)]
        records.append(text(f"t{i}", part(*honest, reading(1.0 - q, annotator=3))))
    dataset = FeedbackDataset([*records, records[0]])
    cleaned, report = dataset.clean(max_gap=None)
    assert report.counts == {"unreliable": 41, "duplicate": 1}
    assert {r.annotator for record in cleaned for p in record.feedback for r in p.readings} == {0, 1, 2}
    assert len(cleaned) == 40
    assert report.dropped[0] == Dropped("unreliable", 0, "rating:gold", 3)
    assert str(report) == "left out 41 answers (unreliable), 1 record (duplicate)"
    assert repr(report) == f"CleaningReport({report})"
    untouched, nothing = dataset.clean(min_agreement=None, max_gap=None, keep_duplicates=True)
    assert untouched == dataset
    assert str(nothing) == "left out nothing"


def test_a_pair_judged_both_ways_keeps_the_majority_and_a_text_rated_far_apart_keeps_the_middle():
    def judged(own, other, *values):
        return text(
            own, part(*(reading(v, annotator=j, opponent=other) for j, v in enumerate(values)), signal="judge:gold")
        )

    dataset = FeedbackDataset([judged("a", "b", 1.0, 1.0), judged("b", "a", 1.0), judged("c", "d", 1.0, 0.0)])
    cleaned, report = dataset.clean()
    assert report.dropped == [
        Dropped("contradiction", 1, "judge:gold", 0),
        Dropped("contradiction", 2, "judge:gold", 0),
        Dropped("contradiction", 2, "judge:gold", 1),
    ]
    assert cleaned.preferences() == [{"prompt": "p", "chosen": "a", "rejected": "b"}] * 2
    rated = FeedbackDataset([text("a", part(*(reading(v, annotator=j) for j, v in enumerate([0.0, 0.75, 1.0]))))])
    kept, report = rated.clean()
    assert [r.value for r in kept[0].feedback[0].readings] == [0.75, 1.0]
    assert count(rated) == count(kept) + len(report.dropped)
    with pytest.raises(ValueError, match="max_gap must be above 0"):
        rated.clean(max_gap=0)
    with pytest.raises(ValueError, match="min_agreement must be -1 to 1"):
        rated.clean(min_agreement=2)


SKILLS = np.array([0.95, 0.9, 0.6, 0.6, 0.6])


@pytest.fixture(scope="module")
def votes():
    """1,000 texts, good or bad, judged by five annotators who are right as often as `SKILLS` says."""
    generator = np.random.default_rng(1)
    truth = generator.integers(2, size=1000)
    right = generator.random((1000, 5)) < SKILLS
    answers = np.where(right, truth[:, None], 1 - truth[:, None])
    records = [
        text(f"t{i}", part(*(reading(float(v), annotator=j) for j, v in enumerate(row))))
        for i, row in enumerate(answers)
    ]
    return FeedbackDataset(records), truth


PATTERNS = (np.arange(32)[:, None] >> np.arange(5)) & 1


def pattern_probabilities(parameters):
    """P(five votes), (32,), from P(good), P(vote good | good) and P(vote bad | bad) of each annotator, (11,)."""
    share, right_if_good, right_if_bad = parameters[0], parameters[1:6], parameters[6:]
    if_good = np.prod(np.where(PATTERNS, right_if_good, 1 - right_if_good), axis=1)
    if_bad = np.prod(np.where(PATTERNS, 1 - right_if_bad, right_if_bad), axis=1)
    return share * if_good, (1 - share) * if_bad


def test_dawid_skene_is_as_good_as_bayes_with_known_skills(votes):
    dataset, truth = votes
    true_parameters = np.concatenate([[0.5], SKILLS, SKILLS])
    best = np.maximum(*pattern_probabilities(true_parameters)).sum()
    found = consensus(dataset, "rating")
    error = np.sqrt(best * (1 - best) / len(truth))
    assert abs((found.labels == truth).mean() - best) < 5 * error
    assert (consensus(dataset, "rating", "majority").labels == truth).mean() < best - 5 * error

    # maximum likelihood: the variance of the skills is the inverse of the Fisher information
    small = 1e-5 * np.eye(11)
    slopes = np.array([
        (sum(pattern_probabilities(true_parameters + d)) - sum(pattern_probabilities(true_parameters - d))) / 2e-5
        for d in small
    ])  # fmt: skip
    information = len(truth) * (slopes / sum(pattern_probabilities(true_parameters))) @ slopes.T
    mean_skill = np.concatenate([np.zeros((5, 1)), 0.5 * np.eye(5), 0.5 * np.eye(5)], axis=1)
    errors = np.sqrt(np.diag(mean_skill @ np.linalg.inv(information) @ mean_skill.T))
    assert errors.max() < 0.03
    weights = np.array([found.annotator_weights[j] for j in range(5)])
    assert np.all(np.abs(weights - SKILLS) < 5 * errors)


def test_one_coin_tells_the_skilled_from_the_rest(votes):
    dataset, _ = votes
    found = consensus(dataset[:200], "rating", "one_coin")
    weights = [found.annotator_weights[j] for j in range(5)]
    assert min(weights[:2]) > max(weights[2:])


def test_consensus_turns_pairs_round_and_says_what_is_wrong(votes, monkeypatch):
    def judged(own, other, value, who):
        return text(own, part(reading(value, annotator=who, opponent=other), signal="judge:gold"))

    dataset = FeedbackDataset([judged("a", "b", 1.0, 0), judged("b", "a", 0.0, 1), judged("a", "b", 1.0, 2), text("c")])
    found = consensus(dataset, "judge:gold", "majority")
    np.testing.assert_array_equal(found.labels, [1.0, 0.0, 1.0, np.nan])
    np.testing.assert_array_equal(found.record_weights, [1.0, 1.0, 1.0, np.nan])
    with pytest.raises(ValueError, match="method must be one of dawid_skene"):
        consensus(dataset, "judge", "vote")
    with pytest.raises(ValueError, match="no answers of the signal 'click'"):
        consensus(dataset, "click")
    monkeypatch.setitem(__import__("sys").modules, "crowdkit", None)
    with pytest.raises(ImportError, match=r'pip install "textgym\[crowd\]"'):
        consensus(dataset, "judge")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("view", "trainer"),
    [("preferences", "DPO"), ("preferences", "Reward"), ("supervised", "SFT"), ("unpaired", "KTO")],
)
def test_trl_trains_on_a_view(view, trainer, tmp_path, monkeypatch):
    """One step of a tiny model on the CPU, with the rows as they are."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    trl = pytest.importorskip("trl")
    datasets, transformers = pytest.importorskip("datasets"), pytest.importorskip("transformers")
    if trainer == "KTO" and not hasattr(trl, "KTOTrainer"):
        trl = pytest.importorskip("trl.experimental.kto")
    feedback = [{"name": name, "metric": "rouge_l"} for name in ("rating", "preference")]
    env = gymnasium.make_vec(
        "textgym/Docstring-v0", num_envs=4, vectorization_mode="vector_entry_point", feedback=feedback
    )
    simulator = env.unwrapped.simulator
    writable = np.flatnonzero(simulator.vocabulary.writable)
    generator = np.random.default_rng(0)
    dataset = collect(env, lambda observation: generator.choice(writable, 4), 8)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=simulator.vocabulary._tokenizer, pad_token="<pad>", eos_token="<end>"
    )
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_positions=128, n_embd=16, n_layer=1, n_head=2, bos_token_id=2, eos_token_id=2,
        pad_token_id=0, num_labels=1,
    )  # fmt: skip
    kind = transformers.GPT2ForSequenceClassification if trainer == "Reward" else transformers.GPT2LMHeadModel
    kind(config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    arguments = getattr(trl, f"{trainer}Config")(
        output_dir=str(tmp_path / "run"), max_steps=1, per_device_train_batch_size=4, use_cpu=True, report_to=[],
        save_strategy="no", disable_tqdm=True, bf16=False, gradient_checkpointing=False, logging_steps=1, seed=0,
    )  # fmt: skip
    rows = datasets.Dataset.from_list(getattr(dataset, view)())
    learner = getattr(trl, f"{trainer}Trainer")(
        model=str(tmp_path / "model"), args=arguments, train_dataset=rows, processing_class=tokenizer
    )
    learner.train()
    assert learner.state.global_step == 1
    assert 0 < learner.state.log_history[0]["loss"] < 20
