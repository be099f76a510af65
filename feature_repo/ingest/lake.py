"""The lake: every table as Parquet files in hive partitions, on a local disk or in object storage.

A table is the directory ``<root>/<table>`` with ``day=YYYY-MM-DD`` or ``month=YYYY-MM`` directories of
zstd files; DuckDB, pyarrow and Feast read it as it stands. Writes are staged under
``<root>/_staging/<id>`` and published when complete, so a reader only ever sees complete files:

- On a local disk a replaced table is one directory swapped in by rename, an appended file is one rename.
  What a killed process had begun to publish is finished when the lake is opened, or published to, next.
- Object stores have no rename: each staged object is copied (a copy becomes visible whole), and those it
  replaces are deleted after the last copy. A reader in between can see old and new rows together, never
  less than the old ones; rows with a known key count once, so this does not change a result.

If publishing fails or is interrupted, what was already published is taken back: ``publishing.py``.
"""

from __future__ import annotations

import re
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from feature_repo.ingest.partitions import PartitionSpill, partition_directory, partition_instants
from feature_repo.ingest.publishing import STAGING, Publisher, staged_directory
from feature_repo.schema import EVENT_TIMESTAMP, Table

Rows: TypeAlias = "pa.Table | Iterable[pa.RecordBatch]"

_FILE_SEQUENCE = re.compile(r"part-(\d+)-")


class LakeError(Exception):
    """A table that is not there, or rows that do not fit it; the message names table and remedy."""


