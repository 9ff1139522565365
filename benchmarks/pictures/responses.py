"""How the feedback of an environment follows what is true: its annotators, and the noise on the sum."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np

import textgym
from benchmarks.pictures.annotator_study import annotator_response, study_annotators
from benchmarks.pictures.examples import is_external
from benchmarks.pictures.noise_study import noise_response, study_noise
from benchmarks.pictures.response import Response
from textgym.registration import split_spec
from textgym.vector_env import TextVectorEnv

ROWS = 256
NOISE = "Noise on the sum"


def responses(env_id: str, **env_kwargs: Any) -> dict[str, Response]:
    """Returns the response of each annotator by its signal's name, and that of the noise on the sum.

    Annotators who are not simulated are left out: a report costs nothing.

    Args:
        env_id: the environment.
        **env_kwargs: its further arguments.
    """
    env = gymnasium.make_vec(env_id, num_envs=ROWS, vectorization_mode="vector_entry_point", **env_kwargs)
    assert isinstance(env, TextVectorEnv)
    feedback = env.simulator.feedback
    found: dict[str, Response] = {}
    named = env_kwargs.get("feedback") or env.simulator.task.default_feedback
    if not any(is_external(split_spec("feedback", spec)[0]) for spec in named):
        studies = study_annotators(env.simulator, texts=2)
        found = {label: annotator_response(study) for label, study in studies.items() if study.readings.size}
    if feedback.channels.noise:
        low, high = np.sort(np.stack(feedback.bounds) * feedback.fusion.base_weights, axis=0).sum(axis=1).tolist()
        found[NOISE] = noise_response(study_noise(feedback.channels.noise, low, high))
    return found


def shared_responses(configs: Sequence[Mapping[str, Any]]) -> dict[str, Response]:
    """Returns the responses in the environment of some runs, if they share one that is registered here."""
    made = {json.dumps([config.get("env_id"), config.get("env_kwargs", {})], sort_keys=True) for config in configs}
    env_id, env_kwargs = json.loads(min(made))
    return responses(env_id, **env_kwargs) if len(made) == 1 and env_id in textgym.env_ids() else {}
