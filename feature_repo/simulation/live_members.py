"""The simulated service's members after its history ended: they come, look at real pages, and play.

They look at a page as they did in the history (the position-based model of
:func:`~feature_repo.simulation.history.examination_probability`) and play what they look at with the world's
play probability, so that every page that is served to them can be judged by what they truly want.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.members import Members, draw_activity, draw_device_shares
from feature_repo.simulation.sessions import Sessions, draw_sessions
from feature_repo.simulation.viewing import FATIGUE, draw_fractions, finishing_logits
from feature_repo.simulation.world import World

_UNKNOWN_LANGUAGE: Final = 0


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A page as a member sees it: titles by row number of the world, -1 for one it does not know.

    ``rows`` and ``positions`` count from 1, as on the page.
    """

    titles: NDArray[np.int64]
    rows: NDArray[np.int64]
    positions: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Play:
    """A tile that was played: its place among the tiles looked at, and how far it was watched, (0, 1]."""

    tile: int
    fraction: float


class LiveMembers:
    """Members of a simulated world who go on living after its end.

    How often each comes, and on which devices, is drawn anew from ``rng``, by the same law as in the history;
    only ``active`` of them come at all, where that is given.
    """

    def __init__(
        self,
        world: World,
        config: SimulationConfig,
        rng: np.random.Generator,
        active: int | None = None,
    ) -> None:
        self.world, self._config, self._rng = world, config, rng
        count = len(world.user_ids)
        activity = draw_activity(config.model_copy(update={"members": count}), rng)
        if active is not None:
            activity[rng.permutation(count)[active:]] = 0.0
        self._members = Members(
            user_ids=world.user_ids,
            countries=world.user_countries,
            languages=np.full(count, _UNKNOWN_LANGUAGE),
            maturity_limits=world.user_maturity_limits,
            joined_us=np.full(count, world.start_us),
            sessions_per_day=activity,
            device_shares=draw_device_shares(count, rng),
        )

    def sessions(self, start_us: int, end_us: int) -> Sessions:
        """Draw all sessions from ``start_us`` (inclusive) to ``end_us``, microseconds, earliest first."""
        drawn = draw_sessions(self._members, start_us, end_us, self._rng)
        order = np.argsort(drawn.started_us, kind="stable")
        return Sessions(
            drawn.users[order], drawn.started_us[order], drawn.devices[order], drawn.number[order]
        )

    def look(self, user: int, page: LookedAt, when_us: int, device: int) -> list[Play]:
        """Return what the member plays of a page, from the top; ``device`` is a place in schema.DEVICES."""
        known = page.titles >= 0
        probability = self.play_probability(user, page.titles, when_us, device)
        examined = self._rng.random(len(page.titles)) < self.examination(page.rows, page.positions)
        played = known & examined & (self._rng.random(len(page.titles)) < probability)
        tiles = np.flatnonzero(played)
        users, devices = np.full(len(tiles), user), np.full(len(tiles), device)
        started = np.full(len(tiles), float(when_us))
        logits = finishing_logits(self.world, users, page.titles[tiles], started, devices)
        fractions = draw_fractions(logits - FATIGUE * np.arange(len(tiles)), self._rng)
        return [Play(int(tile), float(f)) for tile, f in zip(tiles, fractions, strict=True)]

    def play_probability(
        self, user: int, titles: NDArray[np.int64], when_us: int, device: int
    ) -> NDArray[np.float64]:
        """Return how likely the member truly plays each title that they look at; 0 for unknown ones."""
        probability = self.world.play_probability_of(
            np.array([user]), np.maximum(titles, 0), np.array([float(when_us)]), np.array([device])
        )
        return np.where(titles >= 0, probability, 0.0)

    def examination(self, rows: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probability that a tile is looked at, by its place alone; places count from 1."""
        config = self._config
        row_factor = config.examination_row_decay ** (rows - 1)
        looked: NDArray[np.float64] = (
            config.examination_top * row_factor * config.examination_position_decay ** (positions - 1)
        )
        return looked

    def rows_of(self, title_ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the world's row of each title, -1 for one it does not know."""
        asked = np.asarray(title_ids, dtype=np.str_)
        rows = np.minimum(np.searchsorted(self.world.title_ids, asked), len(self.world.title_ids) - 1)
        return np.where(self.world.title_ids[rows] == asked, rows, -1)

    def device_name(self, device: int) -> str:
        """Return a device's name."""
        return s.DEVICES[device]
