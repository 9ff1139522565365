"""TextEnv: row 0 of a simulator, as a Gymnasium environment."""

from __future__ import annotations

from typing import Any, SupportsInt

import gymnasium
import numpy as np
from gymnasium import spaces

from textgym.rendering import render_ansi
from textgym.simulator import Simulator, StepResult
from textgym.types import BoolArray, IntArray, Spec

Observation = dict[str, np.ndarray[Any, Any]]


class TextEnv(gymnasium.Env[Observation, np.int64]):
    """Write a text token by token and be paid feedback on it.

    ## Observation space
    `Dict(input_ids=Box(0, V - 1, (L,), int64), attention_mask=Box(0, 1, (L,), int8))`: the prompt, which ends with the
    separator token, and what has been written, right padded.

    ## Action space
    `Discrete(V)`: the next token. `action_masks()` gives the tokens that are allowed.

    ## Rewards
    `correct(noise(sum_i w_i * observed f_i))`, or the task's gold score, or both added: see `reward`. A text ends with
    the end token or when the budget is used up; both are `terminated`, because the feedback on the text is paid there.
    Returns are undiscounted.

    ## Info
    Every step: `signals` (k,), the noiseless metrics; `observed_signals` (k,), after annotator, noise and correction of
    each; `observed_mask` (k,), which of them were observed; `clean_reward`, `observed_reward`, `corrected_reward` and
    `gold_reward`; `annotation`, what annotators said: their `readings` (m,), who gave them (`annotator`), which were
    given at all (`answered`), and what goes beyond a number; `weights` (k,), those of the sum, where they change. The
    last step adds `clean_return`, `observed_return`, `gold_return` and `finish_reason`, `"stop"`, `"length"` or
    `"unsafe"`; where answers cost something, `feedback_cost` of the text and `feedback_spent` in all; where a channel
    is private, `privacy_loss` of the text and `privacy_spent` in all. `reset` gives `sample`, the number of the prompt,
    and `prompt_length` in tokens.

    ## Arguments
    Args:
        task: the name or spec of a task.
        difficulty: `"easy"`, `"medium"` or `"hard"`, where the task has such presets of its arguments. Default: the
            task's own defaults.
        split: `"train"`, `"validation"` or `"test"`.
        feedback: the signals: names or specs of metrics and annotators, each with an optional `weight`, `noise` and
            `correction`. Default: the task's own.
        fusion: the name or spec of the weights.
        noise: specs of the noise on the sum, among them presets, or one preset such as `"human/medium"`. Default: the
            task's own; `[]` for none.
        correction: specs of the correction of the sum.
        reward: what the agent is paid: `"feedback"` (`corrected_reward`), `"gold"`, or their `"sum"`.
        max_new_tokens: the budget of tokens. Default: the task's own.
        context_length: L. Default: what the longest prompt and the budget need.
        group_size: how many texts in a row are written for the same prompt.
        feedback_budget: what each row may spend on annotators, in units of one rating, or the arguments of `Asking`:
            `{"amount": 500, "share": 0.2, "choice": "uniform" | "uncertainty" | "disagreement"}`. Default: no limit.
        guard: the arguments of `Guard`, `{"metric": "safety", "threshold": 0.5}`: a text that falls below is over.
        render_mode: None or `"ansi"`.
        **task_arguments: the task's own arguments.

    Raises:
        ValueError: if a name, an argument or a value is not known or not allowed; the message says what is.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012

    def __init__(self, task: Spec, *, render_mode: str | None = None, **arguments: Any) -> None:
        check_render_mode(render_mode)
        self._arguments = {"task": task, "render_mode": render_mode, **arguments}
        self.render_mode = render_mode
        self.simulator = Simulator(1, task=task, **arguments)
        self.metadata = {**self.metadata, "fingerprint": self.simulator.task.fingerprint}
        self.observation_space, self.action_space = single_spaces(self.simulator)
        self.signal_space = signal_space(self.simulator)
        self._result: StepResult | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts a new text.

        Args:
            seed: makes all chance repeat from here; without it the row's chance goes on.
            options: `{"sample": j}` picks the prompt by hand.
        """
        super().reset(seed=seed)
        if seed is not None or self.simulator.episodes[0] < 0:
            self.simulator.reseed(_ROW, [abs(self.np_random_seed)])
        self._result = None
        info = self.simulator.start(_ROW, picked_samples(options, 1))
        return self.simulator.row_observation(0), {name: value[0] for name, value in info.items()}

    def step(self, action: SupportsInt) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Writes one token.

        Raises:
            ValueError: if the action is not a token.
            gymnasium.error.ResetNeeded: if no text is under way.
        """
        actions = self.simulator.check_actions(np.asarray(action)[None])
        if not self.simulator.running[0]:
            raise gymnasium.error.ResetNeeded("the text is finished, or none was started: call reset() before step()")
        result = self._result = self.simulator.step(actions)
        parts = {**result.info, **result.final} if result.terminated[0] else result.info
        info: dict[str, Any] = {name: value[0] for name, value in parts.items()}
        annotation = {
            label: {name: value[0] for name, value in fields.items()}
            for label, (fields, said) in result.annotation.items()
            if said[0]
        }
        if annotation:
            info["annotation"] = annotation
        return self.simulator.row_observation(0), float(result.reward[0]), bool(result.terminated[0]), False, info

    def action_masks(self) -> BoolArray:
        """Returns which tokens may be written next, (V,)."""
        allowed: BoolArray = self.simulator.allowed_tokens()[0]
        return allowed

    def hints(self) -> IntArray:
        """Returns what the annotators who can show it would write next, (m,) tokens, -1 for none.

        Raises:
            ValueError: if no annotator of the feedback can; `demonstration` does.
        """
        hints: IntArray = self.simulator.hints()[0]
        return hints

    def render(self) -> str | None:
        """Returns the prompt, the text and what the last token earned, with colours, if `render_mode` is "ansi"."""
        return render_ansi(self.simulator, 0, self._result) if self.render_mode == "ansi" else None

    def get_state(self) -> dict[str, Any]:
        """Returns a copy of all that changes, so that `set_state` makes the environment go on exactly from here."""
        return self.simulator.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores what `get_state` returned, here or in another environment made with the same arguments."""
        self._result = None
        self.simulator.set_state(state)

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


