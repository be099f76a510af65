"""A member at the end of each hour with viewing: the fold of all earlier events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.arrow_columns import (
    number_lists,
    record_batch,
    vectors,
    word_lists,
    words,
)
from feature_repo.transforms.calendar import Instants, hour_end
from feature_repo.transforms.decay import VELOCITY_TIME_CONSTANT_DAYS
from feature_repo.transforms.title_metadata import GenreVersions
from feature_repo.transforms.user_state import UserState, WatchEvents, advance, empty_state
from feature_repo.transforms.watch_log import WatchLog, blocks, select

EVENTS_PER_BLOCK: Final = 200_000
"""Events folded at a time: bounds memory, not the result."""


def user_snapshots(log: WatchLog, genres: GenreVersions, created_at: datetime) -> Iterator[pa.RecordBatch]:
    """Yield USER_SNAPSHOT rows, members in order, each member's rows in order of time.

    A row at the full hour T holds exactly the member's events before T, and there is one for every
    hour with events.
    """
    starts = log.member_starts()
    for members in blocks(np.diff(starts), EVENTS_PER_BLOCK):
        part = select(log, slice(starts[members.start], starts[members.stop]))
        recorded = last_of_each(part.user_codes, hour_end(part.timestamps))
        states = fold(part, genres, recorded)
        columns = snapshot_columns(states, log.titles) | {
            s.USER_ID: words(part.user_codes[recorded], log.users),
            s.EVENT_TIMESTAMP: hour_end(part.timestamps[recorded]),
        }
        yield record_batch(s.USER_SNAPSHOT, columns, created_at)


def last_of_each(user_codes: NDArray[np.int32], periods: Instants) -> NDArray[np.int64]:
    """Return the places of each member's last event in each period; both arrays are grouped and ordered."""
    if len(periods) == 0:
        return np.empty(0, dtype=np.int64)
    changes = (np.diff(user_codes) != 0) | (np.diff(periods) != 0)
    return np.append(np.flatnonzero(changes), len(periods) - 1)


def fold(
    log: WatchLog, genres: GenreVersions, recorded: NDArray[np.int64], before: UserState | None = None
) -> UserState:
    """Return the state right after each of the ``recorded`` events, in their order.

    ``before`` holds the members' states before their first event, one row per user code; without it they
    have watched nothing. Goes in rounds: the k-th event of every member at once. Members with most events
    come first, so that those who still have a k-th event are always the first rows.
    """
    begins = np.flatnonzero(np.diff(log.user_codes, prepend=-1))
    counts = np.diff(np.append(begins, len(log)))
    order = np.argsort(-counts, kind="stable")
    begins, counts = begins[order], counts[order]
    result_row = np.full(len(log), -1)
    result_row[recorded] = np.arange(len(recorded))
    versions = genres.versions(log.title_codes, log.timestamps)
    result = empty_state(len(recorded))
    state = empty_state(len(begins)) if before is None else before.take(log.user_codes[begins])
    active = len(begins)
    for k in range(counts.max(initial=0)):
        active = active if counts[active - 1] > k else int(np.searchsorted(-counts, -k))
        rows = begins[:active] + k
        state = advance(state.take(slice(active)), _events(log, genres.vectors, versions, rows))
        kept = np.flatnonzero(result_row[rows] >= 0)
        result.put(result_row[rows[kept]], state.take(kept))
    return result


def _events(
    log: WatchLog, genre_vectors: NDArray[np.float32], versions: NDArray[np.int64], rows: NDArray[np.int64]
) -> WatchEvents:
    return WatchEvents(
        titles=log.title_codes[rows],
        timestamps=log.timestamps[rows],
        plays=log.plays[rows],
        fractions=log.fractions[rows],
        minutes=log.minutes[rows],
        devices=log.device_codes[rows],
        genre_vectors=genre_vectors[versions[rows]],
    )


def snapshot_columns(states: UserState, titles: pa.StringArray) -> dict[str, pa.Array | NDArray[Any]]:
    """Return the feature columns of USER_SNAPSHOT for states with at least one event each.

    ``titles`` is the vocabulary of the states' title codes.
    """
    filled = states.recent_titles >= 0
    lengths = filled.sum(axis=1)
    devices = np.where(states.device_weights.any(axis=1), states.device_weights.argmax(axis=1), -1)
    return {
        s.RECENT_TITLE_IDS: word_lists(states.recent_titles[filled], lengths, titles),
        s.RECENT_WATCH_FRACTIONS: number_lists(states.recent_fractions[filled], lengths),
        s.GENRE_PREFERENCE: vectors(shares(states.genre_weights)),
        s.MEAN_SESSION_MINUTES: states.session_minutes / np.maximum(states.session_count, 1),
        s.LAST_WATCHED_AT: states.last_watched_at.astype(np.int64),
        s.FIRST_WATCHED_AT: states.first_watched_at.astype(np.int64),
        s.PREFERRED_DEVICE: words(devices, pa.array(s.DEVICES)),
        s.PREFERRED_HOUR: states.hour_weights.argmax(axis=1),
        s.WATCH_VELOCITY: states.recent_plays / VELOCITY_TIME_CONSTANT_DAYS,
        s.WATCH_COUNT: states.watch_count,
    }


def shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each row of ``weights`` (n, k) divided by its sum; a row of zeros stays one."""
    totals = weights.sum(axis=1, keepdims=True)
    return weights / np.where(totals > 0, totals, 1.0)
