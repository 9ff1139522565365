"""The corpus of Docstring, its cache, and what its default feedback rewards."""

import os
import subprocess
import sys

import numpy as np
import pytest
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist
from sacrebleu.metrics import CHRF

from textgym.registration import build
from textgym.tasks.base import SPLITS
from textgym.tasks.docstring import Docstring
from textgym.tasks.parts import corpus_cache, pair_task
from textgym.tasks.parts.installed_packages import find_packages, package_versions
from textgym.tasks.parts.standard_library import first_sentence, read, read_package
from textgym.tasks.parts.text_pairs import TextPair, split_pairs
from textgym.transition import Transition

SOURCE = '''
"""The module's own."""
def plain(a, /, b: int = 1, *c, d=2, **e) -> str:
    """Return  the
    name.  And more.

    And more."""
async def wait():
    """Wait for the end (e.g. of a file)"""
if True:
    class Box(Base):
        """A box of things."""
        def __init__(self, size=3):
            """Make the box."""
        @property
        def size(self):
            """The size in metres."""
        @staticmethod
        def make(size):
            """Make another box."""
        class Lid:
            """The lid of a box."""
        def silent(self): pass
        def foreign(self):
            """Größe des Kastens."""
        def call(self):
            """call(a, b) -> the sum"""
        def short(self):
            """Deprecated."""
        def example(self):
            """Add one: >>> add(1) gives two"""
'''


def test_a_file_is_read_without_being_imported(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text(SOURCE + "raise SystemExit\n")
    (tmp_path / "broken.py").write_text("def :")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "skipped.py").write_text(SOURCE)
    found = list(read(tmp_path))
    assert {item.source for item in found} == {"package"}
    assert [(item.prompt, item.reference) for item in found] == [
        ("plain(a, /, b: int=1, *c, d=2, **e) -> str", "Return the name."),
        ("async wait()", "Wait for the end (e.g. of a file)"),
        ("class Box(size=3)", "A box of things."),
        ("Box.__init__(size=3)", "Make the box."),
        ("Box.size()", "The size in metres."),
        ("Box.make(size)", "Make another box."),
        ("class Box.Lid()", "The lid of a box."),
    ]


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("One. Two.", "One."),
        ("No full stop\n\nSecond paragraph.", "No full stop"),
        ("Uses version 3.11 of it.  Then more", "Uses version 3.11 of it."),
        ("Some, e.g. this one, and others.", "Some, e.g. this one, and others."),
        ("Is it? Yes.", "Is it?"),
        ("", ""),
    ],
)
def test_first_sentence(docstring, sentence):
    assert first_sentence(docstring) == sentence


