"""The simulated members: who they are and when they watch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.vocabulary import COUNTRIES, LANGUAGES
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY

NO_LIMIT: Final = 99
"""Stands for a member without a maturity limit (null in the table)."""
_LIMITS: Final = np.array([NO_LIMIT, 16, 13, 7])
_LIMIT_SHARES: Final = (0.78, 0.06, 0.08, 0.08)
_DEVICE_HABITS: Final = np.array([3.0, 2.0, 0.7, 1.0])
_OLDEST_PROFILE_DAYS: Final = 60


@dataclass(frozen=True, slots=True)
class Members:
    """M members as arrays; codes are places in COUNTRIES, LANGUAGES and schema.DEVICES."""

    user_ids: NDArray[np.str_]
    countries: NDArray[np.int64]
    languages: NDArray[np.int64]
    maturity_limits: NDArray[np.int64]
    """Years; NO_LIMIT for none."""
    joined_us: NDArray[np.int64]
    sessions_per_day: NDArray[np.float64]
    device_shares: NDArray[np.float64]
    """(M, devices), rows sum to 1."""

    @property
    def table(self) -> pa.Table:
        """The members as rows of schema.MEMBERS."""
        limits = [None if limit == NO_LIMIT else limit for limit in self.maturity_limits.tolist()]
        values = {
            s.USER_ID: self.user_ids,
            s.COUNTRY: np.array([country.code for country in COUNTRIES])[self.countries],
            s.LANGUAGE: np.array(LANGUAGES)[self.languages],
            s.MATURITY_LIMIT: limits,
            s.EVENT_TIMESTAMP: self.joined_us,
        }
        schema = s.MEMBERS.arrow_schema
        return pa.table([pa.array(values[field.name], field.type) for field in schema], schema=schema)


def make_members(config: SimulationConfig, start_us: int, end_us: int, rng: np.random.Generator) -> Members:
    """Draw the members of a window; instants are microseconds since 1970 UTC."""
    count = config.members
    shares = np.array([country.share for country in COUNTRIES])
    countries = rng.choice(len(COUNTRIES), size=count, p=shares / shares.sum())
    native = np.array([LANGUAGES.index(country.language) for country in COUNTRIES])[countries]
    foreign = rng.integers(len(LANGUAGES), size=count)
    activity = draw_activity(config, rng)
    return Members(
        user_ids=np.array([f"m{number:06d}" for number in range(1, count + 1)]),
        countries=countries,
        languages=np.where(rng.random(count) < 0.88, native, foreign),
        maturity_limits=rng.choice(_LIMITS, size=count, p=_LIMIT_SHARES),
        joined_us=_draw_joining(config, start_us, end_us, rng),
        sessions_per_day=activity,
        device_shares=draw_device_shares(count, rng),
    )


def draw_activity(config: SimulationConfig, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw how many sessions a day each of ``config.members`` has in the mean, (M,), at most 6."""
    spread = config.activity_spread
    # The mean of a log-normal is exp(mu + sigma^2 / 2).
    mu = np.log(config.sessions_per_day) - spread**2 / 2
    return rng.lognormal(mu, spread, config.members).clip(max=6.0)


def draw_device_shares(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the share of each device in a member's sessions, (count, devices); rows sum to 1."""
    return rng.dirichlet(_DEVICE_HABITS, size=count)


def _draw_joining(
    config: SimulationConfig, start_us: int, end_us: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    oldest = start_us - _OLDEST_PROFILE_DAYS * MICROSECONDS_PER_DAY
    before = rng.integers(oldest, start_us, size=config.members)
    during = rng.integers(start_us, end_us, size=config.members)
    return np.where(rng.random(config.members) < config.joining_member_share, during, before)
