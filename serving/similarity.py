"""Titles like a title: by who watched them, or by what they are about where nobody did yet."""

from __future__ import annotations

from typing import Any, Literal

from numpy.typing import NDArray

from serving.catalogue import Rows
from serving.state import ServingState

Similarity = Literal["collaborative", "content"]


def similar_titles(state: ServingState, row: int, k: int) -> tuple[Similarity, Rows, NDArray[Any]]:
    """Return up to ``k`` titles like ``row``, best first, with their cosines, and what they are alike in."""
    neighbours = state.models.neighbours
    rows, scores = neighbours.of(row)
    return "collaborative" if neighbours.collaborative(row) else "content", rows[:k], scores[:k]
