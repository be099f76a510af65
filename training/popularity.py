"""What serving shows without a personal model: popularity and trending, per segment of members and overall.

Both are shares of viewing that sum to 1 over the catalogue. A segment with little viewing leans on the one
above it: its share is the posterior mean of a Dirichlet prior centred on that one's share,

    (weight in the segment + prior_weight * share above) / (all weight in the segment + prior_weight).

Above "KR/ko" (members in Korea who speak Korean) stands "KR", above that, and above "/ko", everybody.

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
from feature_repo.transforms.trending import PRIOR_PLAYS
from training.interactions import highest_per_pair

EVERYWHERE: Final = ""
"""The row of all countries together, and the country of members whose country is unknown."""


class SegmentScores(NamedTuple):
    """``segments``: unicode [S], first :data:`EVERYWHERE`, then sorted. ``scores``: float32 [S, T].

    ``weights``: float32 [S], the weight of all viewing in each segment.
    """

    segments: NDArray[np.str_]
    scores: NDArray[np.float32]
    weights: NDArray[np.float32]


def popularity_scores(
    user_ids: NDArray[np.str_],
    title_rows: NDArray[np.int64],
    watch_fractions: NDArray[np.float32],
    event_countries: NDArray[np.str_],
    event_languages: NDArray[np.str_],
    *,
    title_count: int,
    prior_weight: float = 200.0,
) -> SegmentScores:
    """Return each title's share of viewers in each segment, weighted by how far they watched.

    The arrays hold one element per watch event of the window: ``title_rows`` from 0 to
    ``title_count`` - 1, ``event_countries`` and ``event_languages`` the member's, "" where unknown. A viewer
    counts once per title, with the highest fraction reached (0 to 1; NaN counts 0). ``scores`` has a row for
    each segment with viewing. ``prior_weight`` is in completed viewings.
    """
    fractions = np.nan_to_num(np.asarray(watch_fractions, dtype=np.float64))
    viewers = np.unique(user_ids, return_inverse=True)[1]
    kept = highest_per_pair(viewers, title_rows, fractions)
    titles, weights = title_rows[kept], fractions[kept]
    member_segments = _segments_by_event(event_countries[kept], event_languages[kept])
    return _shares(titles, member_segments, weights, title_count=title_count, prior_weight=prior_weight)


def trending_scores(
    title_rows: NDArray[np.int64],
    event_countries: NDArray[np.str_],
    timestamps: NDArray[np.int64],
    *,
    as_of: datetime,
    title_count: int,
    prior_weight: float = PRIOR_PLAYS,
) -> SegmentScores:
    """Return each title's share of plays per country, each fading by 1/e in TRENDING_TIME_CONSTANT_DAYS.

    One element per play: ``timestamps`` in int64 microseconds since 1970 UTC; plays at or after
    ``as_of`` are ignored. Other arguments as in :func:`popularity_scores`; ``prior_weight`` is in plays
    of just now.
    """
    now = epoch_microseconds(as_of)
    past = timestamps < now
    weights = decay_factor((now - timestamps[past]).astype(np.float64), TRENDING_TIME_CONSTANT_DAYS)
    titles, countries = title_rows[past], event_countries[past]
    return _shares(titles, [countries], weights, title_count=title_count, prior_weight=prior_weight)


def _segments_by_event(countries: NDArray[np.str_], languages: NDArray[np.str_]) -> list[NDArray[np.str_]]:
    """Return, for each kind of segment, the one of every event, "" where it has none."""
    spoken = np.where(languages != "", np.char.add("/", languages), "")
    both = np.where((countries != "") & (spoken != ""), np.char.add(countries, spoken), "")
    return [countries, spoken, both]


def _shares(
    title_rows: NDArray[np.int64],
    segments_by_event: Sequence[NDArray[np.str_]],
    weights: NDArray[np.float64],
    *,
    title_count: int,
    prior_weight: float,
) -> SegmentScores:
    """``segments_by_event`` lists a segment per event and kind; a kind leans on kinds before it."""
    if prior_weight <= 0:
        raise ValueError(f"prior_weight is {prior_weight}: give a positive number of viewings")
    overall = np.bincount(title_rows, weights, minlength=title_count)
    shares = {EVERYWHERE: overall / overall.sum() if overall.sum() > 0 else overall}
    totals = {EVERYWHERE: overall.sum()}
    for of_event in segments_by_event:
        names, codes = np.unique(of_event, return_inverse=True)
        for code, name in enumerate(names.tolist()):
            if name == EVERYWHERE:
                continue
            inside = codes == code
            local = np.bincount(title_rows[inside], weights[inside], minlength=title_count)
            above = shares.get(name.split("/")[0], shares[EVERYWHERE])
            totals[name] = local.sum()
            shares[name] = (local + prior_weight * above) / (local.sum() + prior_weight)
    segments = [EVERYWHERE, *sorted(set(shares) - {EVERYWHERE})]
    scores = np.array([shares[name] for name in segments], dtype=np.float32)
    weights_of_all = np.array([totals[name] for name in segments], dtype=np.float32)
    return SegmentScores(np.array(segments, dtype=np.str_), scores, weights_of_all)
