"""Several generators' answers as one list: ranks compare, scores do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.candidates.answer import Candidates
from serving.catalogue import Rows

CANDIDATES: Final = 500
_RANK_OFFSET: Final = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Distinct candidates, best first, each with its fused score and every generator that found it."""

    rows: Rows
    scores: NDArray[np.float32]
    sources: dict[int, tuple[str, ...]]
    """Row to the names of its generators."""


def merge(answers: Sequence[tuple[str, Candidates]], titles: int, limit: int = CANDIDATES) -> Merged:
    """Fuse answers by reciprocal rank and keep the ``limit`` best of ``titles`` rows.

    A title scores the sum over answers of ``1 / (60 + rank)``, rank from 1, divided by the best score
    possible, so that it lies in (0, 1]. (Cormack, Clarke and Büttcher: Reciprocal Rank Fusion,
    SIGIR 2009.) Only ranks enter: the generators' scores are on scales of their own.
    """
    fused = np.zeros(titles)
    for _, answer in answers:
        fused[answer.rows] += 1.0 / (_RANK_OFFSET + 1.0 + np.arange(len(answer.rows)))
    found = np.flatnonzero(fused)
    rows = found[np.argsort(-fused[found], kind="stable")][:limit]
    best_possible = max(len(answers), 1) / (_RANK_OFFSET + 1.0)
    return Merged(rows, (fused[rows] / best_possible).astype(np.float32), _sources(answers, titles, rows))


def _sources(
    answers: Sequence[tuple[str, Candidates]], titles: int, rows: Rows
) -> dict[int, tuple[str, ...]]:
    names = list(dict.fromkeys(name for name, _ in answers))
    bits = np.zeros(titles, dtype=np.int64)
    for name, answer in answers:
        bits[answer.rows] |= 1 << names.index(name)
    tuples = {
        pattern: tuple(name for bit, name in enumerate(names) if pattern >> bit & 1)
        for pattern in set(bits[rows].tolist())
    }
    return {row: tuples[pattern] for row, pattern in zip(rows.tolist(), bits[rows].tolist(), strict=True)}
