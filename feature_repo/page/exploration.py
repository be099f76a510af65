"""Tiles drawn from just outside what the member is known to like, with the exact probability of each.

The candidates that follow the best ones are dealt into as many strata as there are tiles to explore, in
turn, so that each stratum reaches from near to far. One title is drawn from each stratum, independently:

    p = uniform_share / size + (1 - uniform_share) * softmax(scaled relevance of the stratum)

Every title of the pool can be shown, none with a probability below ``uniform_share / size``, which bounds
the weights of off-policy estimates (Swaminathan and Joachims, JMLR 2015, on why that matters). As the strata
are disjoint, a title's propensity is its probability in its own stratum, and the propensities of the pool
sum to the number of explored tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.page.board import Board
from feature_repo.page.rules import PageRules
from feature_repo.page.shelf import NO_FRANCHISE

UNIFORM_SHARE: Final = 0.5
_BYTES: Final = 8

Draw = Callable[[int], float]
"""Slot, from 0, to a number drawn evenly from [0, 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Stratum:
    """Titles of which one is shown: places of the shelf, (m,), and their probabilities, which sum to 1."""

    places: NDArray[np.intp]
    probabilities: NDArray[np.float64]

    def draw(self, uniform: float) -> tuple[int, float]:
        """Return a place and its propensity, for a number drawn evenly from [0, 1)."""
        edges = np.cumsum(self.probabilities)
        chosen = min(int(np.searchsorted(edges, uniform * edges[-1], side="right")), len(self.places) - 1)
        return int(self.places[chosen]), float(self.probabilities[chosen])


def draws_of(page_id: str) -> Draw:
    """Return the draws that belong to a page: whoever knows its id can repeat them, on any machine."""

    def draw(slot: int) -> float:
        digest = blake2b(f"{slot}:{page_id}".encode(), digest_size=_BYTES).digest()
        return (int.from_bytes(digest, "big") >> 11) / (1 << 53)

    return draw


def strata_of(board: Board, rules: PageRules, tiles: int) -> list[Stratum]:
    """Return up to ``tiles`` strata of the titles that may be explored, given the page so far.

    None of them shares a franchise with the page or another of them, nor a genre that is close to its cap,
    so that whichever are drawn keep the page's rules.
    """
    pool = board.open_places
    pool = pool[(pool >= rules.ranked) & (pool < rules.ranked + rules.exploration_pool)]
    pool = _apart(pool, board, tiles)
    relevance = board.shelf.scaled_relevance(rules.ranked + rules.exploration_pool)
    strata = [pool[slot::tiles] for slot in range(tiles)]
    return [Stratum(places, _probabilities(relevance[places])) for places in strata if len(places)]


def explored(strata: Sequence[Stratum], draw: Draw) -> dict[int, float]:
    """Return the place drawn from each stratum with its propensity."""
    return dict(stratum.draw(draw(slot)) for slot, stratum in enumerate(strata))


def _apart(pool: NDArray[np.intp], board: Board, tiles: int) -> NDArray[np.intp]:
    if not len(pool):
        return pool
    seen = set(board.shelf.franchises[list(board.used)].tolist())
    alone = np.ones(len(pool), dtype=np.bool_)
    for number, franchise in enumerate(board.shelf.franchises[pool].tolist()):
        if franchise != NO_FRANCHISE:
            alone[number] = franchise not in seen
            seen.add(franchise)
    crowded = np.asarray(board.shelf.genres[pool][:, board.genres_within(tiles)].any(axis=1))
    apart: NDArray[np.intp] = pool[alone & ~crowded]
    return apart


def _probabilities(relevance: NDArray[np.float64]) -> NDArray[np.float64]:
    likely = np.exp(relevance - relevance.max())
    even = UNIFORM_SHARE / len(relevance)
    probabilities: NDArray[np.float64] = even + (1 - UNIFORM_SHARE) * likely / likely.sum()
    return probabilities
