"""When members open the service, and on which device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.simulation.members import Members
from feature_repo.simulation.vocabulary import COUNTRIES
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR

_SHORTEST_GAP_US: Final = 2 * MICROSECONDS_PER_HOUR
_WEEKEND: Final = 1.3
_DEVICE_PEAKS: Final = {"tv": (20.5, 2.5), "mobile": (13.0, 5.0), "tablet": (19.0, 4.0), "web": (16.0, 5.0)}
"""Local hour at which a device is used most, and the spread in hours."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions ordered by member, then time; ``number`` counts a member's sessions from 0."""

    users: NDArray[np.int64]
    started_us: NDArray[np.int64]
    devices: NDArray[np.int64]
    number: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.users)


def draw_sessions(members: Members, start_us: int, end_us: int, rng: np.random.Generator) -> Sessions:
    """Draw all sessions from ``start_us`` (inclusive) to ``end_us`` (exclusive), in microseconds.

    Sessions per member and day are Poisson, more of them at weekends; hours are local. Of two sessions
    less than two hours apart the later is dropped; nobody watches before joining.
    """
    midnight = start_us - start_us % MICROSECONDS_PER_DAY
    days = -(-(end_us - midnight) // MICROSECONDS_PER_DAY)
    weekday = (midnight // MICROSECONDS_PER_DAY + np.arange(days) + 3) % 7
    rate = members.sessions_per_day[:, None] * np.where(weekday >= 5, _WEEKEND, 1.0)
    count = rng.poisson(rate)
    users = np.repeat(np.arange(len(members.user_ids)), count.sum(axis=1))
    day = np.repeat(np.tile(np.arange(days), len(count)), count.ravel())
    devices = _draw_devices(members.device_shares[users], rng)
    hour = _draw_local_hours(devices, rng)
    offset = np.array([country.utc_offset_hours for country in COUNTRIES])[members.countries[users]]
    in_day = (((hour - offset) % 24) * MICROSECONDS_PER_HOUR).astype(np.int64)
    started = midnight + day * MICROSECONDS_PER_DAY + in_day
    kept = (started >= start_us) & (started < end_us) & (started >= members.joined_us[users])
    return _in_order(users[kept], started[kept], devices[kept])


def _draw_devices(shares: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    draw = rng.random((len(shares), 1))
    return np.asarray((shares.cumsum(axis=1)[:, :-1] < draw).sum(axis=1), dtype=np.int64)


def _draw_local_hours(devices: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    peaks = np.array([_DEVICE_PEAKS[device] for device in s.DEVICES])[devices]
    hours: NDArray[np.float64] = rng.normal(peaks[:, 0], peaks[:, 1]) % 24
    return hours


def _in_order(users: NDArray[np.int64], started: NDArray[np.int64], devices: NDArray[np.int64]) -> Sessions:
    order = np.lexsort((started, users))
    users, started, devices = users[order], started[order], devices[order]
    close = np.zeros(len(users), dtype=bool)
    close[1:] = (users[1:] == users[:-1]) & (started[1:] - started[:-1] < _SHORTEST_GAP_US)
    users, started, devices = users[~close], started[~close], devices[~close]
    number = np.arange(len(users)) - np.searchsorted(users, users)
    return Sessions(users, started, devices, number)
