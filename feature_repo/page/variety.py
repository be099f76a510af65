"""How much a candidate adds to what already stands on the page.

Variety is a matter of the whole page: a row's titles are weighed against the rows above it, not against
each other, so that the first row stays with what the member likes best.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from feature_repo.page.rules import PageRules

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]
_NOTHING_NEW: Final = 1e-3
"""The least squared distance from the page that counts; its logarithm stays finite."""


class RowVectors(NamedTuple):
    """A row that was placed: its unit vectors (k, d), and their cosines with the candidates (m, k)."""

    vectors: Vectors
    cosines: Vectors


class Variety(Protocol):
    """Weighs m candidates, with relevance (m,) and unit vectors (m, d), against the page so far."""

    def worth(self) -> Floats:
        """Return what each candidate is worth next, (m,), on the scale of the relevance."""

    def place(self, row: RowVectors) -> None:
        """Take note of a row that was placed."""


class RelevanceOnly:
    """No variety: the baseline of every comparison."""

    def __init__(self, relevance: Floats) -> None:
        self._relevance = relevance

    def worth(self) -> Floats:
        """Return the relevance."""
        return self._relevance.copy()

    def place(self, row: RowVectors) -> None:
        """Change nothing."""


class MaximalMarginalRelevance:
    """``(1 - w) relevance - w max cosine with the page`` (Carbonell and Goldstein, SIGIR 1998)."""

    def __init__(self, relevance: Floats, weight: float) -> None:
        self._relevance, self._weight = (1 - weight) * relevance, weight
        self._nearest = np.zeros(len(relevance))

    def worth(self) -> Floats:
        """Return the marginal relevance."""
        return self._relevance - self._weight * self._nearest

    def place(self, row: RowVectors) -> None:
        """Keep each candidate's nearest title of the page."""
        if len(row.vectors):
            np.maximum(self._nearest, row.cosines.max(axis=1), out=self._nearest)


class DeterminantalPointProcess:
    """``(1 - w) relevance + w log det gain`` (Chen, Zhang and Zhou, NeurIPS 2018, eq. 4).

    The factor by which a candidate raises the Gram determinant of the page is its squared distance from the
    space that the page's vectors span; candidates keep what is left of them outside that space.
    """

    def __init__(self, relevance: Floats, vectors: Vectors, weight: float) -> None:
        self._relevance, self._weight = (1 - weight) * relevance, weight
        self._left = vectors.astype(np.float64)
        self._basis = np.empty((0, vectors.shape[1]))

    def worth(self) -> Floats:
        """Return relevance and the logarithm of the gain, weighed."""
        gain = np.log(np.maximum(np.einsum("ij,ij->i", self._left, self._left), _NOTHING_NEW))
        worth: Floats = self._relevance + self._weight * gain
        return worth

    def place(self, row: RowVectors) -> None:
        """Widen the page's space by the part of each vector that lies outside it."""
        new: Any = row.vectors.astype(np.float64)
        new -= (new @ self._basis.T) @ self._basis
        directions, sizes, _ = np.linalg.svd(new.T, full_matrices=False)
        outside = directions[:, sizes > _NOTHING_NEW].T
        self._left -= (self._left @ outside.T) @ outside
        self._basis = np.concatenate([self._basis, outside])


def variety_of(rules: PageRules, relevance: Floats, vectors: Vectors) -> Variety:
    """Return the variety that the rules name, for m candidates."""
    if rules.variety == "mmr":
        return MaximalMarginalRelevance(relevance, rules.variety_weight)
    if rules.variety == "dpp":
        return DeterminantalPointProcess(relevance, vectors, rules.variety_weight)
    return RelevanceOnly(relevance)
