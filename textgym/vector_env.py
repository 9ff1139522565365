"""TextVectorEnv: all rows of a simulator, as a Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from textgym.env import Observation, TextEnv, check_render_mode, picked_samples, signal_space, single_spaces
from textgym.random import row_seeds
from textgym.rendering import render_ansi
from textgym.simulator import Simulator, StepResult
from textgym.types import BoolArray, FloatArray, IntArray, Spec


class TextVectorEnv(VectorEnv[Observation, IntArray, np.ndarray[Any, Any]]):
    """n texts at once; row i is bit-identical to a `TextEnv` reset with the seed of row i, whatever n is.

    Spaces, rewards and info are those of `TextEnv`, with a leading row axis and Gymnasium's masks `_key` in `info`.

    Args:
        num_envs: the number of rows, n.
        task: the name or spec of a task.
        autoreset_mode: `"NextStep"` (a finished row starts its next text in the next step, whose action it ignores),
            `"SameStep"` (in the same step, with the last observation and info in `final_obs` and `final_info`) or
            `"Disabled"` (`reset(options={"reset_mask": ...})` starts the next text). The texts are the same in all.
        render_mode: None or `"ansi"`.
        **arguments: the other arguments of `TextEnv`.
    """

    def __init__(
        self,
        num_envs: int,
        task: Spec,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        check_render_mode(render_mode)
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self._arguments: dict[str, Any] = {"num_envs": num_envs, "task": task, "render_mode": render_mode}
        self._arguments |= {"autoreset_mode": self.autoreset_mode.value, **arguments}
        self.num_envs, self.render_mode = num_envs, render_mode
        self.simulator = Simulator(num_envs, task=task, **arguments)
        fingerprint = self.simulator.task.fingerprint
        self.metadata = {**TextEnv.metadata, "autoreset_mode": self.autoreset_mode, "fingerprint": fingerprint}
        self.single_observation_space, self.single_action_space = single_spaces(self.simulator)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.signal_space = signal_space(self.simulator)
        self._result: StepResult | None = None
        self._all_rows = np.arange(num_envs)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts new texts.

        Args:
            seed: one for each row, or an int from which `row_seeds` makes them; rows without one go on by chance.
            options: `{"sample": j}` picks the prompt by hand, one for all rows or one for each; `{"reset_mask": m}`,
                (n,) bool, starts new texts in those rows only.
        """
        options = dict(options or {})
        rows = self._masked_rows(options.pop("reset_mask", None))
        if isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
            seed = row_seeds(int(seed), self.num_envs)
        seeds: list[Any] = [None] * self.num_envs if seed is None else list(seed)
        if len(seeds) != self.num_envs:
            raise ValueError(f"seed must be one number, or one for each of {self.num_envs} rows, got {len(seeds)}")
        never = rows[self.simulator.episodes[rows] < 0].tolist()
        if any(seeds[row] is None for row in never):
            drawn = row_seeds(abs(self.np_random_seed or 0), self.num_envs)
            seeds = [drawn[row] if seeds[row] is None and row in never else seeds[row] for row in range(self.num_envs)]
        given = [row for row in rows.tolist() if seeds[row] is not None]
        self.simulator.reseed(np.array(given, np.int64), [seeds[row] for row in given])
        samples = picked_samples(options, self.num_envs)
        self._result = None
        started = self.simulator.start(rows, None if samples is None else samples[rows])
        return self.simulator.observation(), self._started(started, rows)

    def step(self, actions: IntArray) -> tuple[Observation, FloatArray, BoolArray, BoolArray, dict[str, Any]]:
        """Writes one token in each row.

        Raises:
            ValueError: if an action is not a token.
            gymnasium.error.ResetNeeded: if a row's text is finished and autoreset is disabled, or before `reset`.
        """
        actions = self.simulator.check_actions(actions)
        waiting = np.flatnonzero(~self.simulator.running)
        nexts = self.autoreset_mode is AutoresetMode.NEXT_STEP
        stuck = waiting[self.simulator.episodes[waiting] < 0] if nexts else waiting
        if len(stuck):
            raise gymnasium.error.ResetNeeded(f"row {stuck[0]} has no text under way: call reset() before step()")
        result = self._result = self.simulator.step(actions)
        ended = np.flatnonzero(result.terminated)
        if len(ended) and self.autoreset_mode is AutoresetMode.SAME_STEP:
            final_obs = np.full(self.num_envs, None, object)
            for row in ended.tolist():
                final_obs[row] = self.simulator.row_observation(row)
            info = _step_info(result, result.stepped & ~result.terminated)
            info |= {"final_obs": final_obs, "_final_obs": result.terminated.copy()}
            info |= {"final_info": _step_info(result, result.terminated), "_final_info": result.terminated.copy()}
            info |= self._started(self.simulator.start(ended), ended)
        else:
            info = _step_info(result, result.stepped)
            if len(waiting):
                info |= self._started(self.simulator.start(waiting), waiting)
        truncated = np.zeros(self.num_envs, np.bool_)
        return self.simulator.observation(), result.reward, result.terminated.copy(), truncated, info

    def action_masks(self) -> BoolArray:
        """Returns which tokens each row may write next, (n, V)."""
        return self.simulator.allowed_tokens()

    def hints(self) -> IntArray:
        """Returns what the annotators who can show it would write next in each row, (n, m) tokens, -1 for none.

        Raises:
            ValueError: if no annotator of the feedback can; `demonstration` does.
        """
        return self.simulator.hints()

    def render(self) -> tuple[str, ...] | None:
        """Returns each row's prompt, text and what its last token earned, if `render_mode` is "ansi"."""
        if self.render_mode is None:
            return None
        return tuple(render_ansi(self.simulator, row, self._result) for row in range(self.num_envs))

    def get_state(self) -> dict[str, Any]:
        """Returns a copy of all that changes, so that `set_state` makes the rows go on exactly from here."""
        return self.simulator.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores what `get_state` returned, here or in another environment made with the same arguments."""
        self._result = None
        self.simulator.set_state(state)

    def _masked_rows(self, mask: Any) -> IntArray:
        if mask is None:
            return self._all_rows
        mask = np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise ValueError(f"reset_mask must be {self.num_envs} booleans with at least one True, got {mask}")
        return np.flatnonzero(mask)

    def _started(self, info: Mapping[str, np.ndarray[Any, Any]], rows: IntArray) -> dict[str, Any]:
        """Returns the info of texts that were started in some rows, (r,) each, as info of all rows."""
        full: dict[str, Any] = {}
        for name, values in info.items():
            full[name], full[f"_{name}"] = np.zeros(self.num_envs, values.dtype), np.zeros(self.num_envs, np.bool_)
            full[name][rows], full[f"_{name}"][rows] = values, True
        return full

    def __getstate__(self) -> dict[str, Any]:
        return {
            "arguments": self._arguments,
            "spec": self.spec,
            "seed": (self._np_random, self._np_random_seed),
            "state": self.get_state(),
        }

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        self.__init__(**pickled["arguments"])  # type: ignore[misc]
        self.spec = pickled["spec"]
        self._np_random, self._np_random_seed = pickled["seed"]
        self.set_state(pickled["state"])


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    known = {key: member for member in AutoresetMode for key in (member, member.value, member.name)}
    if mode not in known:
        values = ", ".join(repr(member.value) for member in AutoresetMode)
        raise ValueError(f"autoreset_mode must be one of {values}, got {mode!r}")
    return known[mode]


def _step_info(result: StepResult, rows: BoolArray) -> dict[str, Any]:
    """Returns the info of some of the rows that stepped, (n,) bool, in Gymnasium's form: `key` and its mask `_key`.

    Values of other rows are zero, or None where they are objects.
    """
    everything = rows is result.stepped
    final = result.terminated if everything else rows & result.terminated
    info: dict[str, Any] = {}
    for values, mask in ((result.info, rows), (result.final if final.any() else {}, final)):
        for name, value in values.items():
            info[name], info[f"_{name}"] = value if everything else _only(value, mask), mask.copy()
    said_by_any = np.zeros_like(rows)
    annotation: dict[str, Any] = {}
    for label, (fields, said) in result.annotation.items():
        mask = said & rows
        if mask.any():
            said_by_any |= mask
            annotation[label], annotation[f"_{label}"] = {}, mask
            for name, value in fields.items():
                annotation[label][name] = value if everything else _only(value, mask)
                annotation[label][f"_{name}"] = mask.copy()
    if annotation:
        info["annotation"], info["_annotation"] = annotation, said_by_any
    return info


def _only(values: np.ndarray[Any, Any], rows: BoolArray) -> np.ndarray[Any, Any]:
    """Returns a copy of values in which all but some rows are zero, or None where they are objects."""
    kept = np.full_like(values, None) if values.dtype == object else np.zeros_like(values)
    kept[rows] = values[rows]
    return kept
