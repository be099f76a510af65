"""A member's last 24 hours, just after each watch event: what a stream knows before the hour is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.arrow_columns import number_lists, record_batch, vectors, word_lists, words
from feature_repo.transforms.calendar import Instants
from feature_repo.transforms.decay import MICROSECONDS_PER_HOUR
from feature_repo.transforms.title_metadata import GenreVersions
from feature_repo.transforms.user_snapshot import fold, last_of_each, shares
from feature_repo.transforms.user_state import UserState
from feature_repo.transforms.watch_log import WatchLog, blocks, select

SESSION_HOURS: Final = 24
EVENTS_PER_BLOCK: Final = 50_000
"""Events folded at a time, each of which makes a row: bounds memory, not the result."""


def just_after(instants: Instants) -> Instants:
    """Return the first instant at which an event of each instant lies before.

    A row at T holds what happened before T and nothing else, in every table.
    """
    return instants + 1


def user_sessions(log: WatchLog, genres: GenreVersions, created_at: datetime) -> Iterator[pa.RecordBatch]:
    """Yield USER_SESSION rows, members in order, each member's rows in order of time.

    There is one row for every instant with events, just after it.
    """
    starts = log.member_starts()
    for members in blocks(np.diff(starts), EVENTS_PER_BLOCK):
        part = select(log, slice(starts[members.start], starts[members.stop]))
        recorded = last_of_each(part.user_codes, part.timestamps)
        columns = session_columns(fold(part, genres, recorded), log.titles) | {
            s.USER_ID: words(part.user_codes[recorded], log.users),
            s.EVENT_TIMESTAMP: just_after(part.timestamps[recorded]),
        }
        yield record_batch(s.USER_SESSION, columns, created_at)


def session_columns(states: UserState, titles: pa.StringArray) -> dict[str, pa.Array | NDArray[Any]]:
    """Return the feature columns of USER_SESSION for states with at least one event each.

    ``titles`` is the vocabulary of the states' title codes. A title belongs to the session where its latest
    event lies less than SESSION_HOURS before the state's.
    """
    since = states.last_watched_at - SESSION_HOURS * MICROSECONDS_PER_HOUR
    inside = (states.recent_titles >= 0) & (states.recent_watched_at > since[:, None])
    lengths = inside.sum(axis=1)
    return {
        s.SESSION_TITLE_IDS: word_lists(states.recent_titles[inside], lengths, titles),
        s.SESSION_WATCH_FRACTIONS: number_lists(states.recent_fractions[inside], lengths),
        s.SESSION_COMPLETION: _mean(states.recent_fractions, inside),
        s.SESSION_MINUTES: _mean(states.recent_minutes, inside),
        s.SESSION_DEVICE: words(states.latest_device, pa.array(s.DEVICES)),
        s.SESSION_WATCHED_AT: states.last_watched_at.astype(np.int64),
        s.SESSION_GENRES: vectors(shares(states.session_genre_weights)),
    }


def _mean(values: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    totals: NDArray[np.float64] = np.where(inside, values, 0.0).sum(axis=1, dtype=np.float64)
    means: NDArray[np.float64] = totals / np.maximum(inside.sum(axis=1), 1)
    return means
