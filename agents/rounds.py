"""Rounds: a policy writes texts, learns from what was said about them, and writes again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from stable_baselines3.common.type_aliases import MaybeCallback

from agents.offline_algorithm import OfflineAlgorithm
from textgym.dataset.collecting import collect
from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.random import row_seeds

Read = Callable[[FeedbackDataset], Any]


def learn_in_rounds(
    learner: OfflineAlgorithm[Any],
    env: Any,
    tokens: int,
    *,
    texts_per_round: int = 256,
    passes: float = 2.0,
    read: Read = lambda dataset: dataset,
    seed: int = 0,
    callback: MaybeCallback = None,
    on_round: Callable[[int, FeedbackDataset], None] = lambda tokens, dataset: None,
) -> int:
    """Lets a policy write texts and learn from them, in turns, until so many tokens are written; returns how many.

    What a learner of given data cannot do, to go beyond the texts that it was given, it can when its own texts are
    judged again and again: with `DPO` this is online DPO (Guo et al. 2024, "Direct language model alignment from online
    AI feedback"), or, with `reference="data"`, iterated DPO; with `Cloning` of the best texts, RAFT (Dong et al. 2023).

    Schedules go by the tokens that are written, from 1 at the first to 0 at the last. Each round resets the environment
    with a seed of its own, so what lasts across an annotator's texts, such as drift, begins anew. A round whose texts
    give nothing to learn, because all of them are alike, is passed over.

    Args:
        learner: the learner; it goes on from the weights that it has.
        env: what `textgym.collect` takes: an environment for the learner's policy.
        tokens: how many tokens are written in all; whole rounds, so perhaps more.
        texts_per_round: how many texts are written before each learning; with groups, whole ones.
        passes: how often the data of a round are learnt, above 0.
        read: makes of a round's data set what the learner learns: the data set itself, or for instance
            `compare_scores`, `best_texts`.
        seed: of the rounds' seeds.
        callback: what `learn` is given in each round.
        on_round: takes the tokens written so far and the data set of each round, before it is learnt.

    Raises:
        ValueError: if a number is out of its range.
    """
    if tokens < 1 or texts_per_round < 1 or not passes > 0:
        raise ValueError(
            "tokens and texts_per_round must be at least 1 and passes positive, "
            f"got {tokens}, {texts_per_round} and {passes}"
        )
    written, number, begun = 0, 0, False
    while written < tokens:
        before = written
        dataset = collect(env, learner, texts_per_round, seed=row_seeds(seed, number + 1)[number])
        written += sum(len(record.completion_ids) for record in dataset)
        on_round(written, dataset)
        data = read(dataset)
        if len(data):
            learner.set_data(data)
            assert learner.lessons is not None
            share = int(np.ceil(passes * learner.lessons.learnt.sum()))
            remains = 1 - before / tokens, max(0.0, 1 - written / tokens)
            learner.learn(share, callback, reset_num_timesteps=not begun, progress_remaining=remains)
            begun = True
        number += 1
    return written
