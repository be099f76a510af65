"""Several generators' candidates as one list: what each is worth was measured, rank by rank.

Scores of different generators are on scales of their own. What compares is how often a candidate of a
generator, at a rank, was watched next; those hit rates are estimated in training and travel with the models.
Evaluation and serving both merge here, so that what is measured is what is served.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ALS: Final = "als"
TWO_TOWER: Final = "two_tower"
SIMILAR: Final = "similar"
TRENDING: Final = "trending"
TRENDING_IN_COUNTRY: Final = "trending_in_country"
POPULARITY: Final = "popularity"
NEW_TITLES: Final = "new_titles"
CONTINUE_WATCHING: Final = "continue_watching"

PERSONAL: Final = frozenset({ALS, TWO_TOWER, SIMILAR, CONTINUE_WATCHING})
"""Generators that answer only for members of whose taste something is known."""
STRANGERS: Final = "strangers/"
"""Before a generator's name: its hit rates among members of whom nothing is known."""

CANDIDATES: Final = 500
"""How many titles the ranker is given."""
LIMITS: Final[Mapping[str, int]] = {
    ALS: 500, TWO_TOWER: 500, SIMILAR: 200, TRENDING: 200, TRENDING_IN_COUNTRY: 200, POPULARITY: 500,
    NEW_TITLES: 100, CONTINUE_WATCHING: 20,
}  # fmt: skip
"""How many titles each generator proposes at most."""
QUOTAS: Final[Mapping[str, int]] = {
    ALS: 10, TWO_TOWER: 10, SIMILAR: 16, TRENDING: 10, TRENDING_IN_COUNTRY: 10, POPULARITY: 10,
    NEW_TITLES: 12, CONTINUE_WATCHING: 20,
}  # fmt: skip
"""How many of each generator's best are among the candidates in any case: its row on the page needs them."""

Rows = NDArray[np.intp]
HitRates = Mapping[str, NDArray[np.float32]]
"""Generator to the probability, by rank from the best, that its candidate is watched next."""

_PRIOR_HIT_RATE: Final = 0.05
_RANK_OFFSET: Final = 60.0
_TIE_BREAK: Final = 1e-10
"""Of a rank in the order, where hit rates are level: far below what any measured rate tells."""


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Distinct candidates, best first, each with its fused score (0 to 1) and its generators."""

    rows: Rows
    scores: NDArray[np.float32]
    sources: dict[int, tuple[str, ...]]
    """Row to the names of its generators."""


def segments_of(country: str, language: str) -> tuple[str, ...]:
    """Return the segments of a member whose popularity counts, narrowest first, everybody left out.

    >>> segments_of("KR", "ko")
    ('KR/ko', 'KR', '/ko')
    """
    named = (
        f"{country}/{language}" if country and language else "",
        country,
        f"/{language}" if language else "",
    )
    return tuple(segment for segment in named if segment)


def default_hit_rate(ranks: int) -> NDArray[np.float32]:
    """Return the hit rates by rank of a generator that was never measured, (ranks,): ``p ~ 1 / (60 + rank)``.

    The shape is that of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009).
    """
    curve = _PRIOR_HIT_RATE * (_RANK_OFFSET + 1.0) / (_RANK_OFFSET + 1.0 + np.arange(ranks))
    return curve.astype(np.float32)


def merge(
    answers: Sequence[tuple[str, NDArray[np.integer[Any]]]],
    titles: int,
    hit_rates: HitRates,
    limit: int = CANDIDATES,
    quotas: Mapping[str, int] = QUOTAS,
) -> Merged:
    """Fuse answers, each (generator, distinct rows best first), into the ``limit`` best of ``titles`` rows.

    A title's score is the probability that it is watched next if each generator were an independent
    witness, ``1 - prod(1 - p)`` over the answers that hold it, with p the generator's hit rate at the title's
    rank (0 beyond the measured ranks). The best ``quotas[generator]`` of an answer are among the candidates
    whatever their score, as long as ``limit`` allows; several answers of one generator share its quota. Where
    hit rates are level, the better ranks come first. Where no generator that knows the member has answered,
    hit rates of STRANGERS count, if there are any.
    """
    names = list(dict.fromkeys(source for source, _ in answers))
    of_whom = "" if PERSONAL.intersection(names) else STRANGERS
    doubt = np.zeros(titles)
    standing = np.zeros(titles)
    bits = np.zeros(titles, dtype=np.int64)
    for source, rows in answers:
        rates = hit_rates.get(of_whom + source, hit_rates.get(source))
        curve = default_hit_rate(len(rows)) if rates is None else rates[: len(rows)]
        doubt[rows[: len(curve)]] += np.log1p(-curve.astype(np.float64))
        standing[rows] -= CANDIDATES - np.arange(len(rows))
        bits[rows] |= 1 << names.index(source)
    candidates = np.flatnonzero(bits)
    key = doubt + _TIE_BREAK * standing
    if len(candidates) > limit:
        guaranteed = _guaranteed(answers, titles, quotas)[candidates]
        candidates = candidates[_cut(key[candidates], guaranteed, limit)]
    rows = candidates[np.argsort(key[candidates], kind="stable")]
    fused = -np.expm1(doubt[rows])
    return Merged(rows, fused.astype(np.float32), _sources(names, bits, rows))


def _guaranteed(
    answers: Sequence[tuple[str, NDArray[np.integer[Any]]]], titles: int, quotas: Mapping[str, int]
) -> NDArray[np.bool_]:
    mask = np.zeros(titles, dtype=bool)
    sharing = Counter(source for source, _ in answers)
    for source, rows in answers:
        mask[rows[: -(-quotas.get(source, 0) // sharing[source])]] = True
    return mask


def _cut(doubt: NDArray[np.float64], guaranteed: NDArray[np.bool_], limit: int) -> NDArray[np.intp]:
    """Keep the guaranteed and the least doubtful of the others, ``limit`` in all; of equals the earlier."""
    certain, others = np.flatnonzero(guaranteed), np.flatnonzero(~guaranteed)
    if len(certain) >= limit:
        return certain[_lowest(doubt[certain], limit)]
    return np.concatenate([certain, others[_lowest(doubt[others], limit - len(certain))]])


def _lowest(values: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Return the places of the ``k`` lowest of more values, in any order; of equals the first."""
    kth = np.partition(values, k - 1)[k - 1]
    below, equal = np.flatnonzero(values < kth), np.flatnonzero(values == kth)
    return np.concatenate([below, equal[: k - len(below)]])


def _sources(names: Sequence[str], bits: NDArray[np.int64], rows: Rows) -> dict[int, tuple[str, ...]]:
    patterns = bits[rows].tolist()
    tuples = {
        pattern: tuple(name for bit, name in enumerate(names) if pattern >> bit & 1)
        for pattern in set(patterns)
    }
    return {row: tuples[pattern] for row, pattern in zip(rows.tolist(), patterns, strict=True)}
