"""Presets: named lists of channels in three severities, as plain data.

They are meant for a signal in [0, 1]. The sources describe the kinds of error; how large each is, is our choice, and
grows from one severity to the next. Who has data of their own should estimate it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textgym.registration import suggestion
from textgym.types import Spec

SEVERITIES = ("mild", "medium", "severe")

PRESETS: dict[str, dict[str, list[dict[str, Any]]]] = {
    # Raters with a scale, a bias and a spread of their own, whose standard wanders from text to text, on a few levels:
    # the granularity, variance and skew of Nguyen, Daume and Boyd-Graber 2017, "Reinforcement learning for bandit
    # neural machine translation with simulated human feedback".
    "human": {
        "mild": [
            {"name": "pool", "size": 16, "scale": 0.05, "bias": 0.05, "spread": 0.05},
            {"name": "drift", "tau": 0.001},
            {"name": "quantise", "levels": 10},
        ],
        "medium": [
            {"name": "pool", "size": 16, "scale": 0.1, "bias": 0.1, "spread": 0.15},
            {"name": "drift", "tau": 0.003},
            {"name": "quantise", "levels": 5},
        ],
        "severe": [
            {"name": "pool", "size": 16, "scale": 0.2, "bias": 0.2, "spread": 0.3},
            {"name": "drift", "tau": 0.01},
            {"name": "quantise", "levels": 3},
        ],
    },
    # Paid strangers: some do not look at all and give their habit (the spammers of Raykar and Yu 2012, "Eliminating
    # spammers and ranking annotators for crowdsourced labeling tasks"), and attention fades with each text.
    "crowd": {
        "mild": [
            {"name": "pool", "size": 32, "bias": 0.05, "spread": 0.1, "reliability": 0.95},
            {"name": "fatigue", "sigma": 0.02, "kappa": 0.0005, "ceiling": 0.2},
            {"name": "quantise", "levels": 5},
        ],
        "medium": [
            {"name": "pool", "size": 32, "bias": 0.1, "spread": 0.2, "reliability": 0.8},
            {"name": "fatigue", "sigma": 0.05, "kappa": 0.001, "ceiling": 0.3},
            {"name": "quantise", "levels": 5},
        ],
        "severe": [
            {"name": "pool", "size": 32, "bias": 0.2, "spread": 0.3, "reliability": 0.5},
            {"name": "fatigue", "sigma": 0.1, "kappa": 0.002, "ceiling": 0.5},
            {"name": "quantise", "levels": 5},
        ],
    },
    # A language model as judge: lenient (most texts score high), steadier than people, on a scale of few numbers;
    # Zheng et al. 2023, "Judging LLM-as-a-judge with MT-Bench and Chatbot Arena".
    "ai_judge": {
        "mild": [
            {"name": "skew", "rho": 0.9},
            {"name": "gaussian", "sigma": 0.03},
            {"name": "quantise", "levels": 10},
        ],
        "medium": [
            {"name": "skew", "rho": 0.7},
            {"name": "gaussian", "sigma": 0.08},
            {"name": "quantise", "levels": 10},
        ],
        "severe": [
            {"name": "skew", "rho": 0.4},
            {"name": "gaussian", "sigma": 0.15},
            {"name": "quantise", "levels": 5},
        ],
    },
    # Most texts get no feedback: one in two, five, or twenty does.
    "sparse": {
        "mild": [{"name": "dropout", "seen": 0.5}],
        "medium": [{"name": "dropout", "seen": 0.2}],
        "severe": [{"name": "dropout", "seen": 0.05}],
    },
    # Feedback on a token arrives 1, 4 or 19 tokens later on average.
    "delayed": {
        "mild": [{"name": "delay", "rate": 0.5}],
        "medium": [{"name": "delay", "rate": 0.2}],
        "severe": [{"name": "delay", "rate": 0.05}],
    },
    # Some feedback is made up to mislead: contamination in the sense of Huber 1964, "Robust estimation of a location
    # parameter".
    "adversarial": {
        "mild": [{"name": "contamination", "rate": 0.02, "outlier": 1.0}],
        "medium": [{"name": "contamination", "rate": 0.1, "outlier": 2.0}],
        "severe": [{"name": "contamination", "rate": 0.3, "outlier": 3.0}],
    },
    # Five levels under local differential privacy with epsilon 4, 2 or 1.
    "private": {
        "mild": [{"name": "randomised_response", "epsilon": 4.0, "levels": [0.0, 0.25, 0.5, 0.75, 1.0]}],
        "medium": [{"name": "randomised_response", "epsilon": 2.0, "levels": [0.0, 0.25, 0.5, 0.75, 1.0]}],
        "severe": [{"name": "randomised_response", "epsilon": 1.0, "levels": [0.0, 0.25, 0.5, 0.75, 1.0]}],
    },
    # Read off what people do: most leave no trace, and the trace says yes or no, with more false yeses than false
    # noes (a click is not a liking); Joachims et al. 2005, "Accurately interpreting clickthrough data as implicit
    # feedback".
    "implicit": {
        "mild": [
            {"name": "asymmetric", "false_positive_rate": 0.1, "false_negative_rate": 0.05},
            {"name": "dropout", "seen": 0.5},
        ],
        "medium": [
            {"name": "asymmetric", "false_positive_rate": 0.3, "false_negative_rate": 0.1},
            {"name": "dropout", "seen": 0.3},
        ],
        "severe": [
            {"name": "asymmetric", "false_positive_rate": 0.4, "false_negative_rate": 0.3},
            {"name": "dropout", "seen": 0.1},
        ],
    },
}


def expand(specs: Sequence[Spec]) -> list[Spec]:
    """Returns a list of noise specs with each preset, such as `"human/medium"`, replaced by its channels.

    Raises:
        ValueError: if a preset's name or severity is unknown.
    """
    expanded: list[Spec] = []
    for spec in specs:
        if isinstance(spec, str) and ("/" in spec or spec in PRESETS):
            expanded.extend(_preset(spec))
        else:
            expanded.append(spec)
    return expanded


def _preset(spec: str) -> list[dict[str, Any]]:
    name, _, severity = spec.partition("/")
    if name not in PRESETS:
        raise ValueError(f"unknown noise preset {name!r}{suggestion(name, PRESETS)}; known: {', '.join(PRESETS)}")
    if severity not in PRESETS[name]:
        known = ", ".join(f"{name}/{severity}" for severity in SEVERITIES)
        raise ValueError(f"noise preset {spec!r} needs a severity{suggestion(severity, SEVERITIES)}; known: {known}")
    return [dict(channel) for channel in PRESETS[name][severity]]
