"""How each title does, at the end of each day on which it was watched or shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.arrow_columns import (
    codes_of,
    microseconds,
    record_batch,
    sorted_vocabulary,
    words,
)
from feature_repo.transforms.calendar import Instants, day_end, hour_end
from feature_repo.transforms.decay import TRENDING_TIME_CONSTANT_DAYS, decay_factor
from feature_repo.transforms.viewings import Viewings

COMPLETION_PRIOR_VIEWS: Final = 20.0
"""A title's mean completion is drawn to that of all titles with the weight of so many viewings."""
PLAY_RATE_PRIOR_IMPRESSIONS: Final = 100.0
"""A title's play rate is drawn to that of all titles with the weight of so many impressions."""


@dataclass(frozen=True, slots=True)
class _Activity:
    """One row per title and day: what the day added. Ordered by day, then title."""

    title_codes: NDArray[np.int64]
    ends: Instants
    views: NDArray[np.float64]
    completion: NDArray[np.float64]
    """Sum of the gains of the title's viewings, old and new."""
    decayed_plays: NDArray[np.float64]
    """The day's viewings, decayed to its end."""
    impressions: NDArray[np.float64]
    plays: NDArray[np.float64]

    def days(self) -> Iterator[slice]:
        edges = np.append(np.flatnonzero(np.diff(self.ends, prepend=-1)), len(self.ends))
        return (slice(a, b) for a, b in pairwise(edges))


def title_statistics(viewed: Viewings, impressions: pa.Table, created_at: datetime) -> pa.RecordBatch:
    """Return TITLE_STATISTICS rows, in order of time, then title.

    A row at T counts what happened before T and nothing else, in its smoothing too: with ``n``
    viewings of the title that got to ``f`` in all, and ``m`` the mean over the viewings of all titles
    until then, mean_completion = (f + 20 m) / (n + 20); play_rate likewise, from plays and impressions,
    with weight 100 (Bayesian averages). While nothing has been viewed or shown at all they are 0 for
    every title, which prefers none. Whether an impression led to a play counts at the impression's
    instant. A row stands at the end of its day; those of the last day of all stand at the end of the
    last hour with activity. An impression repeated under one (page_id, title_id) counts once.
    """
    names = sorted_vocabulary(pa.chunked_array([viewed.log.titles]), impressions[s.TITLE_ID])
    activity = _activity(viewed, _distinct(impressions), names)
    columns = _accumulate(activity, len(names)) | {
        s.TITLE_ID: words(activity.title_codes, names),
        s.EVENT_TIMESTAMP: activity.ends,
        s.DECAYED_PLAYS_AT: activity.ends,
    }
    return record_batch(s.TITLE_STATISTICS, columns, created_at)


def _distinct(impressions: pa.Table) -> pa.Table:
    pages = impressions[s.PAGE_ID].combine_chunks().dictionary_encode().indices.to_numpy()
    titles = impressions[s.TITLE_ID].combine_chunks().dictionary_encode()
    keys = pages.astype(np.int64) * max(len(titles.dictionary), 1) + titles.indices.to_numpy()
    _, first = np.unique(keys, return_index=True)
    return impressions if len(first) == len(keys) else impressions.take(np.sort(first))


def _activity(viewed: Viewings, impressions: pa.Table, names: pa.StringArray) -> _Activity:
    shown_at = microseconds(impressions[s.EVENT_TIMESTAMP])
    watched_as = codes_of(pa.chunked_array([viewed.log.titles]), names)[viewed.log.title_codes]
    titles = np.concatenate((watched_as, codes_of(impressions[s.TITLE_ID], names))).astype(np.int64)
    ends = _period_ends(np.concatenate((viewed.log.timestamps, shown_at)))
    # Each (day, title) gets a number, in order of day and title; the rest are sums by that number.
    days, day = np.unique(ends, return_inverse=True)
    keys, row = np.unique(day * max(len(names), 1) + titles, return_inverse=True)
    watched, shown = row[: len(viewed.log)], row[len(viewed.log) :]
    ages = (ends[: len(viewed.log)] - viewed.log.timestamps).astype(np.float64)
    fading = decay_factor(ages, TRENDING_TIME_CONSTANT_DAYS) * viewed.starts
    played = impressions[s.PLAYED].to_numpy().astype(np.float64)
    return _Activity(
        title_codes=keys % max(len(names), 1),
        ends=days[keys // max(len(names), 1)],
        views=_sums(watched, viewed.starts, len(keys)),
        completion=_sums(watched, viewed.gains, len(keys)),
        decayed_plays=_sums(watched, fading, len(keys)),
        impressions=_sums(shown, np.ones(len(shown)), len(keys)),
        plays=_sums(shown, played, len(keys)),
    )


def _sums(groups: NDArray[np.int64], amounts: NDArray[Any], count: int) -> NDArray[np.float64]:
    return np.bincount(groups, amounts, count).astype(np.float64)


def _period_ends(instants: Instants) -> Instants:
    if len(instants) == 0:
        return instants
    return np.minimum(day_end(instants), hour_end(instants.max()))


def _accumulate(activity: _Activity, titles: int) -> dict[str, NDArray[np.generic]]:
    """Carry every title's totals through the days in turn, beside the totals of all titles."""
    views, completion, shown, played, fading = np.zeros((5, titles))
    as_of = np.zeros(titles)
    totals = np.zeros(4)
    mean_completion, play_rate, decayed = np.zeros((3, len(activity.ends)))
    view_count, impression_count = np.zeros((2, len(activity.ends)), dtype=np.int64)
    for day in activity.days():
        code, now = activity.title_codes[day], activity.ends[day]
        added = (activity.views, activity.completion, activity.impressions, activity.plays)
        for total, amount in zip((views, completion, shown, played), added, strict=True):
            total[code] += amount[day]
        totals += [amount[day].sum() for amount in added]
        fading[code] *= decay_factor(now - as_of[code], TRENDING_TIME_CONSTANT_DAYS)
        fading[code] += activity.decayed_plays[day]
        as_of[code] = now
        view_count[day], impression_count[day], decayed[day] = views[code], shown[code], fading[code]
        mean = totals[1] / max(totals[0], 1.0)
        mean_completion[day] = _smoothed(completion[code], views[code], mean, COMPLETION_PRIOR_VIEWS)
        rate = totals[3] / max(totals[2], 1.0)
        play_rate[day] = _smoothed(played[code], shown[code], rate, PLAY_RATE_PRIOR_IMPRESSIONS)
    return {
        s.VIEW_COUNT: view_count,
        s.MEAN_COMPLETION: mean_completion,
        s.DECAYED_PLAYS: decayed,
        s.IMPRESSION_COUNT: impression_count,
        s.PLAY_RATE: play_rate,
    }


def _smoothed(
    total: NDArray[np.float64], count: NDArray[np.float64], prior: float, weight: float
) -> NDArray[np.float64]:
    return np.clip((total + weight * prior) / (count + weight), 0.0, 1.0)
