"""Several generators' candidates as one list: what each is worth was measured, rank by rank.

Scores of different generators are on scales of their own. What compares is how often a candidate of a
generator, at a rank, was watched next; those hit rates are estimated in training and travel with the models.
Evaluation and serving both merge here, so that what is measured is what is served.
"""

from __future__ import annotations

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

CANDIDATES: Final = 500
"""How many titles the ranker is given."""
LIMITS: Final[Mapping[str, int]] = {
    ALS: 400, TWO_TOWER: 300, SIMILAR: 200, TRENDING: 100, TRENDING_IN_COUNTRY: 100, POPULARITY: 200,
    NEW_TITLES: 60, CONTINUE_WATCHING: 20,
}  # fmt: skip
"""How many titles each generator proposes at most."""
QUOTAS: Final[Mapping[str, int]] = {
    ALS: 50, TWO_TOWER: 30, SIMILAR: 20, TRENDING: 10, TRENDING_IN_COUNTRY: 10, POPULARITY: 20,
    NEW_TITLES: 20, CONTINUE_WATCHING: 20,
}  # fmt: skip
"""How many of each generator's best are among the candidates in any case."""

Rows = NDArray[np.intp]
HitRates = Mapping[str, NDArray[np.float32]]
"""Generator to the probability, by rank from the best, that its candidate is watched next."""

_PRIOR_HIT_RATE: Final = 0.05
_RANK_OFFSET: Final = 60.0


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
    whatever their score, as long as ``limit`` allows; several answers of one generator share its quota.
    """
    doubt = np.zeros(titles)
    for source, rows in answers:
        rates = hit_rates.get(source)
        curve = default_hit_rate(len(rows)) if rates is None else rates[: len(rows)]
        doubt[rows[: len(curve)]] += np.log1p(-curve.astype(np.float64))
    found = np.zeros(titles, dtype=bool)
    for _, rows in answers:
        found[rows] = True
    fused = -np.expm1(doubt)
    candidates = np.flatnonzero(found)
    if len(candidates) > limit:
        candidates = _cut(candidates, fused, _guaranteed(answers, titles, quotas), limit)
    rows = candidates[np.argsort(-fused[candidates], kind="stable")]
    return Merged(rows, fused[rows].astype(np.float32), _sources(answers, titles, rows))


def _guaranteed(
    answers: Sequence[tuple[str, NDArray[np.integer[Any]]]], titles: int, quotas: Mapping[str, int]
) -> NDArray[np.bool_]:
    mask = np.zeros(titles, dtype=bool)
    sharing: dict[str, int] = {}
    for source, _ in answers:
        sharing[source] = sharing.get(source, 0) + 1
    for source, rows in answers:
        mask[rows[: -(-quotas.get(source, 0) // sharing[source])]] = True
    return mask


def _cut(
    candidates: Rows, fused: NDArray[np.float64], guaranteed: NDArray[np.bool_], limit: int
) -> NDArray[np.intp]:
    """Keep the guaranteed and the best of the others; best first in each group, ties by row."""
    order = np.lexsort((-fused[candidates], ~guaranteed[candidates]))
    return candidates[order[:limit]]


def _sources(
    answers: Sequence[tuple[str, NDArray[np.integer[Any]]]], titles: int, rows: Rows
) -> dict[int, tuple[str, ...]]:
    names = list(dict.fromkeys(name for name, _ in answers))
    bits = np.zeros(titles, dtype=np.int64)
    for name, found in answers:
        bits[found] |= 1 << names.index(name)
    patterns = bits[rows].tolist()
    tuples = {
        pattern: tuple(name for bit, name in enumerate(names) if pattern >> bit & 1)
        for pattern in set(patterns)
    }
    return {row: tuples[pattern] for row, pattern in zip(rows.tolist(), patterns, strict=True)}
