"""Importing own data: Parquet or CSV files in the columns of ``schema``, streamed batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa

from feature_repo.ingest.import_run import ImportRun, Progress, TableImport
from feature_repo.ingest.lake import Lake
from feature_repo.ingest.sources import DataFileError, SourceBatch, data_files, header, read_rows
from feature_repo.schema import RAW_TABLES, TITLES, Table


def import_files(
    lake: Lake,
    sources: Mapping[str, Path],
    rejects: Path,
    run: str,
    *,
    now: datetime,
    append: bool = False,
    progress: Progress | None = None,
    observe_titles: Callable[[pa.RecordBatch], None] | None = None,
) -> list[TableImport]:
    """Import raw tables (by name) from files, or from directories of files.

    Raises :class:`DataFileError` for a file that is unreadable, lacks a column or has a wrong one; the
    lake is then as it was. See :class:`ImportRun` for ``rejects``, ``run``, ``now`` and
    ``append``; ``observe_titles`` sees each batch of titles that are kept.
    """
    tables = {table.name: table for table in RAW_TABLES}
    files = {name: data_files(path) for name, path in sources.items()}
    for name, paths in files.items():
        for path in paths:
            check_header(path, header(path), tables[name])
    with ImportRun(lake, rejects, run, now, append, progress) as importing:
        for name, paths in files.items():
            observe = observe_titles if name == TITLES.name else None
            importing.write(tables[name], _rows(paths), observe=observe)
    return importing.results


def check_header(path: Path, names: Sequence[str], table: Table) -> None:
    """Raise :class:`DataFileError` unless the columns fit the table; nullable ones may be absent."""
    known = table.arrow_schema.names
    for name in names:
        if name not in known:
            similar = get_close_matches(name, known, n=1)
            remedy = f"Rename it to {similar[0]!r}" if similar else f"Remove it; known are {', '.join(known)}"
            raise DataFileError(path, f"no such column in table {table.name!r}", remedy, name)
        if list(names).count(name) > 1:
            raise DataFileError(path, "the column stands there twice", "Remove one", name)
    for column in table.columns:
        if not column.nullable and column.name not in names:
            raise DataFileError(path, "the column is missing", f"Add it: {column.description}", column.name)


def _rows(paths: Sequence[Path]) -> Iterator[SourceBatch]:
    for path in paths:
        yield from read_rows(path)
