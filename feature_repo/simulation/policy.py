"""The logging policy: how the simulated service filled its pages before it learned anything.

A page is drawn tile by tile without replacement (Plackett 1975, "The analysis of permutations", Applied
Statistics 24): each title's weight is a mixture of three distributions over the titles that the member may
be shown and has not played: a noisy idea of the member's taste, popularity, and the uniform distribution.
The logged propensity of a tile is the exact probability with which this draw chose it, given the tiles
before it on the page: ``weight / (sum of the weights of titles not yet on the page)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.world import World

_POPULARITY_IN_TASTE: Final = 0.6
_EXTRA_DRAWS: Final = 2.5


@dataclass(frozen=True, slots=True)
class Draws:
    """n pages: titles (n, tiles) by row number, -1 where none was left, and their propensities."""

    titles: NDArray[np.int64]
    propensities: NDArray[np.float64]


def popularity_log_weights(world: World, config: SimulationConfig) -> NDArray[np.float32]:
    """Return -x log(rank by appeal) of every title: what the service knows as popularity."""
    rank = np.empty(len(world.title_ids))
    rank[np.argsort(-world.title_appeal, kind="stable")] = np.arange(1, len(rank) + 1)
    weights: NDArray[np.float32] = (-config.policy_zipf_exponent * np.log(rank)).astype(np.float32)
    return weights


def policy_weights(
    world: World, users: NDArray[np.int64], config: SimulationConfig, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the policy's weights, (users, T); 0 exactly where country or maturity forbids a title."""
    genre_noise = rng.normal(0.0, config.policy_noise, (len(users), world.taste_start.shape[1]))
    factors = world.taste_start[users] + genre_noise.astype(np.float32)
    popularity = popularity_log_weights(world, config)
    allowed = world.may_be_shown(users[:, None], np.arange(len(world.title_ids))[None, :])
    taste = factors @ world.title_genres.T + world.user_residuals[users] @ world.title_residuals.T
    taste += world.user_languages[users][:, world.title_languages] + _POPULARITY_IN_TASTE * popularity
    taste -= taste.max(axis=1, keepdims=True)
    np.exp(taste, out=taste)
    taste *= allowed
    popular = np.exp(popularity)
    # A share per component, each normalised over what this member may be shown.
    weights = taste * _per_row(config.policy_taste_share, taste.sum(axis=1))
    weights += popular * _per_row(config.policy_popularity_share, allowed @ popular)
    weights += _per_row(config.policy_exploration_share, allowed.sum(axis=1))
    weights *= allowed
    return weights


def _per_row(share: float, total: NDArray[np.generic]) -> NDArray[np.float32]:
    shares = share / np.maximum(np.asarray(total, dtype=np.float64), 1e-30)
    return shares.astype(np.float32)[:, None]


def draw_pages(weights: NDArray[np.float32], tiles: int, rng: np.random.Generator) -> Draws:
    """Draw ``tiles`` titles per row of ``weights`` (n, T) without replacement, in proportion to weight.

    Titles are drawn with replacement and repeats skipped, which is the same law and does without a
    random number per title; pages that are not full by then are completed by :func:`_complete`.
    """
    cumulated = np.cumsum(weights, axis=1, dtype=np.float64)
    titles = np.full((len(weights), tiles), -1)
    some = np.flatnonzero(cumulated[:, -1] > 0)
    draws = _draw_with_replacement(cumulated, some, int(tiles * _EXTRA_DRAWS), rng)
    titles[some] = _first_distinct(draws, tiles)
    for row in np.flatnonzero(titles[:, -1] < 0):
        _complete(titles[row], weights[row], rng)
    return Draws(titles, _propensities(weights, cumulated[:, -1], titles))


def _draw_with_replacement(
    cumulated: NDArray[np.float64], rows: NDArray[np.int64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    draws = np.empty((len(rows), count), dtype=np.int64)
    uniform = rng.random((len(rows), count))
    for place, row in enumerate(rows):
        line = cumulated[row]
        draws[place] = np.searchsorted(line, uniform[place] * line[-1], side="right")
    return np.asarray(np.minimum(draws, cumulated.shape[1] - 1), dtype=np.int64)


def _first_distinct(draws: NDArray[np.int64], tiles: int) -> NDArray[np.int64]:
    """Return the first ``tiles`` distinct values of each row in order, then -1."""
    order = np.argsort(draws, axis=1, kind="stable")
    ranked = np.take_along_axis(draws, order, axis=1)
    repeated = np.zeros_like(draws, dtype=bool)
    repeated[:, 1:] = ranked[:, 1:] == ranked[:, :-1]
    is_new = np.empty_like(repeated)
    np.put_along_axis(is_new, order, ~repeated, axis=1)
    place = is_new.cumsum(axis=1) - 1
    row, column = np.nonzero(is_new & (place < tiles))
    distinct = np.full((len(draws), tiles), -1)
    distinct[row, place[row, column]] = draws[row, column]
    return distinct


def _complete(page: NDArray[np.int64], weights: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Fill the rest of a page in place, by the same law, with whatever titles are left.

    Exponential times divided by weights, shortest first (Efraimidis and Spirakis, Information Processing
    Letters 97, 2006).
    """
    left = weights.astype(np.float64)
    found = int((page >= 0).sum())
    left[page[:found]] = 0.0
    candidates = np.flatnonzero(left > 0)
    times = rng.exponential(size=len(candidates)) / left[candidates]
    chosen = candidates[np.argsort(times)][: len(page) - found]
    page[found : found + len(chosen)] = chosen


def _propensities(
    weights: NDArray[np.float32], totals: NDArray[np.float64], titles: NDArray[np.int64]
) -> NDArray[np.float64]:
    drawn = np.take_along_axis(weights, np.maximum(titles, 0), axis=1).astype(np.float64)
    drawn[titles < 0] = 0.0
    before = np.zeros_like(drawn)
    np.cumsum(drawn[:, :-1], axis=1, out=before[:, 1:])
    remaining = np.maximum(totals[:, None] - before, 1e-12)
    return np.where(titles >= 0, np.minimum(drawn / remaining, 1.0), 0.0)
