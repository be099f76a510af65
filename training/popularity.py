"""What serving shows without a personal model: popularity and trending, per country and overall.

Both are shares of viewing that sum to 1 over the catalogue. A country with little viewing leans on
the whole service: its share is the posterior mean of a Dirichlet prior centred on the overall share,

    (weight in the country + prior_weight * overall share) / (all weight in the country + prior_weight).

Without any viewing all scores are 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.decay import TRENDING_TIME_CONSTANT_DAYS, decay_factor
from training.interactions import highest_per_pair

EVERYWHERE: Final = ""
"""The row of all countries together, and the country of members whose country is unknown."""


class CountryScores(NamedTuple):
    """``countries``: unicode [C], first :data:`EVERYWHERE`, then sorted. ``scores``: float32 [C, T]."""

    countries: NDArray[np.str_]
    scores: NDArray[np.float32]


def popularity_scores(
    user_ids: NDArray[np.str_],
    title_rows: NDArray[np.int64],
    watch_fractions: NDArray[np.float32],
    event_countries: NDArray[np.str_],
    *,
    title_count: int,
    countries: Sequence[str],
    prior_weight: float = 200.0,
) -> CountryScores:
    """Return each title's share of viewers, weighted by how far they watched.

    The arrays hold one element per watch event of the window: ``title_rows`` from 0 to
    ``title_count`` - 1, ``event_countries`` the member's country, "" where unknown. A viewer counts once
    per title, with the highest fraction reached (0 to 1; NaN counts 0). ``scores`` has a
    row for each of ``countries``; viewing elsewhere counts in the first row only. ``prior_weight`` is in
    completed viewings.
    """
    fractions = np.nan_to_num(np.asarray(watch_fractions, dtype=np.float64))
    viewers = np.unique(user_ids, return_inverse=True)[1]
    kept = highest_per_pair(viewers, title_rows, fractions)
    return _shares(
        title_rows[kept],
        event_countries[kept],
        fractions[kept],
        title_count=title_count,
        countries=countries,
        prior_weight=prior_weight,
    )


def trending_scores(
    title_rows: NDArray[np.int64],
    event_countries: NDArray[np.str_],
    timestamps: NDArray[np.int64],
    *,
    as_of: datetime,
    title_count: int,
    countries: Sequence[str],
    prior_weight: float = 50.0,
) -> CountryScores:
    """Return each title's share of plays, each fading by 1/e in TRENDING_TIME_CONSTANT_DAYS.

    One element per play: ``timestamps`` in int64 microseconds since 1970 UTC; plays at or after
    ``as_of`` are ignored. Other arguments as in :func:`popularity_scores`; ``prior_weight`` is in plays
    of just now.
    """
    now = epoch_microseconds(as_of)
    past = timestamps < now
    weights = decay_factor((now - timestamps[past]).astype(np.float64), TRENDING_TIME_CONSTANT_DAYS)
    return _shares(
        title_rows[past],
        event_countries[past],
        weights,
        title_count=title_count,
        countries=countries,
        prior_weight=prior_weight,
    )


def _shares(
    title_rows: NDArray[np.int64],
    event_countries: NDArray[np.str_],
    weights: NDArray[np.float64],
    *,
    title_count: int,
    countries: Sequence[str],
    prior_weight: float,
) -> CountryScores:
    if prior_weight <= 0:
        raise ValueError(f"prior_weight is {prior_weight}: give a positive number of viewings")
    names = np.array([EVERYWHERE, *sorted(set(countries) - {EVERYWHERE})], dtype=np.str_)
    overall = np.bincount(title_rows, weights, minlength=title_count)
    overall_share = overall / overall.sum() if overall.sum() > 0 else overall
    scores = np.empty((len(names), title_count), dtype=np.float32)
    scores[0] = overall_share
    for row, country in enumerate(names[1:], start=1):
        inside = event_countries == country
        local = np.bincount(title_rows[inside], weights[inside], minlength=title_count)
        scores[row] = (local + prior_weight * overall_share) / (local.sum() + prior_weight)
    return CountryScores(names, scores)
