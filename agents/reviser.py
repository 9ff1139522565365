"""Reviser: a policy learns from corrections to make a better text out of a draft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.cloning import clone
from agents.data.lessons import Told
from agents.data.reading import Reader, Words
from agents.data.texts import Texts
from agents.offline_algorithm import OfflineAlgorithm
from agents.writing import write_texts
from textgym.dataset.feedback_dataset import FeedbackDataset
from textgym.types import IntArray
from textgym.vocabulary import Vocabulary


class Reviser(OfflineAlgorithm[Texts]):
    """Learns the corrected text after prompt and draft, by maximum likelihood; `revise` then corrects other drafts.

    The policy reads

        prompt <sep> draft <sep> corrected text <end>

    and learns what is behind the second separator. That is longer than what the environment shows: with the longest
    prompt of P tokens, its separator included, and a budget of B, the policy needs 1 + P + 2 B places, so make the
    environment with `context_length` at least that. In all else it is an ordinary policy of the environment, which may
    also have written the drafts. To learn the corrected text after the prompt alone, use `Cloning`.

    What is logged is as for `Cloning`.

    Args:
        policy, env: as for every `OfflineAlgorithm`.
        data: a `FeedbackDataset` with answers of an annotator who edits; or rows with `prompt`, `completion` and
            `corrected`, strings or token ids.
        others: as for every `OfflineAlgorithm`.

    Raises:
        ValueError: if a number is out of its range, the data don't fit the environment, or the task answers the agent.
    """

    def read(self, data: Any, reader: Reader) -> Texts:
        if reader.task.max_reply_tokens:
            raise ValueError("a reviser reads a draft of one turn, and this task answers the agent")
        if isinstance(data, FeedbackDataset):
            pairs = data.corrections()
            prompts = [reader.prompt(draft.record) for draft, _ in pairs]
            drafts, corrected = (reader.tokens(side) for side in zip(*pairs, strict=True)) if pairs else ([], [])
        else:
            prompts, texts = reader.rows(data, "completion", "corrected")
            drafts, corrected = ([row[place] for row in texts] for place in (0, 1))
        before = [_before(prompt, draft) for prompt, draft in zip(prompts, drafts, strict=True)]
        return Texts.of_tokens(before, corrected, pad_id=reader.task.vocabulary.pad_id)

    def loss(self, lessons: Texts, batch: IntArray) -> Told:
        return clone(self.policy.backbone, lessons, batch)

    def revise(
        self, prompts: Sequence[Words], drafts: Sequence[Words], *, deterministic: bool = True
    ) -> list[list[int]]:
        """Returns what n drafts become, as token ids, with their end tokens; `task.decode_text` makes strings of them.

        Args:
            prompts: (n,) strings, or token ids without the separator.
            drafts: (n,) strings, or token ids.
            deterministic: whether the likeliest tokens are written, else drawn ones.
        """
        reader = self.reader()
        asked, texts = reader.rows(
            [{"prompt": prompt, "draft": draft} for prompt, draft in zip(prompts, drafts, strict=True)], "draft"
        )
        before = [_before(prompt, draft) for prompt, (draft,) in zip(asked, texts, strict=True)]
        return write_texts(self.policy, before, max_new_tokens=reader.max_new_tokens, deterministic=deterministic)


def _before(prompt: Sequence[int], draft: Sequence[int]) -> list[int]:
    """Returns what stands before a corrected text: the prompt with its separator, and the draft with another one."""
    written = draft[:-1] if draft[-1] == Vocabulary.end_id else draft
    return [*prompt, *written, Vocabulary.separator_id]
