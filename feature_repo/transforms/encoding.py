"""From what a store answers (lists, strings, nulls) to arrays, by one rule per column type.

Offline and online answers both pass through here, so that a null means the same to every reader:
NaN for numbers and vectors, the empty string for text, an empty list for lists of strings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo.schema import Column, Table

Arrays = dict[str, NDArray[Any]]
"""Column name to array; first axis: rows."""


def encode(table: Table, values: Mapping[str, Sequence[Any] | pa.Array | pa.ChunkedArray]) -> Arrays:
    """Encode those columns of ``values`` that ``table`` declares.

    ======================  ==========================  =======
    declared type           array                       null
    ======================  ==========================  =======
    number                  float32, or float64 for     NaN
                            integers (exact to 2**53)
    vector of known length  float32, (rows, length)     NaN row
    string                  unicode                     ``""``
    other list              object: one tuple per row   ``()``
    ======================  ==========================  =======

    Raises ``ValueError`` naming the column where a vector does not have its declared length.
    """
    return {c.name: encode_column(c, values[c.name]) for c in table.columns if c.name in values}


def encode_column(column: Column, values: Sequence[Any] | pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    """Encode one column; see :func:`encode`."""
    if pa.types.is_list(column.type):
        if column.length is not None:
            return _encode_vectors(column, values)
        return _encode_lists(values)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _encode_arrow_scalars(column, values)
    if pa.types.is_string(column.type):
        return np.array(["" if v is None else v for v in values], dtype=np.str_)
    return np.array([np.nan if v is None else v for v in values], dtype=_number_type(column))


def _number_type(column: Column) -> type[np.float32] | type[np.float64]:
    return np.float32 if pa.types.is_float32(column.type) else np.float64


def _encode_arrow_scalars(column: Column, values: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    if pa.types.is_string(column.type):
        return np.asarray(_to_numpy(values.fill_null("")), dtype=np.str_)
    # Arrow's nulls become NaN on the way to numpy; integers are cast first, as NaN has no integer.
    arrow_type = pa.float32() if _number_type(column) is np.float32 else pa.float64()
    return np.asarray(_to_numpy(values.cast(arrow_type)), dtype=_number_type(column))


def _to_numpy(values: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    chunk = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    array: NDArray[Any] = chunk.to_numpy(zero_copy_only=False)
    return array


def _as_list(values: Sequence[Any] | pa.Array | pa.ChunkedArray) -> Sequence[Any]:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        listed: list[Any] = values.to_pylist()
        return listed
    return values


def _encode_vectors(
    column: Column, values: Sequence[Any] | pa.Array | pa.ChunkedArray
) -> NDArray[np.float32]:
    length = column.length or 0
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _encode_arrow_vectors(column.name, values, length)
    encoded = np.full((len(values), length), np.nan, dtype=np.float32)
    for row, vector in enumerate(values):
        if vector is None:
            continue
        if len(vector) != length:
            raise ValueError(f"column {column.name!r}: length {len(vector)}, expected {length}")
        encoded[row] = vector
    return encoded


def _encode_arrow_vectors(name: str, values: pa.Array | pa.ChunkedArray, length: int) -> NDArray[np.float32]:
    chunk = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    encoded = np.full((len(chunk), length), np.nan, dtype=np.float32)
    present = chunk.is_valid().to_numpy(zero_copy_only=False)
    flat = chunk.flatten().to_numpy(zero_copy_only=False)
    if flat.size != int(present.sum()) * length:
        raise ValueError(f"column {name!r}: vectors are not all of length {length}")
    encoded[present] = flat.reshape(-1, length)
    return encoded


def _encode_lists(values: Sequence[Any] | pa.Array | pa.ChunkedArray) -> NDArray[np.object_]:
    listed = _as_list(values)
    encoded = np.empty(len(listed), dtype=object)
    for row, items in enumerate(listed):
        encoded[row] = () if items is None else tuple(items)
    return encoded
