"""Damaged files of data: each is an error that names its place, or its bad rows are skipped and counted.

Run as a program, `python tests/textgym/test_dataset_damage.py 10000`, it prints what became of so many files.
"""

import csv
import io
import json
import random
import re
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import pytest

from textgym.tasks.dataset import Dataset
from textgym.tasks.parts.dataset_files import LONGEST

ROWS = 12
PLACE = r"(:\d+(:\d+)?|, rows? \d+( to \d+)?)?: "
"""What follows the name of a file in an error: a line and perhaps a column, or rows, or nothing if it is all of it."""


def rows(first=0):
    """Rows that differ; `first` is the number of the first."""
    return [{"prompt": f"question {n}", "reference": f"answer {n}, \u00e9\u6587"} for n in range(first, first + ROWS)]


def as_lines(kind):
    """The undamaged lines of a file, as bytes; the header of CSV is the first."""
    if kind == "jsonl":
        return [json.dumps(row, ensure_ascii=False).encode() for row in rows()]
    text = io.StringIO()
    writer = csv.DictWriter(text, ["prompt", "reference"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows())
    return text.getvalue().encode().splitlines()


# Each damage takes the lines and the number of the line to spoil, and spoils it in place.


def put(spoilt):
    def damage(lines, at, generator):
        lines[at] = spoilt(lines[at], generator)

    return damage


def inside(line, generator, inserted):
    place = generator.randrange(len(line) + 1)
    return line[:place] + inserted + line[place:]


def flip(line, generator):
    place = generator.randrange(len(line))
    return line[:place] + bytes([line[place] ^ (1 << generator.randrange(8))]) + line[place + 1 :]


def shuffled(line, generator):
    return bytes(generator.sample(line, len(line)))


EITHER = {
    "cut line": put(lambda line, g: line[: g.randrange(1, len(line))]),
    "flipped bit": put(flip),
    "latin-1": put(lambda line, g: line.decode().replace("\u6587", "").encode("latin-1")),
    "null byte": put(lambda line, g: inside(line, g, b"\0")),
    "random bytes": put(lambda line, g: g.randbytes(40).replace(b"\n", b"")),
    "shuffled": put(shuffled),
    "stray quote": put(lambda line, g: inside(line, g, b'"')),
    "carriage return": put(lambda line, g: inside(line, g, b"\r")),
    "long line": put(lambda line, g: line[:20] + b"x" * (LONGEST + 2**21) + line[20:]),
}
JSONL = {
    "wrong type": put(
        lambda line, g: json.dumps({"prompt": g.choice([None, {}, {"a": 1}, float("nan")]), "reference": "r"}).encode()
    ),
    "not an object": put(lambda line, g: g.choice([b"3", b"[1]", b'"x"', b"null", b"true", b"1e999", b"9" * 5000])),
    "missing column": put(lambda line, g: json.dumps({g.choice(["prompt", "reference"]): "x"}).encode()),
    "duplicate column": put(lambda line, g: line.replace(b"{", b'{"prompt": "again", ')),
    "two rows in a line": put(lambda line, g: line + line),
    "deep": put(lambda line, g: b'{"prompt": ' + b"[" * 100_000),
    "half a character": put(lambda line, g: b'{"prompt": "\\ud800", "reference": "x"}'),
    "escaped null": put(lambda line, g: b'{"prompt": "\\u0000", "reference": "x"}'),
}
CSV = {
    "more columns": put(lambda line, g: line + b",x" * g.randrange(1, 4)),
    "fewer columns": put(lambda line, g: b"question"),
    "open quote": put(lambda line, g: b'"' + line),
    "text behind a quote": put(lambda line, g: b'"a"b,' + line),
}


def whole_text(spoilt):
    """A damage of the whole file, after which no row needs to be there."""
    return lambda content, generator: (spoilt(content, generator), set())


WHOLE = {
    "empty file": whole_text(lambda content, g: b""),
    "blank file": whole_text(lambda content, g: b"\n \n\n"),
    "utf-16": whole_text(lambda content, g: content.decode().encode("utf-16")),
    "utf-16 without a mark": whole_text(lambda content, g: content.decode().encode("utf-16-le")),
    "old line ends": whole_text(lambda content, g: content.replace(b"\n", b"\r")),
    "not a file of text": whole_text(lambda content, g: g.randbytes(2000)),
    "header only": whole_text(lambda content, g: content.partition(b"\n")[0]),
    "duplicate header": whole_text(lambda content, g: content.replace(b"prompt", b"reference", 1)),
    "missing header": whole_text(lambda content, g: content.replace(b"reference", b"other")),
    "semicolons": whole_text(lambda content, g: content.replace(b",", b";")),
    "byte order mark": lambda content, generator: (b"\xef\xbb\xbf" + content, set(range(ROWS))),
    "windows line ends": lambda content, generator: (content.replace(b"\n", b"\r\n"), set(range(ROWS))),
}


def cut_off(content, generator):
    """The beginning of a file; the rows that are whole in it must be there."""
    cut = content[: generator.randrange(1, len(content))]
    return cut, {n for n in range(ROWS) if re.search(rb"question %d\b[^\n]*\n" % n, cut)}


def spoil_text(kind, damage, generator):
    """Returns the bytes of a damaged JSONL or CSV file, and the numbers of the rows that must survive."""
    lines = as_lines(kind)
    if damage in WHOLE:
        return WHOLE[damage](b"\n".join(lines) + b"\n", generator)
    if damage == "cut off":
        return cut_off(b"\n".join(lines) + b"\n", generator)
    header = kind == "csv"
    at = generator.randrange(header, len(lines))
    {**EITHER, **JSONL, **CSV}[damage](lines, at, generator)
    return b"\n".join(lines) + b"\n", set(range(ROWS)) - {at - header}


def spoil_parquet(damage, generator, path):
    """Writes a damaged Parquet file; returns the numbers of the rows that must survive."""
    import pyarrow as pa
    from pyarrow import parquet

    prompts, references = ([row[name] for row in rows()] for name in ("prompt", "reference"))
    columns, names = [pa.array(prompts), pa.array(references)], ["prompt", "reference"]
    at = generator.randrange(ROWS)
    kept = set(range(ROWS)) - {at}
    if damage == "null":
        columns[1] = pa.array([None if n == at else text for n, text in enumerate(references)])
    elif damage == "not UTF-8":
        content = [b"\xff\xfe" if n == at else text.encode() for n, text in enumerate(references)]
        offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in _ends(content)))
        columns[1] = pa.Array.from_buffers(pa.string(), ROWS, [None, offsets, pa.py_buffer(b"".join(content))])
    elif damage == "bytes for text":
        columns[1], kept = pa.array([text.encode() for text in references]), set()
    elif damage == "lists for text":
        columns[1], kept = pa.array([[{"a": 1}]] * ROWS), set()
    elif damage == "missing column":
        names[1], kept = "other", set()
    elif damage == "duplicate column":
        names[1], kept = "prompt", set()
    elif damage == "no rows":
        columns, kept = [column[:0] for column in columns], set()
    checked = generator.random() < 0.5
    table = pa.Table.from_arrays(columns, names=names)
    compression = generator.choice(["snappy", "none", "zstd"])
    parquet.write_table(table, path, row_group_size=4, write_page_checksum=checked, compression=compression)
    content = bytearray(path.read_bytes())
    if damage == "flipped bits":
        for _ in range(generator.randrange(1, 8)):
            content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        kept = set()
    elif damage == "cut off":
        content, kept = content[: generator.randrange(len(content))], set()
    elif damage == "not Parquet":
        content, kept = generator.randbytes(500), set()
    path.write_bytes(content)
    return kept