def test_near_duplicates_are_dropped():
    by_split = {TextPair(f"m{i}", "", "").split: f"m{i}" for i in range(100)}
    train, test = by_split["train"], by_split["test"]
    found = [
        TextPair(train, "f(a)", "Return the name of the file."),
        TextPair(train, "g(a)", "return the NAME of the file 2"),
        TextPair(train, "h(a)", "Return the names of the files."),
        TextPair(train, "f(a)", "Something else entirely."),
        TextPair(test, "k(a)", "Return the name of a file."),
        TextPair(test, "l(a)", "Close the connection at once."),
    ]
    kept = split_pairs(found)
    assert [item.prompt for item in kept["train"]] == ["f(a)", "h(a)"]
    assert [item.prompt for item in kept["test"]] == ["l(a)"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cache that two processes have filled at the same time."""
    folder = tmp_path_factory.mktemp("cache")
    program = "from textgym.tasks.docstring import Docstring; print(Docstring().fingerprint)"
    environment = {**os.environ, "TEXTGYM_CACHE": str(folder)}
    command = [sys.executable, "-c", program]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate(timeout=300)[0].strip() for process in running}
    assert all(process.returncode == 0 for process in running)
    assert len(list(folder.iterdir())) == 1
    (folder / "fingerprint").write_text("\n".join(printed))
    return folder


@pytest.fixture(scope="module")
def task(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXTGYM_CACHE", str(folder))
        patch.setattr(pair_task, "make_corpus", None)  # everything must come from the cache
        return Docstring()


def texts_of(task, split):
    prompt_set = task.prompt_set(split)
    prompts = zip(prompt_set.prompt_ids, prompt_set.prompt_lengths, strict=True)
    references = zip(prompt_set.reference_ids, prompt_set.reference_lengths, strict=True)
    return [ids[: n - 1].tolist() for ids, n in prompts], [ids[:n].tolist() for ids, n in references]


def test_built_twice_at_once_and_read_again_it_is_the_same(folder, task):
    assert (folder / "fingerprint").read_text() == task.fingerprint


def test_the_corpus_is_large_and_its_splits_have_nothing_in_common(task):
    gists, modules, prompts = {}, {}, []
    for split in SPLITS:
        prompt_ids, reference_ids = texts_of(task, split)
        prompts += [task.vocabulary.decode(ids) for ids in prompt_ids]
        summaries = [task.vocabulary.decode(ids) for ids in reference_ids]
        assert all(text.isascii() and text.isprintable() for text in summaries)
        gists[split] = [TextPair("", "", text).gist for text in summaries]
        modules[split] = set(task.prompt_set(split).data["module"])
        assert len(task.prompt_set(split).data["module"]) == len(summaries)
    sizes = {split: len(gists[split]) for split in SPLITS}
    assert sum(sizes.values()) == task.counts["fitting"]
    assert sizes["test"] >= 256
    assert sizes["validation"] >= 256
    every = [gist for split in SPLITS for gist in gists[split]]
    assert len(every) == len(set(every)) == len(set(prompts))
    for one, other in [("train", "validation"), ("train", "test"), ("validation", "test")]:
        assert not modules[one] & modules[other]
        assert cdist(gists[other][:200], gists[one], scorer=Indel.normalized_similarity).max() < 0.9


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="later standard libraries are smaller")
def test_more_than_six_thousand_pairs_fit(task):
    if task.counts["found"] < 7000:
        pytest.skip("this Python comes without a part of its standard library, such as tkinter or idlelib")
    assert task.counts["fitting"] > 6000


def test_tokens_spell_the_texts_within_the_limits(task):
    assert len(task.vocabulary) == 1024
    assert task.max_prompt_tokens <= 40
    for split in SPLITS:
        prompt_set = task.prompt_set(split)
        assert prompt_set.reference_lengths.max() < task.max_new_tokens == 40
        assert prompt_set.reference_lengths.min() > 0
        ends = prompt_set.prompt_ids[np.arange(len(prompt_set)), prompt_set.prompt_lengths - 1]
        assert (ends == task.vocabulary.separator_id).all()
        for ids in texts_of(task, split)[1][:50]:
            assert task.vocabulary.encode(task.vocabulary.decode(ids)) == ids


def scores(task, texts, split="test"):
    """The mean clean return of the default feedback, with ROUGE-L rated, and of gold, over the first samples."""
    n = len(texts)
    ids, lengths = np.full((n, task.max_new_tokens), 3), np.zeros(n, np.int64)
    for row, text in enumerate(texts):
        lengths[row] = min(len(text), task.max_new_tokens)
        ids[row, : lengths[row]] = text[: lengths[row]]
    rows, none = np.arange(n), np.zeros(n, np.int64)
    prompt_set, done = task.prompt_set(split), np.ones(n, np.bool_)
    seen = Transition(prompt_set, rows, rows, none, lengths, none, ids, lengths, ids, lengths, done)
    signals = [
        (spec["weight"], build("metrics", spec.get("metric", spec["name"]), task)) for spec in task.default_feedback
    ]
    return sum(weight * metric.score(seen) for weight, metric in signals), task.gold(seen)


PINNED = "d2d05e696ddef496"  # of the corpus below, from before there were packages


def write_library(folder):
    """Writes 60 modules with ten functions each, whose summaries differ."""
    verbs = ["Return", "Close", "Open", "Count", "Merge", "Split", "Sort", "Print", "Parse", "Find"]
    nouns = ["apple", "river", "window", "engine", "letter", "garden", "planet", "shadow", "copper", "violin"]
    ends = [
        "quickly",
        "twice",
        "backwards",
        "later",
        "everywhere",
        "correctly",
        "silently",
        "together",
        "randomly",
        "safely",
    ]
    folder.mkdir()
    for module in range(60):
        functions = [
            f'def f{module}_{number}(a, b={number}):\n    """{verb} the {nouns[module % 10]} '
            f'{nouns[(module // 10 + number) % 10]} {ends[(module + number) % len(ends)]}."""\n'
            for number, verb in enumerate(verbs)
        ]
        (folder / f"m{module}.py").write_text("".join(functions))


