"""All titles that a member has watched, at the end of each day with viewing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from feature_repo import schema as s
from feature_repo.transforms.arrow_columns import record_batch, word_lists, words
from feature_repo.transforms.calendar import Instants, day_end, hour_end
from feature_repo.transforms.user_snapshot import last_of_each
from feature_repo.transforms.watch_log import WatchLog, blocks, select

WATCHED_TITLES: Final = 2_000
"""How many of a member's latest titles the history keeps."""
ENTRIES_PER_BLOCK: Final = 10_000_000
"""List entries built at a time, at most: bounds memory, not the result."""


def user_histories(log: WatchLog, created_at: datetime) -> Iterator[pa.RecordBatch]:
    """Yield USER_HISTORY rows, members in order, each member's rows in order of time.

    The row of a day stands at its end and holds the titles watched before that instant. Only the row
    of a member's last day stands earlier, at the end of the last hour with viewing, so that the latest
    history is never older than the latest snapshot.
    """
    starts = log.member_starts()
    days = _day_count(log)
    cost = days * np.diff(starts)
    for members in blocks(cost, ENTRIES_PER_BLOCK):
        part = select(log, slice(starts[members.start], starts[members.stop]))
        yield _histories(part, created_at)


def _day_count(log: WatchLog) -> NDArray[np.int64]:
    last = last_of_each(log.user_codes, day_end(log.timestamps))
    return np.bincount(log.user_codes[last], minlength=len(log.users))


def _histories(log: WatchLog, created_at: datetime) -> pa.RecordBatch:
    ends = day_end(log.timestamps)
    last = last_of_each(log.user_codes, ends)
    events, lengths = _latest_first(log, last)
    columns = {
        s.USER_ID: words(log.user_codes[last], log.users),
        s.EVENT_TIMESTAMP: _row_instants(log, ends, last),
        s.WATCHED_TITLE_IDS: word_lists(log.title_codes[events], lengths, log.titles),
    }
    return record_batch(s.USER_HISTORY, columns, created_at)


def _row_instants(log: WatchLog, ends: Instants, last: NDArray[np.int64]) -> Instants:
    final = np.diff(log.user_codes[last], append=-1) != 0
    return np.where(final, hour_end(log.timestamps[last]), ends[last])


def _latest_first(log: WatchLog, last: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, row after row, the event by which each title stands in it, latest first, and the lengths.

    An event speaks for its title from the row of its day up to the row in which the title is watched
    again, or the member's last row. These runs of rows, one per event and latest event first, are a
    sparse matrix (events, rows); read by columns they are the lists.
    """
    rows = np.searchsorted(last, np.arange(len(log)))
    until = np.searchsorted(log.user_codes[last], log.user_codes, "right")
    by_pair = np.lexsort((log.title_codes, log.user_codes))
    again = (np.diff(log.user_codes[by_pair]) == 0) & (np.diff(log.title_codes[by_pair]) == 0)
    until[by_pair[:-1][again]] = rows[by_pair[1:][again]]
    latest_first = np.arange(len(log))[::-1]
    runs = _runs(rows[latest_first], until[latest_first], len(last)).tocsc()
    place = np.arange(runs.nnz) - np.repeat(runs.indptr[:-1], np.diff(runs.indptr))
    kept = runs.indices[place < WATCHED_TITLES]
    return latest_first[kept], np.minimum(np.diff(runs.indptr), WATCHED_TITLES)


def _runs(begins: NDArray[np.int64], ends: NDArray[np.int64], width: int) -> sparse.csr_array:
    lengths = ends - begins
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    columns = np.arange(offsets[-1]) + np.repeat(begins - offsets[:-1], lengths)
    ones = np.ones(len(columns), dtype=np.int8)
    return sparse.csr_array((ones, columns, offsets), shape=(len(begins), width))
