"""From the values a file holds to the types of the schema, a column at a time.

A value that cannot be converted becomes null and a fault of its row; a column whose type can never
work, or none of whose values does, stops the import.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo.ingest.faults import RowFaults
from feature_repo.ingest.sources import DataFileError, SourceBatch
from feature_repo.schema import Column, Table

LIST_SEPARATOR = "|"
WRONG_TYPE_ROWS = 20
"""From this many rows on, a batch without one convertible value is a wrong column, not bad rows."""

_EPOCH_SECONDS = r"^[+-]?\d+(\.\d*)?$"
_BEYOND_MICROSECONDS = r"(\.\d{6})\d+"
_EXPECTED: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_boolean, "true or false"),
    (pa.types.is_integer, "a whole number"),
    (pa.types.is_floating, "a number"),
    (pa.types.is_timestamp, "an RFC 3339 time with zone or epoch seconds"),
    (pa.types.is_list, f"a list of text (in CSV separated by {LIST_SEPARATOR!r})"),
    (pa.types.is_string, "text"),
)


def convert_rows(batch: SourceBatch, table: Table, faults: RowFaults) -> pa.RecordBatch:
    """Return the batch with exactly the table's columns and types (nulls allowed anywhere).

    Columns that the file lacks become null. Raises :class:`DataFileError` for a column of a wrong type.
    """
    arrays = []
    for column in table.columns:
        if column.name in batch.rows.schema.names:
            arrays.append(convert_column(batch, column, faults))
        else:
            arrays.append(pa.nulls(batch.rows.num_rows, column.type))
    schema = pa.schema([pa.field(c.name, c.type) for c in table.columns])
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def convert_column(batch: SourceBatch, column: Column, faults: RowFaults) -> pa.Array:
    """Convert one column of a batch; values without meaning become null and are added to ``faults``."""
    raw = batch.rows.column(column.name)
    if pa.types.is_dictionary(raw.type):
        raw = raw.dictionary_decode()
    if pa.types.is_null(raw.type):
        return pa.nulls(len(raw), column.type)
    is_text = _is_text(raw.type)
    converted = _parsed(raw, column) if is_text else _cast(raw, column, batch)
    # Text of nothing but blanks is no value at all: whether it may be missing is for the row checks.
    given = pc.not_equal(pc.utf8_trim_whitespace(raw), "") if is_text else pc.is_valid(raw)
    lost = _mask(pc.fill_null(pc.and_(given, pc.is_null(converted)), False))
    if lost.size >= WRONG_TYPE_ROWS and lost.all():
        raise DataFileError(
            batch.path,
            f"no value is {expected(column)}; the first is {raw[0].as_py()!r}",
            "Correct the column, or the names in the header",
            column.name,
            int(batch.numbers[0]),
        )
    faults.add(column.name, lost, f"is not {expected(column)}", raw)
    return converted


def expected(column: Column) -> str:
    """Return in words what values of the column look like."""
    return next(words for matches, words in _EXPECTED if matches(column.type))


def instants(seconds: pa.Array) -> pa.Array:
    """Return numbers of seconds since 1970 UTC as microsecond timestamps; null where not finite."""
    usable = pc.less(pc.abs(seconds), 2.0**43)
    micros = pc.round(pc.multiply(pc.if_else(usable, seconds, None).cast(pa.float64()), 1e6))
    return micros.cast(pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def cast_or_null(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast an array, with null for every value that cannot be cast (found by bisection)."""
    try:
        return values.cast(kind)
    except pa.ArrowInvalid:
        if len(values) == 1:
            return pa.nulls(1, kind)
        half = len(values) // 2
        return pa.concat_arrays([cast_or_null(values[:half], kind), cast_or_null(values[half:], kind)])


def _parsed(text: pa.Array, column: Column) -> pa.Array:
    text = text.cast(pa.string())
    if pa.types.is_string(column.type):
        return pc.if_else(pc.equal(text, ""), None, text) if column.nullable else text
    text = pc.utf8_trim_whitespace(text)
    if pa.types.is_list(column.type):
        if not column.nullable:
            text = pc.fill_null(text, "")
        pieces = pc.split_pattern(text, LIST_SEPARATOR)
        return pc.if_else(pc.equal(text, ""), pa.scalar([], pieces.type), pieces).cast(column.type)
    text = pc.if_else(pc.equal(text, ""), None, text)
    if pa.types.is_timestamp(column.type):
        return parse_instants(text)
    if pa.types.is_floating(column.type):
        return cast_or_null(text, pa.float64()).cast(column.type, safe=False)
    return cast_or_null(text, column.type)


def parse_instants(text: pa.Array) -> pa.Array:
    """Return microsecond timestamps from RFC 3339 times or epoch seconds; null where it is neither."""
    is_number = pc.fill_null(pc.match_substring_regex(text, _EPOCH_SECONDS), False)
    from_numbers = instants(pc.if_else(is_number, text, None).cast(pa.float64()))
    return pc.coalesce(from_numbers, written_instants(pc.if_else(is_number, None, text)))


def written_instants(text: pa.Array) -> pa.Array:
    """Return microsecond timestamps from RFC 3339 times; null where it is none, or has no zone."""
    written = pc.replace_substring_regex(text, _BEYOND_MICROSECONDS, r"\1")
    return cast_or_null(written, pa.timestamp("us", tz="UTC"))


def _cast(raw: pa.Array, column: Column, batch: SourceBatch) -> pa.Array:
    source, target = raw.type, column.type
    is_number = pa.types.is_integer(source) or pa.types.is_floating(source) or pa.types.is_decimal(source)
    if pa.types.is_timestamp(target) and is_number:
        return instants(raw.cast(pa.float64()))
    if pa.types.is_timestamp(target) and pa.types.is_timestamp(source) and source.tz is not None:
        return raw.cast(target, safe=False)
    if pa.types.is_floating(target) and is_number:
        return raw.cast(pa.float64()).cast(target, safe=False)
    if pa.types.is_integer(target) and is_number:
        return cast_or_null(raw, target)
    if (
        (pa.types.is_string(target) and pa.types.is_integer(source))
        or (pa.types.is_boolean(target) and pa.types.is_boolean(source))
        or (pa.types.is_list(target) and (pa.types.is_list(source) or pa.types.is_large_list(source)))
    ):
        return raw.cast(target)
    raise DataFileError(
        batch.path,
        f"type {source} cannot be read as {expected(column)}",
        f"Write the column as {target}",
        column.name,
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _mask(values: pa.Array) -> NDArray[np.bool_]:
    return np.array(values.to_numpy(zero_copy_only=False), bool)
