"""BLEU with several references for each text, for a batch of texts: what Self-BLEU is made of."""

from __future__ import annotations

import numpy as np

from textgym.types import BoolArray, FloatArray, IntArray, TokenArray

_FLOOR = 0.1
_NO_TOKEN, _NO_OTHER = -1, -2


def multi_reference_bleu(
    ids: IntArray,
    lengths: IntArray,
    references: TokenArray,
    reference_lengths: TokenArray,
    given: BoolArray,
    order: int = 4,
) -> FloatArray:
    """Returns the BLEU of n texts, (n,), each with up to M references.

    Papineni et al. 2002: an n-gram matches as often as the one reference holds it that holds it most often, and the
    penalty for brevity takes the reference whose length is closest, of two the shorter. An order without a match counts
    as 0.1 matches (Chen and Cherry 2014, method 1, as in Texygen's Self-BLEU), orders that the text is too short for
    are left out, and a text without any common token scores 0: a hundredth of sacrebleu's value with `"floor"`.

    Args:
        ids: (n, T) texts, right padded.
        lengths: (n,) their lengths.
        references: (n, M, R) references, right padded.
        reference_lengths: (n, M) their lengths.
        given: (n, M) which references there are; at least one for each text.
        order: the length of the longest n-grams, at least 1.
    """
    matches = _clipped_matches(ids, lengths, references, np.where(given, reference_lengths, 0), order)
    total = np.maximum(lengths - np.arange(order)[:, None], 0)
    log_precision = np.log(np.maximum(matches, _FLOOR) / np.maximum(total, 1))
    mean_log = np.where(total > 0, log_precision, 0.0).sum(axis=0) / np.maximum((total > 0).sum(axis=0), 1)
    distance = 2 * np.abs(reference_lengths - lengths[:, None]) + (reference_lengths > lengths[:, None])
    closest = np.where(given, distance, np.iinfo(np.int64).max).argmin(axis=1)
    wanted = reference_lengths[np.arange(len(ids)), closest]
    brevity = np.minimum(0.0, 1.0 - wanted / np.maximum(lengths, 1))
    return np.where(matches[0] > 0, np.exp(mean_log + brevity), 0.0)


def _clipped_matches(
    ids: IntArray, lengths: IntArray, references: TokenArray, reference_lengths: TokenArray, order: int
) -> IntArray:
    """Returns how many n-grams of each text match, (order, n).

    Where an n-gram stands is kept for all pairs of a place in a text and one in a reference, or in the text itself: a
    longer one stands at a pair if a shorter one does there and at the next pair.
    """
    n, longest = ids.shape
    _, sources, width = references.shape
    text = np.where(np.arange(longest)[:, None] < lengths, ids.T, _NO_TOKEN).astype(np.int32)  # (T, n)
    others = np.full((max(longest, width), 1 + sources, n), _NO_OTHER, np.int32)  # the text itself, then the references
    others[:longest, 0] = np.where(text == _NO_TOKEN, _NO_OTHER, text)
    in_use = np.arange(width)[:, None, None] < reference_lengths.T
    others[:width, 1:] = np.where(in_use, references.transpose(2, 1, 0), _NO_OTHER)
    stands = others.reshape(len(others), 1, -1) == np.tile(text, 1 + sources)  # (places there, T, (1 + M) n)
    matches = np.zeros((order, n), np.int64)
    for level in range(order):
        count = stands.sum(axis=0, dtype=np.int16).reshape(-1, 1 + sources, n)
        held = count[:, 1:].max(axis=1) / np.maximum(count[:, 0], 1)
        matches[level] = np.rint(np.minimum(held, 1.0).sum(axis=0))  # equal n-grams share their matches equally
        stands = stands[:-1, :-1] & stands[1:, 1:]
        if not stands.any():
            break
    return matches
