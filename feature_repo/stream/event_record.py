"""One event as it lies in the log: compact JSON with exactly the keys of the table EVENTS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo.ingest.conversion import expected, written_instants
from feature_repo.ingest.faults import RowFaults
from feature_repo.ingest.validation import FIRST_INSTANT, LAST_INSTANT, check_not_ahead, check_rows
from feature_repo.schema import EVENT_TIMESTAMP, EVENTS, USER_ID, Column
from feature_repo.stream.event_log import LogRecord
from feature_repo.transforms.calendar import epoch_microseconds

SERVICE_TIME: Final = "service_time"
"""A key beside those of EVENTS: the present of a service whose clock is not that of the log."""
_LONGEST_REASON: Final = 500
_FIRST, _END = epoch_microseconds(FIRST_INSTANT), epoch_microseconds(LAST_INSTANT)
_NESTED: Final[dict[type, str]] = {dict: "an object", list: "a list"}

Values = list[Any]
"""One column of records, as JSON gave it."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something a member did; the table EVENTS says what each value may be. The instant is aware."""

    event_id: str
    user_id: str
    title_id: str
    event_type: str
    event_timestamp: datetime
    watch_fraction: float | None = None
    duration_minutes: float | None = None
    device_type: str | None = None


def encode_event(event: Event, service_time: datetime | None = None) -> LogRecord:
    """Return the record of an event, to append to a log.

    Instants become whole microseconds since 1970 UTC; what is unknown becomes null. ``service_time`` (aware)
    is the present by the clock of the service that appends it, which may replay old data or run ahead; left
    out, the event is held to the log's clock.
    """
    values = {
        "event_id": event.event_id,
        "user_id": event.user_id,
        "title_id": event.title_id,
        "event_type": event.event_type,
        "event_timestamp": epoch_microseconds(event.event_timestamp),
        "watch_fraction": event.watch_fraction,
        "duration_minutes": event.duration_minutes,
        "device_type": event.device_type,
    }
    if service_time is not None:
        values[SERVICE_TIME] = epoch_microseconds(service_time)
    return LogRecord(event.user_id, orjson.dumps(values))


def is_about(value: bytes, user_id: str) -> bool:
    """Say whether a record is of a member; of bytes that are no record, whether the id stands in them."""
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError:
        return user_id.encode() in value
    return isinstance(record, dict) and record.get(USER_ID) == user_id


def decode_events(
    values: Sequence[bytes], appended_at_ms: Sequence[int] | None = None
) -> tuple[pa.RecordBatch, list[int], list[tuple[int, str]]]:
    """Return the good events, the index in ``values`` of each, and (index, reason) for each of the others.

    The batch has the Arrow schema of EVENTS. ``event_timestamp`` may be whole microseconds since 1970 UTC or
    an RFC 3339 time; what may be unknown may be left out; keys that are not of EVENTS are passed over, so
    that a later version may add some. A bad record costs no other: nothing is raised, whatever the bytes.

    ``appended_at_ms`` says when each was appended, by the log's clock (milliseconds since 1970 UTC; 0 and
    less: not known). An event that lies more than MOST_AHEAD after that is bad; one that bears the time of
    its service is held to that instead.
    """
    faults = RowFaults(len(values))
    records = _parsed(values, faults)
    columns = {c.name: [record.get(c.name) for record in records] for c in EVENTS.columns}
    arrays = [_array(column, columns[column.name], faults) for column in EVENTS.columns]
    clocks = _instants(SERVICE_TIME, [record.get(SERVICE_TIME) for record in records], faults)
    rows = pa.RecordBatch.from_arrays(arrays, schema=pa.schema([(c.name, c.type) for c in EVENTS.columns]))
    check_rows(rows, EVENTS, faults)
    if appended_at_ms is not None:
        clocks = pc.coalesce(clocks, _appended(appended_at_ms, clocks.type))
    whose = "the instant at which it was appended; set the clock of whoever sent it"
    check_not_ahead(rows[EVENT_TIMESTAMP], clocks, whose, faults)
    poison = [(int(i), str(faults.reasons[i])[:_LONGEST_REASON]) for i in np.flatnonzero(faults.failed)]
    good = rows.filter(pa.array(~faults.failed)) if poison else rows
    events = pa.RecordBatch.from_arrays(good.columns, schema=EVENTS.arrow_schema)
    return events, np.flatnonzero(~faults.failed).tolist(), poison


