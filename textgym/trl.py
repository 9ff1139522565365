"""An environment's reward as a plain function of prompts and completions, as trainers of language models take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textgym.scoring import Scorer, prompt_numbers

Text = str | Sequence[Mapping[str, Any]]


class RewardFunction:
    """A callable for `reward_funcs` of TRL's trainers; `reward_function` makes it.

    Attributes:
        scorer: the environment that pays.
    """

    def __init__(self, env_id: str, scorer: Scorer, unspellable: float | None) -> None:
        self.__name__ = env_id.rpartition("/")[2]
        self._env_id = env_id
        self.scorer, self._unspellable = scorer, unspellable

    def __repr__(self) -> str:
        return f"RewardFunction({self._env_id!r}, split={self.scorer.simulator.split!r})"

    def __call__(
        self,
        prompts: Sequence[Text],
        completions: Sequence[Text],
        sample: Sequence[int] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """Returns what each completion is paid.

        Args:
            prompts: (n,) strings, or conversations, of which the user's last message is the prompt.
            completions: (n,) strings, or conversations, of which the assistant's messages are the text.
            sample: (n,) the numbers of the prompts in the split, if the data set has this column; else prompts are
                found by what they say.
            **columns: the other columns of the data set, and what else a trainer tells; not used.

        Raises:
            ValueError: if a prompt is not in the split, or is a conversation in which the user says nothing.
        """
        asked: Sequence[str | int] = list(map(_question, prompts)) if sample is None else sample
        between = "\n" if self.scorer.simulator.task.max_reply_tokens else ""  # each message is a turn
        texts = [between.join(_said("assistant", completion)) for completion in completions]
        spelled = [self._spells(text) for text in texts]
        written = [text if can else "" for text, can in zip(texts, spelled, strict=True)]
        rewards = self.scorer.score(asked, written, truncate=True).reward.tolist()
        return [reward if can else self._unspellable for reward, can in zip(rewards, spelled, strict=True)]

    def prompts(self, *, conversational: bool = False) -> list[dict[str, Any]]:
        """Returns `prompt` and `sample` of every prompt of the split, for `datasets.Dataset.from_list`.

        Args:
            conversational: whether a prompt is a list of one message of the user, else a string.
        """
        simulator = self.scorer.simulator
        numbers = prompt_numbers(simulator.prompt_set, simulator.vocabulary)
        return [
            {"prompt": [{"role": "user", "content": text}] if conversational else text, "sample": number}
            for text, number in numbers.items()
        ]

    def _spells(self, text: str) -> bool:
        try:
            self.scorer.simulator.task.encode_text(text)
        except ValueError:
            return False
        return True


def reward_function(
    env_id: str, *, num_rows: int = 64, seed: int = 0, unspellable: float | None = 0.0, **env_arguments: Any
) -> RewardFunction:
    """Returns the reward of an environment as the function `(prompts, completions, **columns) -> list of float`.

    It is what TRL's trainers take as `reward_funcs`: for strings and for conversations, named after the environment.
    Texts longer than the budget of tokens are cut to it, as in the environment. Chance and annotators go on from call
    to call. With `group_size=K`, K must divide TRL's `num_generations`, whose texts come in runs for the same prompt.

    Example:
        reward = textgym.reward_function("textgym/Docstring-v0")
        trainer = GRPOTrainer(model, reward_funcs=reward, train_dataset=Dataset.from_list(reward.prompts()))

    Args:
        env_id: the environment's id.
        num_rows: how many texts are scored side by side; each row has annotators and chance of its own.
        seed: of all chance; give each process its own.
        unspellable: what a text that the vocabulary can't spell is paid; None leaves it out of the trainer's sums.
        **env_arguments: the environment's arguments, such as `split` and `feedback`.

    Raises:
        ValueError: if the environment, an argument or a value is not known or not allowed.
    """
    if unspellable is not None and (isinstance(unspellable, bool) or not isinstance(unspellable, int | float)):
        raise ValueError(f"unspellable must be a number or None, got {unspellable!r}")
    return RewardFunction(env_id, Scorer(env_id, num_rows, seed, **env_arguments), unspellable)


def _question(prompt: Text) -> str:
    """Returns the prompt that a trainer's prompt stands for."""
    said = _said("user", prompt)
    if not said:
        raise ValueError(
            f"a prompt must be a string, or a conversation with a message of the user, got {prompt!r:.200}"
        )
    return said[-1]


def _said(role: str, text: Text) -> list[str]:
    """Returns what one side says in a conversation, message by message; a string is all its own."""
    return [text] if isinstance(text, str) else [_words(message) for message in text if message["role"] == role]


def _words(message: Mapping[str, Any]) -> str:
    """Returns a message's words: its content, or the text among its parts, or nothing where it has none."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
