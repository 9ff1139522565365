"""Records of feedback: one text, what every signal said about it, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Reading:
    """One answer of one annotator.

    Attributes:
        annotator: the number of the annotator in the signal's pool, from 0.
        value: the answer as a number, between the signal's `low` and `high`; None where the annotator would not say.
        step: the number of the token that the answer follows: the text's last for an annotator of whole texts.
        said: what was said beyond the number, as plain data: `level`, `comment`, `corrected`, `choice` and so on.
            Token ids are decoded: what the annotation calls `opponent_ids` and `opponent_lengths` is `opponent` here,
            and `opponent_ids` are its tokens as an agent would have written them, with the end token where the budget
            has room for it; likewise `corrected` and `demonstration`. A single `token` stays a number.
    """

    annotator: int
    value: float | None
    step: int
    said: dict[str, Any]


@dataclass(frozen=True)
class SignalFeedback:
    """What one signal said about a text.

    Attributes:
        signal: the signal's label, such as `"rating:rouge_l"`.
        kind: the annotator's name, or `"metric"` for a metric without an annotator.
        timing: `"episode"`, or `"step"` if every token is scored.
        low: the lowest reading.
        high: the highest reading.
        true_value: the metric without noise; with timing `"step"`, that of all tokens added up.
        observed_value: the same after annotator, noise and correction; None where nothing was observed.
        cost: what the answers cost, in units of one rating.
        readings: the answers, before noise; none where nobody was asked.
    """

    signal: str
    kind: str
    timing: str
    low: float
    high: float
    true_value: float
    observed_value: float | None
    cost: float
    readings: list[Reading]


@dataclass(frozen=True)
class Source:
    """The environment that texts were written in.

    Attributes:
        env_id: its id; empty for an environment that was not made by id.
        arguments: its arguments, as JSON.
        split: the split of its prompts.
        group_size: how many texts in a row are written for the same prompt.
        fingerprint: the hash of its vocabulary and prompts.
        versions: of TextGym, NumPy and Python.
    """

    env_id: str
    arguments: str
    split: str
    group_size: int
    fingerprint: str
    versions: str


@dataclass(frozen=True)
class Record:
    """One text and the feedback on it.

    Attributes:
        prompt: the prompt, decoded.
        completion: the text, decoded, without special tokens; where the task answers the agent, one line for each of
            the agent's turns. What the other side said is not kept: `textgym.score` lets it answer again.
        completion_ids: its token ids, with the end token if it was written, and those between turns.
        reference: the reference, decoded; empty where there is none.
        sample: the number of the prompt in its split.
        seed: the seed of the row that the text was written in.
        episode: how many texts the row had finished before this one since it was seeded.
        finish_reason: `"stop"`, `"length"` or `"unsafe"`.
        clean_return: the weighted sum of the true values.
        observed_return: the weighted sum of what was observed, with noise, before correction: a signal that was not
            observed adds nothing to it. None where nothing was observed at all.
        gold_return: the task's own score, in [0, 1].
        feedback: what each signal said, in the order of the environment's signals.
        source: where the text was written.
    """

    prompt: str
    completion: str
    completion_ids: list[int]
    reference: str
    sample: int
    seed: int
    episode: int
    finish_reason: str
    clean_return: float
    observed_return: float | None
    gold_return: float
    feedback: list[SignalFeedback]
    source: Source

    @property
    def cost(self) -> float:
        """What all answers about the text cost, in units of one rating."""
        return sum(signal.cost for signal in self.feedback)

    @property
    def group(self) -> tuple[Source, int, int]:
        """What the texts of one prompt that were written in a row share."""
        return self.source, self.seed, self.episode // self.source.group_size


def to_rows(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Returns records as plain data in which every row has the same columns: `said` has the keys of all, else None."""
    records = list(records)
    keys = dict.fromkeys(
        key for record in records for signal in record.feedback for reading in signal.readings for key in reading.said
    )

    def plain(reading: Reading) -> dict[str, Any]:
        return {**vars(reading), "said": {key: reading.said.get(key) for key in keys} or None}

    return [
        {
            **vars(record),
            "feedback": [{**vars(part), "readings": [*map(plain, part.readings)]} for part in record.feedback],
            "source": vars(record.source),
        }
        for record in records
    ]


def from_row(row: Any, sources: dict[Source, Source]) -> Record:
    """Returns the record of a row of plain data; records with an equal source share the one in `sources`.

    Raises:
        ValueError: if a column is missing or unknown, or holds another kind of thing.
    """
    made: Record = _made(Record, row)
    source: Source = _made(Source, made.source)
    feedback = [_feedback(part) for part in _entries(made.feedback)]
    return replace(made, feedback=feedback, source=sources.setdefault(source, source))


def _feedback(part: Any) -> SignalFeedback:
    made: SignalFeedback = _made(SignalFeedback, part)
    return replace(made, readings=[_reading(reading) for reading in _entries(made.readings)])


def _reading(row: Any) -> Reading:
    made: Reading = _made(Reading, row)
    return replace(made, said={key: value for key, value in (made.said or {}).items() if value is not None})


def _entries(entries: Any) -> list[Any]:
    if not isinstance(entries, list):
        raise ValueError(f"expected a list, got {entries!r:.60}")
    return entries


def _made(kind: Any, row: Any) -> Any:
    """Returns the dataclass of a mapping that has just its fields."""
    if not isinstance(row, Mapping):
        raise ValueError(f"a {kind.__name__} must be an object, got {row!r:.60}")
    wanted = {field.name for field in fields(kind)}
    if row.keys() != wanted:
        missing, unknown = sorted(wanted - row.keys()), sorted(row.keys() - wanted)
        raise ValueError(f"a {kind.__name__} has other columns; missing: {missing}, unknown: {unknown}")
    for field in fields(kind):
        value, allowed = row[field.name], _KINDS.get(str(field.type))
        if allowed is not None and (isinstance(value, bool) or not isinstance(value, allowed)):
            raise ValueError(f"the {field.name} of a {kind.__name__} must be {field.type}, got {value!r:.60}")
    return kind(**row)


_KINDS: dict[str, tuple[type, ...]] = {  # what plain data a field may hold, by its annotation
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "list[int]": (list,),
    "dict[str, Any]": (dict, type(None)),
}
