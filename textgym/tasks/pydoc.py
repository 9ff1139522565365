"""PyDoc: finish a sentence of Python's language reference."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator

from textgym.tasks.parts.language_reference import halves, read_topics
from textgym.tasks.parts.pair_task import PairTask
from textgym.tasks.parts.text_pairs import TextPair


class PyDoc(PairTask):
    """Write the second half of a sentence of Python's language reference, given the first.

    Example: prompt `Mutable sequences can be`, reference `changed after they are created.`

    The corpus is what `help` says on topics such as `"assignment"`, which comes with every Python: some 1,800 sentences
    of at least eight words, split by topic without near-duplicates between the splits. The tokens are a byte-level BPE
    of the train split. Both are made on first use, in a second, and kept in the cache folder (`TEXTGYM_CACHE`, else
    `~/.cache/textgym`). They differ between versions of Python: compare results with equal `fingerprint` only.

    Gold is chrF against the reference, with precision and recall weighing the same: with the usual weights, random
    texts that use up the budget outscore short sensible ones. Few sentences have only one end that makes sense, so a
    gold of 1 is out of reach. The default feedback is a rating of ROUGE-L in five levels, fluency and brevity, with
    Gaussian noise on their sum.

    Args:
        vocabulary_size: the number of tokens, 128 to 65,536.
        max_prompt: the most tokens of a prompt, its separator included, at least 4; sentences with more are left out.
        max_reference: the most tokens of a reference, at least 2; likewise. The agent may write one token more.

    Attributes:
        counts: how many sentences were found, remained without near-duplicates, and fit the limits.

    Version history: v0, the first.
    """

    source = "topic"

    def __init__(self, vocabulary_size: int = 1024, max_prompt: int = 40, max_reference: int = 39) -> None:
        super().__init__(
            "pydoc",
            {"folder": sysconfig.get_paths()["stdlib"]},
            _read,
            vocabulary_size=vocabulary_size,
            max_prompt=max_prompt,
            max_reference=max_reference,
        )


def _read() -> Iterator[TextPair]:
    print("textgym: reading the topics of Python's language reference, once", file=sys.stderr, flush=True)
    return halves(read_topics())