def _parsed(values: Sequence[bytes], faults: RowFaults) -> list[dict[str, Any]]:
    """Return a dictionary for each value, an empty one (and a fault) for what is no JSON object."""
    records: list[dict[str, Any]] = []
    for index, value in enumerate(values):
        try:
            record = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            faults.add_one("record", index, f"is no JSON: {error}")
            record = {}
        if not isinstance(record, dict):
            faults.add_one("record", index, "is no JSON object")
            record = {}
        records.append(record)
    return records


def _array(column: Column, values: Values, faults: RowFaults) -> pa.Array:
    """Return one column in its type, null (and a fault) where a value is of another."""
    if column.name == EVENT_TIMESTAMP:
        return _instants(column.name, values, faults)
    number = pa.types.is_floating(column.type)
    values = _only(
        values, {int, float} if number else {str}, column.name, f"is not {expected(column)}", faults
    )
    if number:  # Arrow refuses whole numbers that a float cannot hold exactly
        values = [None if value is None else float(value) for value in values]
        return pa.array(values, pa.float64()).cast(column.type, safe=False)
    return pa.array(values, column.type)


def _instants(name: str, values: Values, faults: RowFaults) -> pa.Array:
    rule = "is not whole microseconds since 1970 or an RFC 3339 time with zone"
    values = _only(values, {int, str}, name, rule, faults)
    # Arrow holds 64 bits, Python's instants end with the year 9999: what lies beyond never gets that far.
    numbers = [value if type(value) is int and _FIRST <= value < _END else None for value in values]
    beyond = np.array([type(v) is int and n is None for v, n in zip(values, numbers, strict=True)], np.bool_)
    found = pa.array(numbers, pa.int64())
    if str in set(map(type, values)):
        texts = pa.array([value if type(value) is str else None for value in values], pa.string())
        written = written_instants(texts)
        faults.add(name, _true(pc.and_(pc.is_valid(texts), pc.is_null(written))), rule, values)
        micros = written.cast(pa.int64())
        outside = pc.or_(pc.less(micros, _FIRST), pc.greater_equal(micros, _END))
        beyond |= _true(outside)
        found = pc.coalesce(found, pc.if_else(outside, None, micros))
    rule = "lies outside 1970 to 2099 (numbers are microseconds)"
    faults.add(name, beyond, rule, values)
    return found.cast(EVENTS.column(EVENT_TIMESTAMP).type)


def _appended(appended_at_ms: Sequence[int], kind: pa.DataType) -> pa.Array:
    """Return the log's instants; a broker that keeps none says 0 or less."""
    return pa.array([at * 1000 if at > 0 else None for at in appended_at_ms], pa.int64()).cast(kind)


def _only(values: Values, kinds: set[type], name: str, rule: str, faults: RowFaults) -> Values:
    """Return the values with None (and a fault) in place of those that are not of these very types."""
    kinds = {*kinds, type(None)}
    if set(map(type, values)) <= kinds:
        return values
    strange = np.array([type(value) not in kinds for value in values], np.bool_)
    # What is nested may be too deep to be written out.
    shown = [_NESTED.get(type(value), value) for value in values]
    faults.add(name, strange, rule, shown)
    return [value if type(value) in kinds else None for value in values]


def _true(mask: pa.Array) -> NDArray[np.bool_]:
    """Return a boolean array; unknown counts as false."""
    return np.array(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), np.bool_)
