"""What annotators say about texts of a known quality: what `textgym show annotator` and the report draw.

The texts are written into an environment token by token: references in which ever more tokens were exchanged, so that
their quality runs from the reference's own down to chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.pictures.response import Response
from textgym import row_seeds
from textgym.simulator import Simulator
from textgym.types import FloatArray, IntArray
from textgym.vocabulary import Vocabulary

BINS = 12
"""Into how many equal parts of the texts their quality is cut."""


@dataclass(frozen=True)
class AnnotatorStudy:
    """What an annotator says about n texts.

    Attributes:
        quality: (n,) the metric of each text.
        readings: (n, m) the answers; NaN where there is none.
        said: what was said beside, arrays whose first axis is the text.
        samples: (n,) the number of each text's prompt.
        texts: the texts in words.
    """

    quality: FloatArray
    readings: FloatArray
    said: Mapping[str, np.ndarray[Any, Any]]
    samples: IntArray
    texts: Sequence[str]


def study_annotators(simulator: Simulator, texts: int = 4, seed: int = 0) -> dict[str, AnnotatorStudy]:
    """Lets each row write texts of graded quality, and returns what each annotator said, by its signal's name.

    Args:
        simulator: the rows; what they were doing is lost.
        texts: how many each row writes at least; whole groups are written.
        seed: of the corruption, and of the rows.
    """
    rows, size = np.arange(simulator.num_rows), simulator.group_size
    generator = np.random.default_rng(seed)
    simulator.reseed(rows, row_seeds(seed, len(rows)))
    found: dict[str, list[AnnotatorStudy]] = {}
    for number in range(-(-texts // size) * size):
        samples = (rows + len(rows) * (number // size)) % len(simulator.prompt_set)
        simulator.start(rows, samples)
        script = _graded(simulator, samples, generator)
        for tokens in script.T:
            _step(simulator, tokens, samples, found)
    return {label: _joined(parts) for label, parts in found.items()}


def alike(quality: FloatArray, count: int) -> list[IntArray]:
    """Returns the texts, (n,), in at most `count` parts of about equally many, worst first; equals stay together."""
    _, place, sizes = np.unique(quality, return_inverse=True, return_counts=True)
    middle = (np.cumsum(sizes) - sizes / 2) / len(quality)  # of each distinct quality, the middle of its ranks
    part = np.floor(middle * count)[place]
    return [np.flatnonzero(part == number) for number in np.unique(part)]


def annotator_response(study: AnnotatorStudy) -> Response:
    """Returns how the answers follow the quality, part by part."""
    parts = alike(study.quality, BINS)
    return Response.of([study.quality[part] for part in parts], [study.readings[part].ravel() for part in parts])


def in_words(said: Mapping[str, np.ndarray[Any, Any]], text: int, vocabulary: Vocabulary) -> dict[str, str]:
    """Returns what was said about a text beside its readings, the first reading's where there are several.

    Args:
        said: what was said, arrays whose first axis is the text.
        text: the number of the text.
        vocabulary: in which tokens are spelled.
    """
    told = {}
    for name, values in said.items():
        stem, value = name.removesuffix("_ids"), values[text]
        lengths = said.get(f"{stem}_lengths")
        if name.endswith("_lengths") or np.all(value == -1) or (name == "annotator" and not values.any()):
            continue
        if lengths is not None:
            length = int(lengths[text].flat[0])
            told[stem] = vocabulary.decode(np.atleast_2d(value)[0, :length].tolist())
        else:
            several = isinstance(value, np.ndarray) and value.ndim > 0
            first = value[0] if several and len(value) else value
            told[name] = _token(int(first), vocabulary) if name == "token" else _short(first)
    return told


def _graded(simulator: Simulator, samples: IntArray, generator: np.random.Generator) -> IntArray:
    """Returns the tokens of corrupted references and the end token, (n, T)."""
    prompt_set, end = simulator.prompt_set, simulator.vocabulary.end_id
    references, lengths = prompt_set.reference_ids, prompt_set.reference_lengths
    words = references[np.arange(references.shape[1]) < lengths[:, None]]
    script = np.full((len(samples), simulator.max_new_tokens), end, np.int64)
    width = min(script.shape[1], references.shape[1])
    script[:, :width] = references[samples, :width]
    script[np.arange(script.shape[1]) >= lengths[samples, None]] = end
    exchanged = generator.random(script.shape) < generator.permutation(np.linspace(0, 1, len(samples)))[:, None]
    return np.where(exchanged & (script != end), generator.choice(words, script.shape), script)


def _step(simulator: Simulator, tokens: IntArray, samples: IntArray, found: dict[str, list[AnnotatorStudy]]) -> None:
    """Writes one token in each row and adds to `found` what is said about it."""
    result = simulator.step(tokens)
    for label, (fields, about) in result.annotation.items():
        said = {name: values[about] for name, values in fields.items()}
        readings = np.where(said.pop("answered"), said.pop("readings"), np.nan)
        written = [simulator.text_ids[row, : simulator.steps[row]] for row in np.flatnonzero(about)]
        texts = [simulator.vocabulary.decode(ids.tolist()) for ids in written]
        quality = result.info["signals"][about, simulator.signal_names.index(label)]
        found.setdefault(label, []).append(AnnotatorStudy(quality, readings, said, samples[about], texts))


def _joined(parts: Sequence[AnnotatorStudy]) -> AnnotatorStudy:
    return AnnotatorStudy(
        quality=np.concatenate([part.quality for part in parts]),
        readings=np.concatenate([part.readings for part in parts]),
        said={name: np.concatenate([part.said[name] for part in parts]) for name in parts[0].said},
        samples=np.concatenate([part.samples for part in parts]),
        texts=[text for part in parts for text in part.texts],
    )


def _token(token: int, vocabulary: Vocabulary) -> str:
    """Returns a token as it reads in a text, or by its name if it is a special one."""
    return vocabulary.decode([token]) or vocabulary.tokens[token]


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return " ".join(map(str, value[value != -1]))
    return f"{value:.2f}" if isinstance(value, float | np.floating) else str(value)
