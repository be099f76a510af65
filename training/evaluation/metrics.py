"""Ranking metrics, vectorised over members.

Shared arguments: ``ranked`` int64 (U, k), title rows, best first, -1 for an empty place;
``relevant`` bool (U, T). Per-member metrics return float64 [U], NaN where they are undefined.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def hits(ranked: NDArray[np.int64], relevant: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return bool (U, k): whether the title at each place is relevant."""
    found = np.take_along_axis(relevant, np.maximum(ranked, 0), axis=1)
    return found & (ranked >= 0)


def recall(hit: NDArray[np.bool_], relevant_count: NDArray[np.int64]) -> Floats:
    """recall@k = |relevant in the first k| / |relevant|; NaN without relevant titles.

    ``hit`` is :func:`hits`, (U, k); ``relevant_count`` [U] counts all relevant titles of a member.
    """
    return _ratio(hit.sum(axis=1), relevant_count)


def ndcg(hit: NDArray[np.bool_], relevant_count: NDArray[np.int64]) -> Floats:
    """NDCG@k with binary gains (Järvelin, Kekäläinen 2002); NaN without relevant titles.

    DCG = sum over places p (from 1) of hit_p / log2(p + 1), divided by the DCG of a list that begins with
    min(k, |relevant|) hits.
    """
    k = hit.shape[1]
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(relevant_count, k)]
    return _ratio(hit @ discounts, ideal)


def reciprocal_rank(scores: NDArray[np.float32], relevant: NDArray[np.bool_]) -> Floats:
    """1 / rank of the first relevant title among all T; its mean over members is the MRR.

    Ties rank by title row, as in :func:`training.evaluation.top_k.top_k`. 0 where every relevant title
    scores -inf; NaN without relevant titles.
    """
    of_relevant = np.where(relevant, scores, -np.inf)
    first = of_relevant.argmax(axis=1)
    best = np.take_along_axis(of_relevant, first[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < first[:, None]
    rank = 1 + (scores > best).sum(axis=1) + ((scores == best) & earlier).sum(axis=1)
    value = np.where(np.isneginf(best[:, 0]), 0.0, 1.0 / rank)
    masked: Floats = np.where(relevant.any(axis=1), value, np.nan)
    return masked


def coverage(ranked: NDArray[np.int64], available_count: int) -> float:
    """coverage@k = distinct titles in all lists / titles that could be recommended; NaN if none could."""
    shown = len(np.unique(ranked[ranked >= 0]))
    return shown / available_count if available_count else float("nan")


def self_information(title_viewers: NDArray[np.int64], user_count: int) -> Floats:
    """-log2 of the share of members who know each title, [T], bits; one viewer more than there is."""
    information: Floats = -np.log2((title_viewers + 1.0) / (user_count + 1.0))
    return information


def novelty(ranked: NDArray[np.int64], information: Floats) -> Floats:
    """Mean self-information of a list (Zhou et al. 2010), bits; NaN for an empty list."""
    filled = ranked >= 0
    return _ratio((information[np.maximum(ranked, 0)] * filled).sum(axis=1), filled.sum(axis=1))


def intra_list_diversity(ranked: NDArray[np.int64], vectors: NDArray[np.float32]) -> Floats:
    """Mean of 1 - cosine over all pairs of a list (Ziegler et al. 2005); NaN below two titles.

    ``vectors`` (T, G) are of unit length, or all 0: such a title is at distance 1 from every other.
    The sum of cosines over pairs is (|sum of v|² - sum of |v|²) / 2.
    """
    filled = ranked >= 0
    listed = vectors[np.maximum(ranked, 0)].astype(np.float64) * filled[:, :, None]
    count = filled.sum(axis=1)
    pairs = count * (count - 1) / 2
    cosines = (np.square(listed.sum(axis=1)).sum(axis=1) - np.square(listed).sum(axis=(1, 2))) / 2
    return _ratio(pairs - cosines, pairs)


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    undefined = np.full(len(denominator), np.nan)
    ratio: Floats = np.divide(numerator, denominator, out=undefined, where=denominator > 0)
    return ratio