class Lake:
    """Reads and writes tables under one root.

    ``root`` is a local path or a URL such as ``s3://bucket/prefix``; with ``filesystem`` given, it is a
    path inside that file system.
    """

    def __init__(self, root: str, filesystem: pafs.FileSystem | None = None) -> None:
        self.root = root.rstrip("/")
        if filesystem is not None:
            self.filesystem, self._base = filesystem, self.root
        elif "://" in root:
            self.filesystem, self._base = pafs.FileSystem.from_uri(self.root)
        else:
            self.root = self._base = str(Path(root).absolute())
            self.filesystem = pafs.LocalFileSystem()
        self.publisher = Publisher(self.filesystem, self._base)
        self.publisher.finish_killed()

    def path(self, table: Table) -> str:
        """Return the directory or URL under which other programs read the table."""
        return f"{self.root}/{table.name}"

    def exists(self, table: Table) -> bool:
        """Return whether the table has been written (it may be empty)."""
        return bool(self.files(table))

    def files(self, table: Table) -> list[str]:
        """Return the paths, inside ``filesystem``, of the table's Parquet files in order."""
        selector = pafs.FileSelector(self.directory(table), allow_not_found=True, recursive=True)
        found = self.filesystem.get_file_info(selector)
        return sorted(info.path for info in found if info.is_file and info.path.endswith(".parquet"))

    def partitions(self, table: Table) -> dict[str, list[pafs.FileInfo]]:
        """Return the table's Parquet files by the UTC day or month they are of, such as ``2024-01-31``."""
        parts: defaultdict[str, list[pafs.FileInfo]] = defaultdict(list)
        paths = self.files(table)
        for info in self.filesystem.get_file_info(paths) if paths else []:
            if info.is_file:  # it may be gone since it was listed
                parts[_hive_directory(info.path).partition("=")[2]].append(info)
        return dict(parts)

    def dataset(self, table: Table, files: Sequence[str]) -> ds.Dataset:
        """Return some of the table's files for other programs to scan; none make an empty table."""
        if not files:
            return ds.dataset(table.arrow_schema.empty_table())
        return ds.dataset(
            list(files), schema=table.arrow_schema, format="parquet", filesystem=self.filesystem
        )

    def remove_partition(self, table: Table, part: str) -> None:
        """Remove a day or a month of the table, named as :meth:`partitions` does; it need not be there."""
        directory = f"{self.directory(table)}/{table.partition}={part}"
        if self.filesystem.get_file_info(directory).type != pafs.FileType.NotFound:
            self.filesystem.delete_dir(directory)

    def directory(self, table: Table) -> str:
        """Return the table's directory inside ``filesystem``."""
        return self.folder(table.name)

    def folder(self, name: str) -> str:
        """Return a directory of the lake inside ``filesystem``: a table's, or one that is no table's."""
        return f"{self._base}/{name}"

    def transaction(self) -> Transaction:
        """Return a context in which writes to several tables become visible together, at its end."""
        return Transaction(self, f"{self.folder(STAGING)}/{uuid.uuid4().hex}")

    def replace(self, table: Table, data: Rows) -> int:
        """Write the whole table anew and return the number of rows; on failure the old one stays."""
        with self.transaction() as transaction:
            return transaction.replace(table, data)

    def append(self, table: Table, data: Rows) -> int:
        """Add rows as new files and return their number; on failure none is added."""
        with self.transaction() as transaction:
            return transaction.append(table, data)

    def read(
        self,
        table: Table,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> pa.Table:
        """Read rows with ``start <= event_timestamp < end``, in no particular order.

        Columns have the types of ``table.arrow_schema``. Raises :class:`LakeError` if there is no table.
        """
        scanner = self._scanner(table, columns, start, end)
        return scanner.to_table().cast(_projected(table, columns))

    def scan(
        self,
        table: Table,
        columns: Sequence[str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Like :meth:`read`, as a stream of record batches."""
        schema = _projected(table, columns)
        for batch in self._scanner(table, columns, start, end).to_batches():
            if batch.num_rows:
                yield batch.cast(schema)

    def _scanner(
        self, table: Table, columns: Sequence[str] | None, start: datetime | None, end: datetime | None
    ) -> ds.Scanner:
        files = self.files(table)
        if not files:
            raise LakeError(
                f"table {table.name!r} is not in the lake {self.root}; import or simulate data first"
            )
        return self.dataset(table, _within(files, table, start, end)).scanner(
            columns=_projected(table, columns).names, filter=_period(start, end), fragment_readahead=2
        )


class Transaction:
    """Writes to a lake that become visible together when the ``with`` block ends without an error."""

    def __init__(self, lake: Lake, staging: str) -> None:
        self._lake = lake
        self._filesystem = lake.filesystem
        self._staging = staging
        self._local = isinstance(lake.filesystem, pafs.LocalFileSystem)
        self._tables = 0

    def __enter__(self) -> Self:
        self._filesystem.create_dir(self._staging, recursive=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._lake.publisher.publish(self._staging)
        finally:
            with suppress(FileNotFoundError):  # neither published nor taken back
                self._filesystem.delete_dir(self._staging)

    def replace(self, table: Table, data: Rows) -> int:
        """Stage the whole table anew and return the number of rows."""
        return self._stage(table, data, replaces=True)

    def append(
        self, table: Table, data: Rows, file: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> int:
        """Stage rows to be added to the table and return their number.

        ``file`` names the new files, in every partition; those of that name that are there give way.
        ``metadata`` is kept in the files, beside their schema.
        """
        return self._stage(table, data, replaces=False, file=file, metadata=metadata)

    def create(self, table: Table) -> None:
        """Stage a table without rows where there is none yet; rows written to it meanwhile stay."""
        if not self._lake.exists(table):
            self._stage(table, table.arrow_schema.empty_table(), replaces=False, without_rows=True)

    def _stage(
        self,
        table: Table,
        data: Rows,
        replaces: bool,
        file: str | None = None,
        metadata: Mapping[str, str] | None = None,
        without_rows: bool = False,
    ) -> int:
        directory = staged_directory(self._staging, self._tables, table.name, replaces)
        name = f"{file or self._next_name(table, replaces)}.parquet"
        with tempfile.TemporaryDirectory(dir=self._staging if self._local else None) as spill_directory:
            spill = PartitionSpill(table, Path(spill_directory))
            spill.add_all(_conforming(table, data))
            for partition, row_groups in spill.partitions():
                self._write(f"{directory}/{partition}", name, table, row_groups, metadata)
        if (replaces or without_rows) and not spill.rows:
            empty = _partition_of(datetime.fromtimestamp(0, UTC), table)
            self._write(f"{directory}/{empty}", name, table, [table.arrow_schema.empty_table()])
        self._tables += 1
        return spill.rows

    def _next_name(self, table: Table, replaces: bool) -> str:
        sequence = 0 if replaces else _next_sequence(self._lake.files(table))
        return f"part-{sequence:05d}-{uuid.uuid4().hex[:8]}"

    def _write(
        self,
        directory: str,
        name: str,
        table: Table,
        row_groups: Iterable[pa.Table],
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self._filesystem.create_dir(directory, recursive=True)
        schema = table.arrow_schema.with_metadata(metadata)
        with pq.ParquetWriter(
            f"{directory}/{name}", schema, filesystem=self._lake.filesystem, compression="zstd"
        ) as writer:
            for rows in row_groups:
                writer.write_table(rows)


def _hive_directory(path: str) -> str:
    """Return the hive directory name of a data file's path."""
    return path.rsplit("/", 2)[-2]


def _next_sequence(files: Sequence[str]) -> int:
    """Number files by write, so that their order by name is the order of the writes."""
    found = (_FILE_SEQUENCE.search(path) for path in files)
    return max((int(match.group(1)) for match in found if match), default=-1) + 1


def _conforming(table: Table, data: Rows) -> Iterator[pa.RecordBatch]:
    batches = data.to_batches() if isinstance(data, pa.Table) else data
    for batch in batches:
        missing = [c.name for c in table.columns if c.name not in batch.schema.names]
        if missing:
            raise LakeError(f"table {table.name!r} needs the columns {missing}, which the rows lack")
        for column in table.columns:
            if not column.nullable and batch.column(column.name).null_count:
                raise LakeError(f"{table.name}.{column.name} must not be null; fill it or drop the row")
        try:
            rows = batch.select(table.arrow_schema.names).cast(table.arrow_schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
            raise LakeError(f"rows do not fit table {table.name!r}: {error}") from error
        yield rows


def _projected(table: Table, columns: Sequence[str] | None) -> pa.Schema:
    return pa.schema([table.arrow_schema.field(n) for n in columns or table.arrow_schema.names])


def _instant(moment: datetime) -> pa.Scalar:
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; pass an instant such as datetime(..., tzinfo=UTC)")
    return pa.scalar(moment.astimezone(UTC), pa.timestamp("us", tz="UTC"))


def _period(start: datetime | None, end: datetime | None) -> pc.Expression | None:
    wanted = None
    if start is not None:
        wanted = ds.field(EVENT_TIMESTAMP) >= _instant(start)
    if end is not None:
        before = ds.field(EVENT_TIMESTAMP) < _instant(end)
        wanted = before if wanted is None else wanted & before
    return wanted


def _within(files: list[str], table: Table, start: datetime | None, end: datetime | None) -> list[str]:
    """Leave out files whose partition lies outside the period (ISO dates compare as text)."""
    first = "" if start is None else _partition_of(start, table)
    last = "~" if end is None else _partition_of(end, table)
    return [path for path in files if first <= _hive_directory(path) <= last]


def _partition_of(moment: datetime, table: Table) -> str:
    return partition_directory(partition_instants(pa.array([_instant(moment)]), table)[0], table)
