"""Titles in order of a score per country: popularity and trending."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.candidates.answer import Candidates
from serving.catalogue import Mask, Rows

EVERYWHERE = ""
"""The chart of all countries together."""


@dataclass(frozen=True, slots=True, eq=False)
class Charts:
    """One order of the whole catalogue per country, made once per bundle."""

    scores: dict[str, NDArray[np.float32]]
    orders: dict[str, Rows]

    @classmethod
    def rank(cls, countries: NDArray[np.str_], scores: NDArray[np.float32]) -> Charts:
        """Order titles by ``scores`` (C, T), ties by the score of all countries, which is the first row."""
        names = countries.tolist()
        return cls(
            scores=dict(zip(names, scores, strict=True)),
            orders={name: np.lexsort((-scores[0], -row)) for name, row in zip(names, scores, strict=True)},
        )

    def narrowest(self, segments: Sequence[str]) -> str:
        """Return the first of ``segments`` that has a chart, else EVERYWHERE."""
        return next((segment for segment in segments if segment in self.orders), EVERYWHERE)

    def extended(self, titles: int) -> Charts:
        """Return the charts with ``titles`` more rows, which nobody has watched, at their ends."""
        known = len(self.scores[EVERYWHERE])
        rows, nothing = np.arange(known, known + titles), np.zeros(titles, dtype=np.float32)
        return Charts(
            {name: np.concatenate([scores, nothing]) for name, scores in self.scores.items()},
            {name: np.concatenate([order, rows]) for name, order in self.orders.items()},
        )

    def top(self, country: str, eligible: Mask, k: int, minimum: float = 0.0) -> Candidates:
        """Return the ``k`` best eligible titles with a score above ``minimum``.

        A country without a chart gets the chart of all countries.
        """
        chart = country if country in self.orders else EVERYWHERE
        order = self.orders[chart]
        rows = order[eligible[order]][:k]
        scores = self.scores[chart][rows]
        return Candidates(rows[scores > minimum], scores[scores > minimum])
