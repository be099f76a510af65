"""Trending of this minute: the bundle's charts, with the plays that the stream has counted since."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.decay import (
    MICROSECONDS_PER_DAY,
    MICROSECONDS_PER_HOUR,
    TRENDING_TIME_CONSTANT_DAYS,
)
from feature_repo.transforms.trending import with_plays_since
from serving.candidates.charts import Charts
from serving.state import ServingState

MOST_HOURS: Final = 96
"""Plays of longer ago weigh less than a seventh, and a bundle is hardly ever so old."""
_OPEN_HOURS: Final = 2
"""The latest hours, whose counts still change; late plays of earlier ones are not looked for again."""


class PlaySource(Protocol):
    """Where plays are counted; ``feature_repo.stream.live_plays.LivePlays`` is one."""

    def version(self) -> int:
        """Return a number that rises with every change."""

    def hours(self, country: str, hours: Iterable[int]) -> list[dict[str, float]]:
        """Return, for each hour's start, title to the weight of its plays as of the hour's start."""


class LiveTrending:
    """Reads the plays when there are new ones. Closed hours are read once per bundle."""

    def __init__(self, plays: PlaySource) -> None:
        self._plays = plays
        self._seen: tuple[str, int] = ("", -1)
        self._closed: dict[tuple[str, int], dict[str, float]] = {}

    def charts(self, state: ServingState) -> Charts | None:
        """Return the charts of now, or None where no play has come since they were last asked for."""
        version = self._plays.version()
        models = state.models
        if version == 0 or self._seen == (models.version, version):
            return None
        if self._seen[0] != models.version:
            self._closed.clear()
        self._seen = (models.version, version)
        trained = models.trained_trending
        now_us = state.clock().timestamp() * 1e6
        hours = _hours(trained.as_of_us, now_us)
        countries = trained.countries.tolist()
        plays = {c: self._decayed(c, hours, state, now_us) for c in countries}
        later = len(state.catalogue) - trained.shares.shape[1]
        known = np.pad(trained.shares, ((0, 0), (0, later)))
        elapsed = now_us - trained.as_of_us
        return Charts.rank(
            trained.countries, with_plays_since(known, trained.weights, countries, plays, elapsed)
        )

    def forget(self) -> None:
        """Make the next charts anew, as after titles have changed their rows."""
        self._seen = ("", -1)

    def _decayed(
        self, country: str, hours: list[int], state: ServingState, now_us: float
    ) -> NDArray[np.float64]:
        wanted = [h for h in hours if (country, h) not in self._closed]
        found = dict(zip(wanted, self._plays.hours(country, wanted), strict=True))
        self._closed |= {(country, h): found[h] for h in wanted if h not in hours[-_OPEN_HOURS:]}
        row_of, total = state.catalogue.row_of, np.zeros(len(state.catalogue))
        for hour in hours:
            fading = np.exp((hour - now_us) / (TRENDING_TIME_CONSTANT_DAYS * MICROSECONDS_PER_DAY))
            for title_id, weight in (found.get(hour) or self._closed.get((country, hour), {})).items():
                row = row_of.get(title_id)
                if row is not None:
                    total[row] += weight * fading
        return total


def _hours(since_us: float, now_us: float) -> list[int]:
    """Return the starts of the hours from ``since_us``, which is a full hour, up to now."""
    hour = MICROSECONDS_PER_HOUR
    last = int(now_us // hour) * hour
    first = max(int(since_us // hour) * hour, last - (MOST_HOURS - 1) * hour)
    return list(range(first, last + hour, hour))
