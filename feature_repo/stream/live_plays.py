"""Plays of the running hours, per country and title: what trending knows beyond the last training.

A play weighs ``exp(seconds into its hour / time constant)``: sums of one hour need no upkeep as time goes by,
and may come in any order (Cormode et al., "Forward Decay", ICDE 2009).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import redis

from feature_repo.transforms.decay import (
    MICROSECONDS_PER_DAY,
    MICROSECONDS_PER_HOUR,
    TRENDING_TIME_CONSTANT_DAYS,
)

Plays = dict[tuple[str, int], dict[str, float]]
"""(country, start of the hour in microseconds) to title to the weight of its plays; "" is all countries."""

EVERYWHERE: Final = ""
_PLAYS: Final = "marquee:stream:plays:{country}:{hour}"
_VERSION: Final = "marquee:stream:plays_version"
_KEPT_SECONDS: Final = 10 * 86_400
MOST_TITLES: Final = 1_000
"""Of an hour and country, as many of the most played titles are read back."""


def weigh_plays(plays: Iterable[tuple[str, str, int]]) -> Plays:
    """Sum plays, each (country or "", title id, microseconds since 1970 UTC)."""
    summed: Plays = {}
    for country, title_id, at in plays:
        hour = at // MICROSECONDS_PER_HOUR * MICROSECONDS_PER_HOUR
        weight = float(np.exp((at - hour) / (TRENDING_TIME_CONSTANT_DAYS * MICROSECONDS_PER_DAY)))
        for place in {EVERYWHERE, country}:
            titles = summed.setdefault((place, hour), {})
            titles[title_id] = titles.get(title_id, 0.0) + weight
    return summed


def add_plays(pipeline: Any, plays: Plays) -> None:
    """Queue the sums on a pipeline."""
    for (country, hour), titles in plays.items():
        key = _PLAYS.format(country=country, hour=hour)
        for title_id, weight in titles.items():
            pipeline.zincrby(key, weight, title_id)
        pipeline.expire(key, _KEPT_SECONDS)
    if plays:
        pipeline.incr(_VERSION)


class LivePlays:
    """Reads the sums back."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    def open(cls, redis_url: str) -> LivePlays:
        """Connect; the connection is made at the first call."""
        return cls(redis.Redis.from_url(redis_url, socket_timeout=2.0, socket_connect_timeout=0.5))

    def version(self) -> int:
        """Return a number that rises with every change."""
        return int(self._client.get(_VERSION) or 0)

    def hours(self, country: str, hours: Iterable[int]) -> list[dict[str, float]]:
        """Return, for each hour's start, title to the weight of its plays as of the hour's start."""
        with self._client.pipeline(transaction=False) as pipeline:
            for hour in hours:
                key = _PLAYS.format(country=country, hour=hour)
                pipeline.zrevrange(key, 0, MOST_TITLES - 1, withscores=True)
            return [{t.decode(): weight for t, weight in found} for found in pipeline.execute()]
