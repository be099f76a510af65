"""The titles that a member has hidden: thumbs down hides a title, a later thumbs up shows it again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo import schema as s
from feature_repo.transforms.arrow_columns import microseconds, record_batch
from feature_repo.transforms.watch_log import distinct_events

HIDES: Final = "thumbs_down"
SHOWS: Final = "thumbs_up"
HIDDEN_TITLES: Final = 2_000
"""How many of a member's latest hidden titles are kept."""

_Change = tuple[str, int, str, str]
"""(user_id, microseconds since 1970 UTC, title_id, event_type)."""


def user_hidden(events: pa.Table, created_at: datetime) -> pa.RecordBatch:
    """Return USER_HIDDEN rows: one per member and instant at which a thumb was given.

    Events count in the order of (event_timestamp, event_id), whatever order they come in; an event that
    comes twice changes nothing.
    """
    given = pc.is_in(events[s.EVENT_TYPE], value_set=pa.array([HIDES, SHOWS]))
    thumbs = distinct_events(events.filter(given))
    instants = microseconds(thumbs[s.EVENT_TIMESTAMP]).tolist()
    columns = (thumbs[name].to_pylist() for name in (s.TITLE_ID, s.EVENT_TYPE))
    changes = list(zip(thumbs[s.USER_ID].to_pylist(), instants, *columns, strict=True))
    changes.sort(key=itemgetter(0))  # stable: a member's changes stay in their order
    rows = [row for _, of_member in groupby(changes, itemgetter(0)) for row in _states(of_member)]
    users, moments, hidden = zip(*rows, strict=True) if rows else ((), (), ())
    columns_of_rows = {
        s.USER_ID: pa.array(users, pa.string()),
        s.EVENT_TIMESTAMP: np.array(moments, dtype=np.int64),
        s.HIDDEN_TITLE_IDS: pa.array(hidden, pa.list_(pa.string())),
    }
    return record_batch(s.USER_HIDDEN, columns_of_rows, created_at)


def _states(changes: Iterator[_Change]) -> Iterator[tuple[str, int, list[str]]]:
    """Yield what a member has hidden after each instant, latest first."""
    hidden: dict[str, None] = {}
    for (user_id, moment), at_once in groupby(changes, itemgetter(0, 1)):
        for _, _, title_id, event_type in at_once:
            hidden.pop(title_id, None)
            if event_type == HIDES:
                hidden[title_id] = None
        yield user_id, moment, list(hidden)[: -HIDDEN_TITLES - 1 : -1]