def _ends(content):
    total = 0
    yield 0
    for part in content:
        total += len(part)
        yield total


PARQUET = (
    "null", "not UTF-8", "bytes for text", "lists for text", "missing column", "duplicate column", "no rows",
    "flipped bits", "flipped bits", "flipped bits", "cut off", "not Parquet",
)  # fmt: skip
KINDS = {
    "jsonl": [*EITHER, *JSONL, "cut off", *(name for name in WHOLE if "header" not in name and name != "semicolons")],
    "csv": [*EITHER, *CSV, "cut off", *WHOLE],
    "parquet": [*PARQUET],
}


def spoil(number, folder):
    """Writes the damaged file of that number; returns its path, its damage, and the rows that must survive."""
    generator = random.Random(number)
    ending = ("jsonl", "csv", "parquet")[number % 3]
    damage = generator.choice(KINDS[ending])
    if damage == "long line" and generator.random() < 0.8:  # they are large
        damage = "cut off"
    path = Path(folder, f"spoilt-{number}.{ending}")
    if ending == "parquet":
        return path, damage, spoil_parquet(damage, generator, path)
    content, kept = spoil_text(ending, damage, generator)
    path.write_bytes(content)
    return path, damage, kept


def survivors(task):
    """The numbers of the rows that are in the train split, as they were."""
    prompts = task.prompt_set("train")
    pairs = zip(prompts.prompt_ids, prompts.reference_ids, strict=True)
    found = {(task.vocabulary.decode(prompt), task.vocabulary.decode(reference)) for prompt, reference in pairs}
    return {number for number, row in enumerate(rows()) if (row["prompt"], row["reference"]) in found}


