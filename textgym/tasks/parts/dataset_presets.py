"""What people do with well-known data sets: columns, prompts, lengths and metrics, as arguments of `Dataset`.

The columns are those of the data sets of these names on Hugging Face's hub, from where they are fetched; none comes
with this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_ROUGE = {"gold": "rouge_l", "feedback": ({"name": "rouge_l", "weight": 1.0},)}
_BLEU = {"gold": {"name": "chrf", "beta": 2.0}, "feedback": ({"name": "bleu", "weight": 1.0},)}
_MATCH = {"gold": "exact_match", "feedback": ({"name": "exact_match", "weight": 1.0},)}
_MOODS = ("negative", "positive")


def _glue(config: str, prompt: str, labels: tuple[str, ...], test: str = "validation") -> dict[str, Any]:
    """A task of GLUE as text to label. Its real test split has no labels, so its validation split is the test."""
    return {
        "data": "nyu-mll/glue",
        "config": config,
        "splits": {"train": "train", "test": test},
        "prompt": f"{config} {prompt}",  # as Raffel et al. 2020, "Exploring the limits of transfer learning", ask
        "reference": "{label}",
        "labels": {"label": labels},
        "max_reference": 16,
        **_MATCH,
    }


_ENTAILMENT = ("entailment", "not_entailment")

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "cnn_dailymail": {  # 400 and 100 tokens: See et al. 2017, "Get to the point"
            "data": "abisee/cnn_dailymail",
            "config": "3.0.0",
            "prompt": "Summarize: {article}",
            "reference": "{highlights}",
            "vocabulary_size": 8192,
            "max_prompt": 400,
            "max_reference": 100,
            **_ROUGE,
        },
        "tldr": {  # as trl's examples take it; the prompt ends with "TL;DR:", so its beginning is what may be cut
            "data": "trl-lib/tldr",
            "prompt": "{prompt}",
            "reference": "{completion}",
            "vocabulary_size": 8192,
            "max_prompt": 512,
            "truncation": "start",
            **_ROUGE,
        },
        "squad": {  # the test split is hidden; paragraphs of one article stay together
            "data": "rajpurkar/squad",
            "splits": {"train": "train", "test": "validation"},
            "split_by": "{title}",
            "prompt": "question: {question} context: {context}",
            "reference": "{answers.text}",
            "vocabulary_size": 8192,
            "max_prompt": 384,  # Devlin et al. 2019, "BERT"
            "max_reference": 32,
            "gold": "exact_match",
            "feedback": ({"name": "exact_match", "weight": 0.5}, {"name": "word_f1", "weight": 0.5}),
        },
        "multi30k": {
            "data": "bentrevett/multi30k",
            "prompt": "{en}",
            "reference": "{de}",
            "vocabulary_size": 8192,
            "max_prompt": 64,
            **_BLEU,
        },
        "wmt": {
            "data": "wmt/wmt14",
            "config": "de-en",
            "prompt": "{translation.en}",
            "reference": "{translation.de}",
            "size": 1_000_000,  # of 4.5 million
            "vocabulary_size": 16_384,
            "max_prompt": 96,
            "max_reference": 96,
            **_BLEU,
        },
        "imdb": {  # go on with a review so that it is positive: Ziegler et al. 2019, "Fine-tuning language models"
            "data": "stanfordnlp/imdb",
            "splits": {"train": "train", "test": "test"},
            "prompt": "{text:0:8}",
            "reference": "{text:8:}",
            "labels": {"label": _MOODS},
            "vocabulary_size": 8192,
            "max_prompt": 48,
            "gold": "sentiment",
            "feedback": ({"name": "sentiment", "weight": 1.0},),
        },
        "sst2": {  # a sentence that sounds as it shall, with the first two words given
            "data": "nyu-mll/glue",
            "config": "sst2",
            "splits": {"train": "train", "test": "validation"},
            "prompt": "{label}: {sentence:0:2}",
            "reference": "{sentence:2:}",
            "mood": "{label}",
            "labels": {"label": _MOODS},
            "vocabulary_size": 4096,
            "gold": {"name": "task_signal", "signal": "mood"},
            "feedback": (
                {"name": "task_signal", "signal": "mood", "weight": 0.7},
                {"name": "fluency", "weight": 0.3},
            ),
        },
        "glue/cola": _glue("cola", "sentence: {sentence}", ("unacceptable", "acceptable")),
        "glue/mnli": _glue(
            "mnli",
            "hypothesis: {hypothesis} premise: {premise}",
            ("entailment", "neutral", "contradiction"),
            "validation_matched",
        ),
        "glue/mrpc": _glue("mrpc", "sentence1: {sentence1} sentence2: {sentence2}", ("not_equivalent", "equivalent")),
        "glue/qnli": _glue("qnli", "question: {question} sentence: {sentence}", _ENTAILMENT),
        "glue/qqp": _glue("qqp", "question1: {question1} question2: {question2}", ("not_duplicate", "duplicate")),
        "glue/rte": _glue("rte", "sentence1: {sentence1} sentence2: {sentence2}", _ENTAILMENT),
        "glue/sst2": _glue("sst2", "sentence: {sentence}", _MOODS),
        "glue/wnli": _glue("wnli", "sentence1: {sentence1} sentence2: {sentence2}", ("not_entailment", "entailment")),
    }
)