def test_the_standard_library_alone_makes_what_it_made_before_packages(tmp_path, monkeypatch):
    write_library(tmp_path / "library")
    monkeypatch.setenv("TEXTGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("textgym.tasks.docstring.read", lambda: read(tmp_path / "library"))
    assert Docstring(vocabulary_size=256).fingerprint == PINNED


@pytest.mark.skipif(sys.version_info[:3] != (3, 11, 7), reason="every Python has its own standard library")
def test_the_corpus_of_python_3_11_7_is_what_it_was(task):
    if task.counts["found"] != 7474:
        pytest.skip("this Python comes without a part of its standard library, or with more")
    assert task.fingerprint == "b7dade81030ecf1b"


LOUD = """
raise SystemExit("imported")
def speak(loud=True):
    \"\"\"Say something to everybody around.\"\"\"
"""


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Two packages that must not be imported, and a namespace package, in front of an empty standard library."""
    (tmp_path / "site" / "loud_pack" / "inner").mkdir(parents=True)
    (tmp_path / "site" / "spread").mkdir()
    (tmp_path / "site" / "loud_pack" / "__init__.py").write_text(LOUD)
    (tmp_path / "site" / "loud_pack" / "inner" / "deep.py").write_text(LOUD.replace("speak", "whisper"))
    (tmp_path / "site" / "loud_single.py").write_text(LOUD.replace("speak", "sing"))
    (tmp_path / "site" / "spread" / "part.py").write_text(LOUD.replace("speak", "hum"))
    write_library(tmp_path / "library")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("TEXTGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("textgym.tasks.docstring.read", lambda: read(tmp_path / "library"))
    return tmp_path / "site"


def test_packages_are_found_and_parsed_without_being_imported(packages):
    found = [
        (item.source, item.prompt)
        for places in find_packages(["loud_pack", "loud_single", "spread"]).values()
        for place in places
        for item in read_package(place, place.parent)
    ]
    assert found == [
        ("loud_pack", "speak(loud=True)"),
        ("loud_pack.inner.deep", "whisper(loud=True)"),
        ("loud_single", "sing(loud=True)"),
        ("spread.part", "hum(loud=True)"),
    ]
    assert not {"loud_pack", "loud_single", "spread"} & set(sys.modules)


def test_packages_add_to_the_standard_library(packages):
    alone, more = Docstring(vocabulary_size=256), Docstring(vocabulary_size=256, packages=["loud_single"])
    assert more.counts["found"] == alone.counts["found"] + 1 == 601
    modules = {module for split in SPLITS for module in more.prompt_set(split).data["module"]}
    assert "loud_single" in modules
    assert alone.fingerprint != more.fingerprint


def test_another_version_of_a_package_is_read_anew(packages, monkeypatch):
    made = Docstring(vocabulary_size=256, packages=["loud_single"]).fingerprint
    (packages / "loud_single.py").write_text(LOUD.replace("speak", "shout"))
    assert Docstring(vocabulary_size=256, packages=["loud_single"]).fingerprint == made
    monkeypatch.setattr("textgym.tasks.docstring.package_versions", lambda names: {"loud_single": ["loud 2.0"]})
    assert Docstring(vocabulary_size=256, packages=["loud_single"]).fingerprint != made


def test_versions_are_those_that_are_installed():
    assert package_versions(["numpy"]) == {"numpy": [f"numpy {np.__version__}"]}
    assert package_versions(["json"]) == {"json": []}
    assert package_versions([]) == {}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["numpy", "no_such_a", "no_such_b"], "these are not: no_such_a, no_such_b; install what they are part of"),
        (["sys"], "must be installed as Python source, and these are not: sys"),
        (["numpy.linalg"], "without dots, such as \"numpy\", got 'numpy.linalg'"),
        ([3], 'without dots, such as "numpy", got 3'),
        ("numpy", r"must be a list of names, such as \[\"numpy\"\], got 'numpy'"),
        (["numpy", "numpy"], r"must differ from each other, got \['numpy', 'numpy'\]"),
    ],
)
def test_wrong_packages_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        Docstring(packages=names)


def test_gold_is_chrf(task):
    _, references = texts_of(task, "test")
    texts = references[1:51]
    expected = [
        CHRF(beta=1).sentence_score(task.vocabulary.decode(text), [task.vocabulary.decode(reference)]).score / 100
        for text, reference in zip(texts, references, strict=False)
    ]
    np.testing.assert_allclose(scores(task, texts)[1], expected, rtol=0, atol=1e-12)


def test_nothing_cheap_beats_the_reference_or_a_sensible_sentence(task):
    prompts, references = texts_of(task, "test")
    count = len(references)
    best, gold = scores(task, references)
    np.testing.assert_allclose(gold, 1.0)
    sensible = scores(task, [task.vocabulary.encode("Return the name of the file.")] * count)[0].mean()
    cheap = {
        "empty": [[]] * count,
        "prompt": prompts,
        "one word": [task.vocabulary.encode("Return")] * count,
        "a word repeated": [task.vocabulary.encode("the the the the the the")] * count,
        "a character repeated": [task.vocabulary.encode("X") * 12] * count,
        "full stops": [task.vocabulary.encode(".") * 3] * count,
        "random": np.random.default_rng(0).integers(3, 1024, size=(count, 16)).tolist(),
    }
    for name, texts in cheap.items():
        clean, _ = scores(task, texts)
        assert (clean < best).all(), name
        assert clean.mean() < sensible, name
    assert (scores(task, [reference * 2 for reference in references])[0] < best).all()
    assert (scores(task, [reference[: len(reference) // 2] for reference in references])[0] < best).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary_size": 100}, "vocabulary_size must be 128 to 65,536, got 100"),
        ({"max_prompt": 3}, "max_prompt must be at least 4"),
        ({"max_reference": 1}, "max_reference at least 2"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Docstring(**arguments)


def make():
    make.calls += 1
    return {"numbers": np.arange(5), "text": np.frombuffer(b"name", np.uint8)}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTGYM_CACHE", str(tmp_path / "cache"))
    make.calls = 0
    corpus_cache.cached("things", {"size": 5}, make)
    (file,) = (tmp_path / "cache").iterdir()
    return file


def test_the_cache_is_read_and_knows_its_key(cache):
    arrays = corpus_cache.cached("things", {"size": 5}, make)
    assert make.calls == 1
    assert arrays["numbers"].tolist() == [0, 1, 2, 3, 4]
    assert arrays["text"].tobytes() == b"name"
    corpus_cache.cached("things", {"size": 6}, make)
    assert make.calls == 2


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: b"", lambda c: c[:40] + b"!" + c[41:]])
def test_a_damaged_file_is_made_again(cache, damage):
    whole = cache.read_bytes()
    cache.write_bytes(damage(whole))
    assert corpus_cache.cached("things", {"size": 5}, make)["numbers"].tolist() == [0, 1, 2, 3, 4]
    assert make.calls == 2
    corpus_cache.cached("things", {"size": 5}, make)
    assert make.calls == 2
    assert [file.name for file in cache.parent.iterdir()] == [cache.name]


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TEXTGYM_CACHE", str(tmp_path / "file"))
    make.calls = 0
    with pytest.warns(UserWarning, match="set TEXTGYM_CACHE"):
        assert corpus_cache.cached("things", {}, make)["numbers"].tolist() == [0, 1, 2, 3, 4]


def test_the_folder_follows_the_users_settings(monkeypatch, tmp_path):
    monkeypatch.delenv("TEXTGYM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert corpus_cache.cache_folder() == tmp_path / "textgym"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert corpus_cache.cache_folder() == tmp_path / ".cache" / "textgym"
