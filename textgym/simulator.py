"""The dynamics, written once: n rows that each hold a prompt and grow by one token a step."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from textgym.feedback import Feedback, spread
from textgym.guard import Guard
from textgym.random import Address, component_key, row_keys, uniform
from textgym.registration import check_number
from textgym.tasks.making import check_names, make_task
from textgym.transition import Rows, Transition
from textgym.types import BoolArray, FloatArray, IntArray, Spec

RewardKind = Literal["feedback", "gold", "sum"]

_SAMPLE_KEY = component_key("sample")


class StepResult(NamedTuple):
    """What one step did to n rows; rows that did not step show zeros.

    Attributes:
        reward: (n,) what the agent is paid.
        terminated: (n,) whether the row's text is finished.
        stepped: (n,) which rows took part.
        info: arrays whose first axis is the row, for every row that stepped.
        final: the same, for rows whose text is finished.
        annotation: for each annotator, its fields as such arrays and which rows they were said about, (n,).
    """

    reward: FloatArray
    terminated: BoolArray
    stepped: BoolArray
    info: dict[str, np.ndarray[Any, Any]]
    final: dict[str, np.ndarray[Any, Any]]
    annotation: dict[str, tuple[dict[str, np.ndarray[Any, Any]], BoolArray]]


class Simulator:
    """n rows of one task. `TextEnv` is its row 0 and `TextVectorEnv` all its rows; both document the arguments.

    Attributes:
        input_ids: (n, L) the prompt and all that followed, right padded.
        attention_mask: (n, L) 1 where a token is in use.
        lengths: (n,) the tokens in use.
        text_ids: (n, T) what the agent wrote.
        steps: (n,) how many tokens the agent wrote.
        running: (n,) whether the row is in the middle of a text.
        episodes: (n,) how many texts the row finished before this one since it was seeded; -1 if none was started.
    """

    def __init__(
        self,
        num_rows: int,
        *,
        task: Spec,
        difficulty: str | None = None,
        split: str = "train",
        feedback: Sequence[Spec] | None = None,
        fusion: Spec = "fixed",
        noise: Sequence[Spec] | str | None = None,
        correction: Sequence[Spec] = (),
        reward: RewardKind = "feedback",
        max_new_tokens: int | None = None,
        context_length: int | None = None,
        group_size: int = 1,
        feedback_budget: float | Mapping[str, Any] | None = None,
        guard: Mapping[str, Any] | None = None,
        **task_arguments: Any,
    ) -> None:
        if reward not in get_args(RewardKind):
            raise ValueError(f"reward must be one of {', '.join(get_args(RewardKind))}, got {reward!r}")
        parameters = inspect.signature(Simulator).parameters
        sizes = {"max_new_tokens": max_new_tokens, "context_length": context_length, "group_size": group_size}
        for name, number in sizes.items():
            check_number(parameters[name], number)
        if group_size < 1:
            raise ValueError(f"group_size must be at least 1, got {group_size}")
        check_names(task, task_arguments, [p for p in parameters if p not in ("num_rows", "task_arguments")])
        self.task = make_task(task, difficulty, **task_arguments)
        self.max_new_tokens = self.task.max_new_tokens if max_new_tokens is None else max_new_tokens
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
        self.prompt_set = self.task.prompt_set(split)
        self.vocabulary = self.task.vocabulary
        needed = self.task.max_prompt_tokens + self.max_new_tokens + self.task.max_reply_tokens
        self.context_length = needed if context_length is None else context_length
        if self.context_length < needed:
            raise ValueError(
                f"context_length must be at least {needed}, got {context_length}: the longest prompt has "
                f"{self.task.max_prompt_tokens} tokens, and {needed - self.task.max_prompt_tokens} may follow"
            )
        self.split, self.reward_kind, self.group_size, self.num_rows = split, reward, group_size, num_rows
        signals = self.task.default_feedback if feedback is None else feedback
        channels = self.task.default_noise if noise is None else noise
        self.feedback = Feedback(
            self.task,
            num_rows,
            signals=signals,
            fusion=fusion,
            noise=channels,
            correction=correction,
            budget=feedback_budget,
            group_size=group_size,
        )
        self.signal_names = self.feedback.signal_names
        self._guard = None if guard is None else Guard.make(self.task, guard)

        n = num_rows
        self.input_ids = np.full((n, self.context_length), self.vocabulary.pad_id, np.int64)
        self.attention_mask = np.zeros((n, self.context_length), np.int8)
        self.lengths = np.zeros(n, np.int64)
        self.text_ids = np.zeros((n, self.max_new_tokens), np.int64)
        self.steps = np.zeros(n, np.int64)
        self.running = np.zeros(n, np.bool_)
        self._row_keys = np.zeros(n, np.uint64)
        self._samples = np.zeros(n, np.int64)
        self.episodes = np.full(n, -1, np.int64)
        self._returns = np.zeros((n, 3))  # clean, observed, gold
        self._all_rows = np.arange(n)

    def reseed(self, rows: IntArray, seeds: Sequence[int]) -> None:
        """Gives rows (r,) new seeds, so that their next text is the first of that seed."""
        self._row_keys[rows] = row_keys(seeds)
        self.episodes[rows] = -1
        self.feedback.reseed(rows)

    def start(self, rows: IntArray, samples: IntArray | None = None) -> dict[str, np.ndarray[Any, Any]]:
        """Starts a new text in rows (r,), from the given samples (r,) or drawn ones; returns their info, (r,) each.

        Raises:
            ValueError: if a sample is not in the prompt set.
        """
        if samples is not None and (len(samples) and not 0 <= samples.min() <= samples.max() < len(self.prompt_set)):
            raise ValueError(
                f"a sample must be 0 to {len(self.prompt_set) - 1} in the {self.split} split, got {samples}"
            )
        broken_off = rows[self.running[rows]]
        if len(broken_off):
            self.feedback.drop_texts(broken_off)
        self.episodes[rows] += 1
        if samples is None:
            group = self.episodes[rows] // self.group_size
            samples = (uniform(self._row_keys[rows], _SAMPLE_KEY, group, 0, 0) * len(self.prompt_set)).astype(np.int64)
        lengths = self.prompt_set.prompt_lengths[samples]
        width = self.prompt_set.prompt_ids.shape[1]
        self._samples[rows] = samples
        self.input_ids[rows, :width] = self.prompt_set.prompt_ids[samples]
        self.input_ids[rows, width : self.lengths[rows].max(initial=0)] = self.vocabulary.pad_id
        self.attention_mask[rows] = np.arange(self.context_length) < lengths[:, None]
        self.lengths[rows] = lengths
        self.steps[rows] = 0
        self.running[rows] = True
        self._returns[rows] = 0.0
        return {"sample": samples, "prompt_length": lengths.astype(np.int64)}

    def check_actions(self, actions: Any) -> IntArray:
        """Returns the actions (n,) as an array.

        Raises:
            ValueError: if they are not one whole number for each row, from 0 to V - 1.
        """
        actions = np.asarray(actions)
        if actions.shape != (self.num_rows,) or actions.dtype.kind not in "iu":
            raise ValueError(
                f"actions must be {self.num_rows} whole numbers, one for each row, "
                f"got shape {actions.shape} and dtype {actions.dtype}"
            )
        if not 0 <= actions.min() <= actions.max() < len(self.vocabulary):
            wrong = actions[(actions < 0) | (actions >= len(self.vocabulary))][0]
            raise ValueError(f"an action must be a token id from 0 to {len(self.vocabulary) - 1}, got {wrong}")
        checked: IntArray = actions.astype(np.int64, copy=False)
        return checked

    def step(self, actions: IntArray) -> StepResult:
        """Writes one token in every running row; the actions (n,) of other rows are not used."""
        n = self.num_rows
        rows = self._all_rows if self.running.all() else np.flatnonzero(self.running)
        written = actions[rows]
        self.input_ids[rows, self.lengths[rows]] = written
        self.attention_mask[rows, self.lengths[rows]] = 1
        self.text_ids[rows, self.steps[rows]] = written
        self.lengths[rows] += 1
        self.steps[rows] += 1
        stopped = (written == self.vocabulary.end_id) & (not self.task.fixed_length)
        if self.task.max_reply_tokens and stopped.any():
            stopped[stopped] = ~self._let_reply(rows[stopped])
        finished = stopped | (self.steps[rows] == self.max_new_tokens)
        unsafe = np.zeros(len(rows), np.bool_)
        if self._guard is not None and not finished.all():
            going = np.flatnonzero(~finished)
            texts = self._transition(rows[going], np.ones(len(going), np.bool_), stopped[going])
            unsafe[going] = self._guard.flags(texts, self._address(rows[going], finished[going]).of("guard"))
            finished |= unsafe

        stepped, terminated = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
        stepped[rows] = True
        terminated[rows] = finished
        ended = rows[finished]
        stop, cut = stopped[finished], unsafe[finished]
        info: dict[str, np.ndarray[Any, Any]] = {}
        annotation: dict[str, tuple[dict[str, np.ndarray[Any, Any]], BoolArray]] = {}
        final: dict[str, np.ndarray[Any, Any]] = {}
        paid = rows if self.feedback.every_step else ended
        if len(paid):
            ending = finished if self.feedback.every_step else finished[finished]
            transition = self._transition(paid, ending, stop)
            payment = self.feedback.pay(transition, self._address(paid, ending))
            info = {name: spread(getattr(payment, part), paid, n) for name, part in _PAID.items()}
            info["gold_reward"] = np.zeros(n)
            if payment.weights.ndim == 2:
                info["weights"] = spread(payment.weights, paid, n)
            for label, (fields, places) in payment.annotation.items():
                about = paid[places]
                said = spread(np.ones(len(about), np.bool_), about, n)
                own = {name: values.copy() for name, values in fields.items()} if len(about) == n else fields
                annotation[label] = {name: spread(values, about, n) for name, values in own.items()}, said
            final = {name: spread(values, ended, n) for name, values in payment.final.items()}
            if len(ended):
                info["gold_reward"][ended] = self.task.gold(transition.only_finished())
            for column, name in enumerate(("clean_reward", "observed_reward", "gold_reward")):
                self._returns[paid, column] += info[name][paid]
        else:
            info = self._blank_info()
        if len(ended):
            self.running[ended] = False
            for column, name in enumerate(("clean_return", "observed_return", "gold_return")):
                final[name] = spread(self._returns[ended, column], ended, n)
            final["finish_reason"] = np.full(n, None, object)
            final["finish_reason"][ended] = np.where(stop, "stop", np.where(cut, "unsafe", "length"))
        reward = info["corrected_reward"].copy() if self.reward_kind != "gold" else info["gold_reward"].copy()
        if self.reward_kind == "sum":
            reward += info["gold_reward"]
        return StepResult(reward, terminated, stepped, info, final, annotation)

    def observation(self) -> dict[str, np.ndarray[Any, Any]]:
        """Returns a fresh observation of all rows."""
        used = int(self.lengths.max())  # of wide arrays, what is not used need not be touched
        input_ids = _filled(self.input_ids.shape, self.vocabulary.pad_id)
        input_ids[:, :used] = self.input_ids[:, :used]
        return {"input_ids": input_ids, "attention_mask": self.attention_mask.copy()}

    def row_observation(self, row: int) -> dict[str, np.ndarray[Any, Any]]:
        """Returns a fresh observation of one row."""
        return {"input_ids": self.input_ids[row].copy(), "attention_mask": self.attention_mask[row].copy()}

    @property
    def samples(self) -> IntArray:
        """The number of each row's prompt in the prompt set, (n,); a fresh array."""
        return self._samples.copy()

    def allowed_tokens(self) -> BoolArray:
        """Returns the tokens that each row may write next, (n, V); a fresh array."""
        nobody = np.zeros(self.num_rows, np.bool_)
        allowed = self.task.allowed_tokens(self._transition(self._all_rows, nobody, nobody[:0]))
        return allowed if allowed.flags.owndata and allowed.flags.writeable else allowed.copy()

    def hints(self) -> IntArray:
        """Returns what the annotators of each row who can show it would write next, (n, m), -1 for none.

        A row whose text is finished has none.
        """
        rows = np.flatnonzero(self.running)
        nobody = np.zeros(len(rows), np.bool_)
        address = replace(self._address(rows, nobody), steps=self.steps[rows])  # that of the token to come
        shown = self.feedback.hints(self._transition(rows, nobody, nobody[:0]), address)
        hints = np.full((self.num_rows, shown.shape[1]), -1, np.int64)
        hints[rows] = shown
        return hints

    def get_state(self) -> dict[str, Any]:
        """Returns a copy of all that changes, so that `set_state` restores the rows exactly."""
        return {"rows": {name: getattr(self, name).copy() for name in _STATE}, "feedback": self.feedback.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores what `get_state` returned.

        Raises:
            ValueError: if the state comes from a simulator of another shape.
        """
        for name, values in state["rows"].items():
            shape = getattr(self, name).shape
            if shape != values.shape:
                raise ValueError(f"the state's {name} has the shape {values.shape}, this environment's {shape}")
        self.feedback.set_state(state["feedback"])
        for name, values in state["rows"].items():
            getattr(self, name)[...] = values

    def _blank_info(self) -> dict[str, np.ndarray[Any, Any]]:
        """The info of a step at which nobody is paid."""
        n, k = self.num_rows, len(self.signal_names)
        blank: dict[str, np.ndarray[Any, Any]] = {name: np.zeros((n, k)) for name in ("signals", "observed_signals")}
        blank["observed_mask"] = np.zeros((n, k), np.bool_)
        rewards = ("clean_reward", "observed_reward", "corrected_reward", "gold_reward")
        return blank | {name: np.zeros(n) for name in rewards}

    def _address(self, rows: IntArray, finished: BoolArray) -> Address:
        return Address(self._row_keys[rows], 0, self.episodes[rows], self.steps[rows] - 1, rows, finished)

    def _transition(self, rows: IntArray, finished: BoolArray, stop: BoolArray) -> Transition:
        """The record of rows (r,), of which some are `finished` (r,), some of these by an end token `stop` (f,)."""
        text_lengths = self.steps[rows]
        text_lengths[finished] -= stop
        everybody = rows is self._all_rows
        chosen = slice(None) if everybody else rows
        return Transition(
            prompt_set=self.prompt_set,
            rows=rows,
            samples=self._samples[chosen],
            episodes=self.episodes[chosen],
            steps=self.steps[chosen] - 1,
            actions=self.text_ids[rows, self.steps[rows] - 1],
            input_ids=self.input_ids if everybody else Rows(self.input_ids, rows),
            lengths=self.lengths[chosen],
            text_ids=self.text_ids if everybody else Rows(self.text_ids, rows),
            text_lengths=text_lengths,
            finished=finished,
            group_size=self.group_size,
        )

    def _let_reply(self, rows: IntArray) -> BoolArray:
        """Lets the other side answer rows (r,) whose agent ended its turn; returns which it answered, (r,)."""
        nobody = np.zeros(len(rows), np.bool_)
        tokens, counts = self.task.reply(
            self._transition(rows, nobody, nobody[:0]), self._address(rows, nobody).of("reply")
        )
        for row, reply, count in zip(rows, tokens, counts, strict=True):
            start, end = self.lengths[row], self.lengths[row] + count
            if end + self.max_new_tokens - self.steps[row] > self.context_length:
                raise ValueError(f"the replies of {type(self.task).__name__} exceed its max_reply_tokens")
            if count and reply[count - 1] != self.vocabulary.separator_id:
                raise ValueError(f"a reply of {type(self.task).__name__} must end with the separator")
            self.input_ids[row, start:end] = reply[:count]
            self.attention_mask[row, start:end] = 1
            self.lengths[row] = end
        return np.asarray(counts > 0)


def _filled(shape: tuple[int, ...], token: int) -> IntArray:
    """Returns an array of one token; the system hands out zeros without writing them."""
    return np.full(shape, token, np.int64) if token else np.zeros(shape, np.int64)


_PAID = {
    "signals": "signals",
    "observed_signals": "observed_signals",
    "observed_mask": "observed_mask",
    "clean_reward": "clean",
    "observed_reward": "observed",
    "corrected_reward": "corrected",
}
"""The keys of the info, and what of a payment they show."""

_STATE = (
    "input_ids", "attention_mask", "lengths", "text_ids", "steps", "running",
    "_row_keys", "_samples", "episodes", "_returns",
)  # fmt: skip
