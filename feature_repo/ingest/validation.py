"""Row checks derived from the schema: what a value may be is said once, in ``schema.Column``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo import identifiers
from feature_repo.ingest.faults import RowFaults
from feature_repo.ingest.rejects import RejectFile
from feature_repo.ingest.seen_keys import SeenKeys, key_hashes
from feature_repo.ingest.sources import SourceBatch
from feature_repo.schema import EVENT_TIMESTAMP, MEMBERS, TITLES, Column, Table

FIRST_INSTANT = datetime(1970, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(2100, 1, 1, tzinfo=UTC)
MOST_AHEAD = timedelta(minutes=5)
"""How far a row's instant may lie after the clock that it is held to: clocks differ."""

DUPLICATE = "is a duplicate"

Converter = Callable[[SourceBatch, Table, RowFaults], pa.RecordBatch]
"""Turns a raw batch into rows of the table's types, with faults for what it could not convert."""


def accepted_rows(
    batches: Iterable[SourceBatch],
    table: Table,
    convert: Converter,
    seen: SeenKeys,
    rejects: RejectFile,
    now: datetime,
) -> Iterator[pa.RecordBatch]:
    """Yield the good rows of each batch; the others go to ``rejects`` with their reason.

    ``now`` (aware) is the present: what lies after it has not happened yet.
    """
    present = pa.scalar(now, table.column(EVENT_TIMESTAMP).type)
    for batch in batches:
        faults = RowFaults(batch.rows.num_rows)
        rows = convert(batch, table, faults)
        check_rows(rows, table, faults)
        check_not_ahead(
            rows.column(EVENT_TIMESTAMP),
            present,
            "this machine's clock; correct the row or the clock",
            faults,
        )
        check_unique(rows, table, seen, faults)
        rejects.add(batch, faults)
        yield rows.filter(pa.array(~faults.failed))


def check_rows(rows: pa.RecordBatch, table: Table, faults: RowFaults) -> None:
    """Check every value of rows that have the table's columns and types."""
    for column in table.columns:
        values = rows.column(column.name)
        if not column.nullable:
            faults.add(column.name, _mask(pc.is_null(values)), "is missing")
        if pa.types.is_list(column.type):
            _check_lists(values, column, faults)
        else:
            for at, rule in _broken_rules(values, column):
                faults.add(column.name, at, rule, values)


def check_not_ahead(
    instants: pa.TimestampArray, clocks: pa.TimestampArray | pa.TimestampScalar, whose: str, faults: RowFaults
) -> None:
    """Mark the rows whose instant lies more than MOST_AHEAD after that of their clock.

    ``clocks`` is one instant for all or one each; null: not known, anything goes. ``whose`` says in the
    reason which clock it is.
    """
    latest = pc.add(clocks, pa.scalar(MOST_AHEAD, pa.duration("us")))
    rule = f"lies more than {MOST_AHEAD // timedelta(minutes=1)} minutes after {whose}"
    faults.add(EVENT_TIMESTAMP, _mask(pc.greater(instants, latest)), rule, instants)


def key_columns(table: Table) -> tuple[str, ...]:
    """Return the columns that no two rows of an import may share.

    Titles and members have versions: the same key at another instant is a change, not a duplicate.
    """
    return (*table.keys, EVENT_TIMESTAMP) if table.name in {TITLES.name, MEMBERS.name} else table.keys


def check_unique(rows: pa.RecordBatch, table: Table, seen: SeenKeys, faults: RowFaults) -> None:
    """Mark good rows whose key was met before; rows with another fault do not take a key."""
    good = np.flatnonzero(~faults.failed)
    hashes = key_hashes([rows.column(name).take(pa.array(good)) for name in key_columns(table)])
    repeated = np.zeros(rows.num_rows, bool)
    repeated[good] = ~seen.add(hashes)
    faults.add(table.keys[0], repeated, DUPLICATE, rows.column(table.keys[0]))


def _broken_rules(values: pa.Array, column: Column) -> Iterator[tuple[NDArray[np.bool_], str]]:
    """Yield, for each rule that applies to the column, where it is broken and how to say so."""
    if pa.types.is_string(values.type) and column.allowed is None:
        yield _mask(pc.equal(pc.utf8_trim_whitespace(values), "")), "is empty"
    if column.identifier:
        yield _mask(identifiers.broken(values)), f"is no id: {identifiers.REMEDY}"
    if pa.types.is_floating(values.type):
        yield _mask(pc.invert(pc.is_finite(values))), "is not a finite number"
    if pa.types.is_timestamp(values.type):
        outside = pc.or_(
            pc.less(values, pa.scalar(FIRST_INSTANT, values.type)),
            pc.greater_equal(values, pa.scalar(LAST_INSTANT, values.type)),
        )
        yield _mask(outside), "lies outside 1970 to 2099 (numbers are seconds, not milliseconds)"
    if column.minimum is not None:
        yield _mask(pc.less(values, column.minimum)), f"is below {column.minimum}"
    if column.maximum is not None:
        yield _mask(pc.greater(values, column.maximum)), f"is above {column.maximum}"
    if column.allowed is not None:
        known = pc.is_in(values, value_set=pa.array(column.allowed))
        yield (
            _mask(pc.and_(pc.is_valid(values), pc.invert(known))),
            f"is not one of {', '.join(column.allowed)}",
        )


def _check_lists(lists: pa.Array, column: Column, faults: RowFaults) -> None:
    if column.length is not None:
        lengths = pc.list_value_length(lists)
        faults.add(
            column.name,
            _mask(pc.not_equal(lengths, column.length)),
            f"values instead of {column.length}",
            lengths,
        )
    elements = pc.list_flatten(lists)
    parents = pc.list_parent_indices(lists).to_numpy()
    rules = [(_mask(pc.is_null(elements)), "is missing"), *_broken_rules(elements, column)]
    for at, rule in rules:
        broken = np.flatnonzero(at)
        rows = np.zeros(len(lists), bool)
        rows[parents[broken]] = True
        first = {int(parents[i]): elements[int(i)] for i in broken[::-1]}
        faults.add(column.name, rows, rule, first)


def _mask(values: pa.Array) -> NDArray[np.bool_]:
    """Return a boolean array; unknown counts as false."""
    return np.array(pc.fill_null(values, False).to_numpy(zero_copy_only=False), bool)
