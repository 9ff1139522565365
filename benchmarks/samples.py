"""Samples: some texts of an evaluation, with what each token earned and is credited with, and who said what."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.policies import BasePolicy

from benchmarks.attribution import attribute
from benchmarks.credit import Estimator, credit
from benchmarks.evaluation import Evaluation, make_env
from benchmarks.voices import voices


def score_samples(
    evaluation: Evaluation,
    count: int,
    policy: BasePolicy | None = None,
    estimator: Estimator | None = None,
    **env_kwargs: Any,
) -> list[dict[str, Any]]:
    """Returns texts spread evenly over an evaluation with what each token earned, and who said what about the whole.

    They are as the report reads them; see `benchmarks.report.records.ScoredText`.

    Args:
        evaluation: the texts.
        count: how many of them, or all if there are fewer.
        policy: what wrote them. If it is given, with an estimator, so is what its gradient credits each token with.
        estimator: of the advantages; see `benchmarks.credit`.
        **env_kwargs: the environment's further arguments, as they were.
    """
    chosen = np.unique(np.linspace(0, len(evaluation.written) - 1, count).astype(int)).tolist()
    texts = evaluation.texts
    found = attribute(
        [texts.tokens[i] for i in chosen], chosen, evaluation.env_id, split=evaluation.split, **env_kwargs
    )
    told = voices(evaluation, chosen, **env_kwargs)
    spelled = make_env(evaluation.env_id, num_rows=1, split=evaluation.split, **env_kwargs).simulator.vocabulary.tokens
    given = None
    if policy is not None and estimator is not None:
        given = credit(policy, evaluation, estimator, **env_kwargs)
    samples = []
    for i, one, said in zip(chosen, found, told, strict=True):
        pieces = [spelled[token] for token in one.tokens]
        gap = "" if "".join(pieces) == evaluation.written[i] else " "
        credited = {}
        if given is not None:
            body, end = np.split(given[i], [len(one.tokens)])
            credited = {"credited": body.tolist(), "credited_end": end.tolist(), "estimator": str(estimator)}
        samples.append(
            {
                "sample": i,
                "prompt": evaluation.prompts[i],
                "reference": evaluation.references[i],
                "tokens": [piece + gap for piece in pieces],
                "earned": one.clean.tolist(),
                "signals": dict(zip(one.signal_names, one.signals.T.tolist(), strict=True)),
                "empty": one.empty,
                "clean_return": float(texts.clean_return[i]),
                "gold_return": float(texts.gold_return[i]),
                "observed_return": float(texts.observed_return[i]),
                "voices": said,
                **credited,
            }
        )
    return samples
