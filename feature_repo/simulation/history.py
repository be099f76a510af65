"""What members were shown, looked at and played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.policy import draw_pages, policy_weights
from feature_repo.simulation.sessions import Sessions
from feature_repo.simulation.world import World

Progress = Callable[[int, int], None]
"""Called with members simulated so far, and members in all."""

_BLOCK: Final = 500
"""Members simulated together: bounds memory to a few times block x titles x 8 bytes."""
_WANTED: Final = 4
"""Titles beyond the page that a member may have come for and search."""
_SEARCH_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Tiles:
    """One entry per tile shown, ordered by session, then place on the page."""

    sessions: NDArray[np.int64]
    titles: NDArray[np.int64]
    slots: NDArray[np.int64]
    """Place on the page from 0, row by row."""
    propensities: NDArray[np.float64]
    examined: NDArray[np.bool_]
    played: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Searches:
    """One entry per session that played nothing from the page and found a title by searching."""

    sessions: NDArray[np.int64]
    titles: NDArray[np.int64]


def examination_probability(config: SimulationConfig) -> NDArray[np.float64]:
    """Return the probability that a tile is looked at, (rows, tiles of a row).

    The position-based model (Richardson et al., WWW 2007): it depends on the place alone.
    """
    row = config.examination_row_decay ** np.arange(config.page_rows)
    position = config.examination_position_decay ** np.arange(config.row_tiles)
    examination: NDArray[np.float64] = config.examination_top * np.outer(row, position)
    return examination


def draw_history(
    world: World,
    sessions: Sessions,
    config: SimulationConfig,
    seeds: np.random.SeedSequence,
    progress: Progress | None = None,
) -> tuple[Tiles, Searches]:
    """Show a page in every session and draw what was examined and played.

    Every tile is looked at with :func:`examination_probability` and then played with the world's play
    probability, independently. A member is not shown a title again that they have played.
    """
    members = len(world.user_ids)
    firsts = range(0, members, _BLOCK)
    tiles, searches = [], []
    for first, seed in zip(firsts, seeds.spawn(len(firsts)), strict=True):
        block = _Block(world, sessions, config, first, np.random.default_rng(seed))
        block.run()
        tiles += block.tiles
        searches += block.searches
        if progress is not None:
            progress(min(first + _BLOCK, members), members)
    return _in_session_order(tiles), _joined_searches(searches)


class _Block:
    """Members simulated together: the nth session of all of them, then the next."""

    def __init__(
        self,
        world: World,
        sessions: Sessions,
        config: SimulationConfig,
        first: int,
        rng: np.random.Generator,
    ) -> None:
        self.world, self.sessions, self.config, self.first, self.rng = world, sessions, config, first, rng
        users = np.arange(first, min(first + _BLOCK, len(world.user_ids)))
        self.weights = policy_weights(world, users, config, rng)
        self.arriving = np.flatnonzero(world.title_available_us > world.start_us)
        self.tiles: list[Tiles] = []
        self.searches: list[Searches] = []

    def run(self) -> None:
        bounds = np.searchsorted(self.sessions.users, [self.first, self.first + len(self.weights)])
        rows = np.arange(*bounds)
        number = self.sessions.number[rows]
        rows = rows[np.argsort(number, kind="stable")]
        for batch in np.split(rows, np.cumsum(np.bincount(number))[:-1]):
            self._show_pages(batch)

    def _show_pages(self, batch: NDArray[np.int64]) -> None:
        config = self.config
        draws = draw_pages(self._weights_of(batch), config.page_tiles + _WANTED, self.rng)
        page = draws.titles[:, : config.page_tiles]
        probability = self._play_probability(batch, draws.titles)
        examination = examination_probability(config).ravel()
        examined = (self.rng.random(page.shape) < examination) & (page >= 0)
        played = examined & (self.rng.random(page.shape) < probability[:, : config.page_tiles])
        row, slot = np.nonzero(page >= 0)
        self.tiles.append(
            Tiles(
                sessions=batch[row],
                titles=page[row, slot],
                slots=slot,
                propensities=draws.propensities[row, slot],
                examined=examined[row, slot],
                played=played[row, slot],
            )
        )
        self._mark_played(batch[row], page[row, slot], played[row, slot])
        wanted = slice(config.page_tiles, None)
        self._search(batch, draws.titles[:, wanted], probability[:, wanted], np.asarray(played.any(axis=1)))

    def _weights_of(self, batch: NDArray[np.int64]) -> NDArray[np.float32]:
        weights = self.weights[self.sessions.users[batch] - self.first]
        not_yet = self.world.title_available_us[self.arriving] > self.sessions.started_us[batch][:, None]
        weights[:, self.arriving] *= ~not_yet
        return weights

    def _play_probability(self, batch: NDArray[np.int64], titles: NDArray[np.int64]) -> NDArray[np.float64]:
        probability = self.world.play_probability_of(
            self.sessions.users[batch][:, None],
            np.maximum(titles, 0),
            self.sessions.started_us[batch][:, None].astype(np.float64),
            self.sessions.devices[batch][:, None],
        )
        return np.where(titles >= 0, probability, 0.0)

    def _mark_played(
        self, sessions: NDArray[np.int64], titles: NDArray[np.int64], played: NDArray[np.bool_]
    ) -> None:
        self.weights[self.sessions.users[sessions[played]] - self.first, titles[played]] = 0.0

    def _search(
        self,
        batch: NDArray[np.int64],
        titles: NDArray[np.int64],
        probability: NDArray[np.float64],
        played: NDArray[np.bool_],
    ) -> None:
        """Whoever played nothing may search the best of a few titles that were not on the page."""
        best = probability.argmax(axis=1)
        rows = np.arange(len(batch))
        found = self.rng.random(len(batch)) < _SEARCH_SHARE * probability[rows, best]
        found &= ~played
        chosen = titles[rows, best][found]
        self.searches.append(Searches(batch[found], chosen))
        self._mark_played(batch[found], chosen, np.ones(len(chosen), dtype=bool))


def _in_session_order(parts: list[Tiles]) -> Tiles:
    joined = {name: np.concatenate([getattr(p, name) for p in parts]) for name in Tiles.__slots__}
    order = np.lexsort((joined["slots"], joined["sessions"]))
    return Tiles(**{name: array[order] for name, array in joined.items()})


def _joined_searches(parts: list[Searches]) -> Searches:
    sessions = np.concatenate([part.sessions for part in parts])
    titles = np.concatenate([part.titles for part in parts])
    order = np.argsort(sessions, kind="stable")
    return Searches(sessions[order], titles[order])
