"""The watch events in the one order that all features are computed in, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.arrow_columns import codes_of, microseconds, sorted_vocabulary
from feature_repo.transforms.calendar import Instants


@dataclass(frozen=True, slots=True)
class WatchLog:
    """Watch events ordered by (member, event_timestamp, event_id), each event id once.

    ``user_codes`` and ``title_codes`` are places in the sorted ``users`` and ``titles``;
    ``device_codes`` in ``schema.DEVICES``, -1 where unknown. ``fractions`` (0 to 1, as
    :func:`known_fractions` gives them) and ``minutes`` are float64, NaN where unknown. ``plays`` marks the
    events of type ``play``.
    """

    users: pa.StringArray
    titles: pa.StringArray
    user_codes: NDArray[np.int32]
    title_codes: NDArray[np.int32]
    timestamps: Instants
    plays: NDArray[np.bool_]
    fractions: NDArray[np.float64]
    minutes: NDArray[np.float64]
    device_codes: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.timestamps)

    def reached(self) -> NDArray[np.float64]:
        """Return the fraction that each event reports; 0 for a ``play`` and where it is unknown."""
        return reached_fraction(self.plays, self.fractions)

    def member_starts(self) -> NDArray[np.int64]:
        """Return where each member's events begin, and the end: one more than there are members."""
        return np.searchsorted(self.user_codes, np.arange(len(self.users) + 1))


def reached_fraction(plays: NDArray[np.bool_], fractions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the fraction that events report: a ``play`` reports 0, an unknown fraction counts as 0."""
    return np.where(plays | np.isnan(fractions), 0.0, fractions)


def begins_anew(
    plays: NDArray[np.bool_], fractions: NDArray[np.float64], furthest: NDArray[np.floating[Any]]
) -> NDArray[np.bool_]:
    """Return which events begin a viewing of a title whose last viewing got as far as ``furthest``, 0 to 1.

    A ``play`` does, unless its fraction (above 0) says that it resumes, and there is something to resume: a
    viewing that has not reached COMPLETION_FRACTION. All arrays have one shape; an unknown fraction is NaN.
    """
    return plays & ~((fractions > 0) & (furthest < s.COMPLETION_FRACTION))


def known_fractions(
    event_types: pa.Array | pa.ChunkedArray, fractions: pa.Array | pa.ChunkedArray
) -> NDArray[np.float64]:
    """Return the fraction that each event tells, 0 to 1, NaN where none is known.

    A ``complete`` that reports none was watched to the end: it tells 1.
    """
    ended = pc.and_(pc.equal(event_types, "complete"), pc.is_null(fractions))
    return _numbers(pc.if_else(ended, pa.scalar(1.0, fractions.type), fractions))


def watch_log(events: pa.Table) -> WatchLog:
    """Order, deduplicate and encode the watch events of an ``events`` table.

    Of rows with one event id the earliest counts, whatever its type. Other event types are left out.
    """
    ordered = distinct_events(events)
    watching = pc.is_in(ordered[s.EVENT_TYPE], value_set=pa.array(s.WATCH_EVENT_TYPES))
    watched = ordered.filter(watching)
    users, titles = sorted_vocabulary(watched[s.USER_ID]), sorted_vocabulary(watched[s.TITLE_ID])
    user_codes = codes_of(watched[s.USER_ID], users)
    by_member = np.argsort(user_codes, kind="stable")
    log = WatchLog(
        users=users,
        titles=titles,
        user_codes=user_codes,
        title_codes=codes_of(watched[s.TITLE_ID], titles),
        timestamps=microseconds(watched[s.EVENT_TIMESTAMP]),
        plays=pc.equal(watched[s.EVENT_TYPE], s.WATCH_EVENT_TYPES[0]).to_numpy(),
        fractions=known_fractions(watched[s.EVENT_TYPE], watched[s.WATCH_FRACTION]),
        minutes=_numbers(watched[s.DURATION_MINUTES]),
        device_codes=codes_of(watched[s.DEVICE_TYPE], pa.array(s.DEVICES)),
    )
    return select(log, by_member)


def distinct_events(events: pa.Table) -> pa.Table:
    """Return the events by (event_timestamp, event_id), of rows with one event id the earliest."""
    return _without_duplicates(events.take(_order(events)))


def select(log: WatchLog, rows: NDArray[np.int64] | slice) -> WatchLog:
    """Return the chosen events, with the same vocabularies."""
    return WatchLog(
        users=log.users,
        titles=log.titles,
        user_codes=log.user_codes[rows],
        title_codes=log.title_codes[rows],
        timestamps=log.timestamps[rows],
        plays=log.plays[rows],
        fractions=log.fractions[rows],
        minutes=log.minutes[rows],
        device_codes=log.device_codes[rows],
    )


def blocks(costs: NDArray[np.integer[Any]], limit: int) -> Iterator[slice]:
    """Cut a run of members into consecutive slices that cost about ``limit`` each, one member at least."""
    before = np.cumsum(costs) - costs
    cuts = np.flatnonzero(np.diff(before // limit)) + 1
    edges = [0, *cuts.tolist(), len(costs)]
    return (slice(a, b) for a, b in pairwise(edges) if b > a)


def _order(events: pa.Table) -> pa.Array:
    # Beyond (timestamp, id) the keys only settle which of several rows with one id is kept.
    keys = (s.EVENT_TIMESTAMP, s.EVENT_ID, s.USER_ID, s.TITLE_ID, s.EVENT_TYPE, s.WATCH_FRACTION,
            s.DURATION_MINUTES, s.DEVICE_TYPE)  # fmt: skip
    return pc.sort_indices(events, sort_keys=[(key, "ascending") for key in keys])


def _without_duplicates(ordered: pa.Table) -> pa.Table:
    ids = ordered[s.EVENT_ID].combine_chunks().dictionary_encode()
    if len(ids.dictionary) == len(ordered):
        return ordered
    _, first = np.unique(ids.indices.to_numpy(), return_index=True)
    return ordered.take(np.sort(first))


def _numbers(values: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    filled = pc.fill_null(values.cast(pa.float64()), np.nan)
    return np.array(filled, dtype=np.float64)
