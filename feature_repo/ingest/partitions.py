"""Splitting a stream of rows into one file per partition, in bounded memory.

An external sort by partition: rows are collected up to a budget, sorted by partition (stable, so rows
of one partition keep the order in which they came) and spilled to a local Arrow file, one record batch
per partition. At the end the spills are read back partition by partition. Memory holds one budget of
rows, however many rows and partitions there are; the local disk holds the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo.schema import EVENT_TIMESTAMP, Table

SPILL_ROWS = 1_000_000
SPILL_BYTES = 256 * 2**20
ROW_GROUP_ROWS = 1_000_000

_NUMPY_UNIT = {"day": "datetime64[D]", "month": "datetime64[M]"}


def partition_instants(timestamps: pa.ChunkedArray | pa.Array, table: Table) -> NDArray[np.datetime64]:
    """Return the UTC day or month of each instant, as the table is partitioned."""
    microseconds = timestamps.cast(pa.int64()).to_numpy(zero_copy_only=False)
    instants: NDArray[np.datetime64] = microseconds.view("datetime64[us]").astype(
        _NUMPY_UNIT[table.partition]
    )
    return instants


def partition_directory(instant: np.datetime64, table: Table) -> str:
    """Return the hive directory of a partition, such as ``day=2024-01-31`` or ``month=2024-01``."""
    return f"{table.partition}={instant}"


class PartitionSpill:
    """Collects rows of one table and gives them back partition by partition.

    ``directory`` is a local, existing folder with room for the rows (LZ4-compressed Arrow).
    """

    def __init__(
        self,
        table: Table,
        directory: Path,
        spill_rows: int = SPILL_ROWS,
        spill_bytes: int = SPILL_BYTES,
    ) -> None:
        self._table = table
        self._directory = directory
        self._spill_rows = spill_rows
        self._spill_bytes = spill_bytes
        self._buffer: list[pa.RecordBatch] = []
        self._spills: list[Path] = []
        self._places: defaultdict[np.datetime64, list[tuple[int, int]]] = defaultdict(list)
        self.rows = 0

    def add_all(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Add record batches that have the table's Arrow schema."""
        rows = size = 0
        for batch in batches:
            for start in range(0, batch.num_rows, self._spill_rows):
                piece = batch.slice(start, self._spill_rows)
                self._buffer.append(piece)
                rows, size = rows + piece.num_rows, size + piece.nbytes
                if rows >= self._spill_rows or size >= self._spill_bytes:
                    self._flush()
                    rows = size = 0
        self._flush()

    def partitions(self) -> Iterator[tuple[str, Iterator[pa.Table]]]:
        """Yield each partition's directory name, oldest first, with its rows in row-group-sized tables."""
        options = pa.ipc.IpcReadOptions(use_threads=False)  # threads cost more than small batches gain
        readers = [pa.ipc.open_file(pa.memory_map(str(path)), options=options) for path in self._spills]
        for instant in sorted(self._places):
            batches = (readers[spill].get_batch(index) for spill, index in self._places[instant])
            yield partition_directory(instant, self._table), _row_groups(batches)

    def _flush(self) -> None:
        if not self._buffer:
            return
        rows = pa.Table.from_batches(self._buffer, self._table.arrow_schema).combine_chunks()
        self._buffer = []
        instants = partition_instants(rows[EVENT_TIMESTAMP], self._table)
        if np.any(instants[1:] < instants[:-1]):
            order = np.argsort(instants, kind="stable")
            rows, instants = rows.take(pa.array(order)), instants[order]
        edges = np.flatnonzero(np.r_[True, instants[1:] != instants[:-1], True])
        path = self._directory / f"{self._table.name}-{len(self._spills)}.arrow"
        with pa.ipc.new_file(
            path, rows.schema, options=pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
        ) as writer:
            index = 0
            for start, end in pairwise(edges):
                for batch in rows.slice(start, end - start).combine_chunks().to_batches():
                    writer.write_batch(batch)
                    self._places[instants[start]].append((len(self._spills), index))
                    index += 1
        self._spills.append(path)
        self.rows += rows.num_rows


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    pending: list[pa.RecordBatch] = []
    for batch in batches:
        pending.append(batch)
        if sum(b.num_rows for b in pending) >= ROW_GROUP_ROWS:
            yield pa.Table.from_batches(pending).combine_chunks()
            pending = []
    if pending:
        yield pa.Table.from_batches(pending).combine_chunks()