def read(path, good, on_error):
    """Reads a file as the train split; returns the task or the error, and the warnings."""
    data = {"train": str(path), "validation": str(good[0]), "test": str(good[1])}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            return Dataset(data, tokenizer="bytes", on_error=on_error), [str(one.message) for one in told]
        except ValueError as error:
            return error, [str(one.message) for one in told]


def judge(path, kept, good):
    """Returns what became of a file; asserts that it is one of the things that may."""
    strict, _ = read(path, good, "raise")
    lenient, told = read(path, good, "skip")
    name = re.escape(str(path))
    if isinstance(strict, ValueError):
        assert re.search(name + PLACE, str(strict)), strict
    if isinstance(lenient, ValueError):
        assert isinstance(strict, ValueError)
        if re.search(name + PLACE, str(lenient)):
            return "error for the whole file"
        assert "no rows for the split train" in str(lenient), lenient
        assert re.search(r"malformed [1-9]|empty [1-9]", str(lenient)), lenient
        return "no row left, all counted"
    counts = lenient.counts
    lost = [counts[name] for name in ("malformed", "filtered", "empty", "beyond size", "dropped", "repeated", "kept")]
    assert counts["read"] == sum(lost)
    assert kept <= survivors(lenient), (kept, survivors(lenient))
    if isinstance(strict, ValueError):
        assert counts["malformed"]
        assert re.search(name + PLACE, "\n".join(told)), told
        return "bad rows skipped and counted"
    assert strict.counts == counts
    assert not told
    return "empty rows counted" if counts["empty"] else "read as it is"


def survey(numbers, folder):
    """Returns how often each damage came to each end."""
    good = [Path(folder, f"good-{number}.jsonl") for number in range(2)]
    for number, path in enumerate(good):
        path.write_text("\n".join(map(json.dumps, rows(first=1000 + number * ROWS))))
    found = Counter()
    for number in numbers:
        path, damage, kept = spoil(number, folder)
        try:
            end = judge(path, kept, good)
        except Exception as error:
            raise AssertionError(f"file {number}: {damage}: {error!r}") from error
        found[path.suffix, damage, end] += 1
        path.unlink()
    return found


def table(found):
    """The survey as text."""
    ends = sorted({end for _, _, end in found})
    lines = [f"{'damage':<32}" + "".join(f"{end:>30}" for end in ends)]
    for suffix, damage in sorted({key[:2] for key in found}):
        cells = "".join(f"{found[suffix, damage, end] or '':>30}" for end in ends)
        lines.append(f"{suffix + ' ' + damage:<32}{cells}")
    lines.append(f"{'all ' + format(sum(found.values()), ','):<32}")
    lines[-1] += "".join(f"{sum(n for key, n in found.items() if key[2] == end):>30,}" for end in ends)
    return "\n".join(lines)


def test_damaged_files_are_errors_or_counted(tmp_path):
    found = survey(range(120), tmp_path)
    print(table(found))
    assert sum(found.values()) == 120
    assert len({end for _, _, end in found}) >= 4


@pytest.mark.slow
def test_ten_thousand_damaged_files(tmp_path):
    found = survey(range(10_000), tmp_path)
    print(table(found))
    assert {key[:2] for key in found} == {(f".{kind}", damage) for kind, names in KINDS.items() for damage in names}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(table(survey(range(int(sys.argv[1])), place)))