_ROW = np.zeros(1, np.int64)


def check_render_mode(render_mode: str | None) -> None:
    """Raises a TypeError if there is no such mode: what Stable-Baselines3, which asks for pictures, expects."""
    if render_mode not in (None, *TextEnv.metadata["render_modes"]):
        raise TypeError(f"render_mode must be None or 'ansi', got {render_mode!r}")


def single_spaces(simulator: Simulator) -> tuple[spaces.Space[Any], spaces.Discrete]:
    """Returns the observation space and the action space of one row."""
    size, shape = len(simulator.vocabulary), (simulator.context_length,)
    input_ids = spaces.Box(0, size - 1, shape, np.int64)
    return spaces.Dict(input_ids=input_ids, attention_mask=spaces.Box(0, 1, shape, np.int8)), spaces.Discrete(size)


def signal_space(simulator: Simulator) -> spaces.Box:
    """Returns the bounds of `info["signals"]`, (k,)."""
    low, high = simulator.feedback.bounds
    return spaces.Box(low, high, dtype=np.float64)


def picked_samples(options: dict[str, Any] | None, rows: int) -> IntArray | None:
    """Returns the samples that the options of `reset` pick, (rows,), or None.

    Raises:
        ValueError: if an option is unknown, or a sample is not a whole number or not one for each row.
    """
    unknown = set(options or {}) - {"sample"}
    if unknown:
        raise ValueError(f"unknown option {sorted(unknown)[0]!r} of reset; known: sample")
    if not options:
        return None
    samples = np.asarray(options["sample"])
    if samples.dtype.kind not in "iu" or samples.shape not in ((), (rows,)):
        raise ValueError(f"the option sample must be a whole number, or one for each of {rows} rows, got {samples}")
    return np.broadcast_to(samples, rows).astype(np.int64)
