"""Arrow columns from numpy arrays, without a Python object per value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo import schema as s

Columns = Mapping[str, pa.Array | NDArray[Any]]


def record_batch(table: s.Table, columns: Columns, created_at: datetime) -> pa.RecordBatch:
    """Return the rows in the declared types and order; every row is stamped ``created_at`` (aware).

    Numpy integers become instants where an instant is declared. Raises ``KeyError`` for a missing column.
    """
    rows = len(next(iter(columns.values())))
    created = pa.repeat(pa.scalar(created_at, type=table.arrow_schema.field(s.CREATED_TIMESTAMP).type), rows)
    given = {**columns, s.CREATED_TIMESTAMP: created}
    arrays = [_typed(given[c.name], c.type) for c in table.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=table.arrow_schema)


def _typed(values: pa.Array | NDArray[Any], declared: pa.DataType) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.Array):
        return values if values.type == declared else values.cast(declared)
    return pa.array(values).cast(declared)


def words(codes: NDArray[np.integer[Any]], vocabulary: pa.StringArray) -> pa.StringArray:
    """Return the words that the codes stand for; null for a negative code."""
    return vocabulary.take(pa.array(codes, mask=codes < 0))


def word_lists(
    codes: NDArray[np.integer[Any]], lengths: NDArray[np.integer[Any]], vocabulary: pa.StringArray
) -> pa.ListArray:
    """Cut the flat ``codes`` into lists of ``lengths`` (their sum is ``len(codes)``)."""
    return pa.ListArray.from_arrays(_offsets(lengths), words(codes, vocabulary))


def number_lists(values: NDArray[np.float32], lengths: NDArray[np.integer[Any]]) -> pa.ListArray:
    """Cut the flat ``values`` into float32 lists of ``lengths``."""
    return pa.ListArray.from_arrays(_offsets(lengths), pa.array(values, type=pa.float32()))


def vectors(matrix: NDArray[np.floating[Any]]) -> pa.ListArray:
    """Return one float32 list per row of ``matrix`` (rows, length)."""
    rows, length = matrix.shape
    return number_lists(matrix.astype(np.float32).ravel(), np.full(rows, length))


def microseconds(instants: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Return timestamps of any time zone and unit as microseconds since 1970 UTC."""
    whole: NDArray[np.int64] = instants.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()
    return whole


def codes_of(values: pa.ChunkedArray, vocabulary: pa.StringArray) -> NDArray[np.int32]:
    """Return each value's place in the vocabulary, -1 for a null or a stranger."""
    places = pc.index_in(values, value_set=vocabulary)
    codes: NDArray[np.int32] = pc.fill_null(places, -1).to_numpy()
    return codes


def sorted_vocabulary(*columns: pa.ChunkedArray) -> pa.StringArray:
    """Return the distinct non-null strings of the columns, sorted: the same for any order of rows."""
    distinct = pa.chunked_array([c.unique().drop_null() for c in columns], type=pa.string()).unique()
    return distinct.take(pc.sort_indices(distinct))


def _offsets(lengths: NDArray[np.integer[Any]]) -> pa.Array:
    return pa.array(np.concatenate(([0], np.cumsum(lengths))), type=pa.int32())
