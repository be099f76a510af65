"""The rows that would like to be on a page, and in which order they are worth the member's attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.page.attention import row_attention
from feature_repo.page.board import Board
from feature_repo.page.rules import PageRules
from feature_repo.page.shelf import Ingredients

CONTINUE_WATCHING, TOP_PICKS, BECAUSE_YOU_WATCHED, TRENDING_NOW, NEW_RELEASES, GENRE = s.ROW_TYPES
_SEED_CHOICE: Final = 4
"""A row grown from a seed chooses among so many times as many neighbours as it has tiles."""
_GENRE_CHOICE: Final = 2
"""Genre rows are chosen from so many times as many of the member's strongest genres."""


@dataclass(frozen=True, slots=True, eq=False)
class RowPlan:
    """A row that would like to be on the page: the places it may hold, and at most how many.

    Personal rows choose among theirs; the others keep their own order. ``seed`` is a row of the catalogue,
    ``genre`` a column of its genres.
    """

    row_type: str
    places: list[int]
    length: int
    personal: bool = True
    seed: int | None = None
    genre: int | None = None


def row_plans(parts: Ingredients, rules: PageRules) -> list[RowPlan]:
    """Return the rows that may follow Top Picks, in no order that matters but for ties."""
    plans = [
        RowPlan(
            BECAUSE_YOU_WATCHED,
            sorted(like.places)[: _SEED_CHOICE * rules.because_you_watched],
            rules.because_you_watched,
            seed=like.seed,
        )
        for like in parts.seeds
    ]
    plans.append(RowPlan(TRENDING_NOW, parts.trending, rules.trending_now, personal=False))
    plans.append(RowPlan(NEW_RELEASES, parts.new_titles, rules.new_releases, personal=False))
    best = parts.shelf.genres[: rules.ranked]
    for genre in parts.favourite_genres[: _GENRE_CHOICE * rules.genre_rows]:
        plans.append(RowPlan(GENRE, np.flatnonzero(best[:, genre]).tolist(), rules.genre, genre=genre))
    return plans


def pool_of(parts: Ingredients, plans: list[RowPlan], rules: PageRules) -> NDArray[np.intp]:
    """Return the places that personal rows may hold, (m,), in the order of the shelf."""
    wanted = np.zeros(len(parts.shelf), dtype=np.bool_)
    wanted[: rules.ranked] = True
    for plan in plans:
        if plan.seed is not None:
            wanted[plan.places] = True
    return np.flatnonzero(wanted)


def by_value(plans: list[RowPlan], board: Board, rules: PageRules) -> list[RowPlan]:
    """Return the plans in the order of what their open titles promise a member who looks along the row.

    A row's value is the relevance of its first tiles, each times the attention its position gets. Judged
    once, after Top Picks has taken its titles: that rows share titles is left out of account.
    """
    open_now = set(board.open_places.tolist())
    relevance: list[float] = board.shelf.relevance.tolist()
    seen: list[float] = row_attention(rules.most_tiles).tolist()

    def value(plan: RowPlan) -> float:
        first = [place for place in plan.places if place in open_now][: plan.length]
        if len(first) < rules.shortest_row:
            return -np.inf
        return sum(relevance[place] * weight for place, weight in zip(first, seen, strict=False))

    values = {id(plan): value(plan) for plan in plans}
    return sorted(plans, key=lambda plan: -values[id(plan)])
