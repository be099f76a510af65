"""One import: several tables that become visible together, with a reject file for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from feature_repo.ingest.conversion import convert_rows
from feature_repo.ingest.lake import Lake
from feature_repo.ingest.rejects import RejectFile
from feature_repo.ingest.seen_keys import SeenKeys, key_hashes
from feature_repo.ingest.sources import DataFileError, SourceBatch
from feature_repo.ingest.validation import DUPLICATE, Converter, accepted_rows, key_columns
from feature_repo.log_tables import LOG_TABLES
from feature_repo.schema import RAW_TABLES, Table

Progress = Callable[[str, int], None]
"""Called with a table's name and the number of rows read since the last call."""


@dataclass(frozen=True, slots=True)
class TableImport:
    """What became of one table's rows; ``rejected`` counts rows per broken rule."""

    table: str
    kept: int
    rejected: Mapping[str, int]
    reject_file: Path | None


class ImportRun:
    """Writes raw tables to the lake; all become visible at the end of the ``with`` block, or none.

    A run that replaces leaves the lake with nothing but its own data: raw tables it does not write
    become empty, and so does the log of what servers showed. A run that appends rejects rows whose key the
    lake has already, so repeating one adds nothing. ``run`` names the reject files,
    ``<rejects>/<table>-<run>.csv``. ``now`` (aware) is the present; rows after it are rejected.
    """

    def __init__(
        self,
        lake: Lake,
        rejects: Path,
        run: str,
        now: datetime,
        append: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.results: list[TableImport] = []
        self._lake = lake
        self._rejects = rejects
        self._run = run
        self._now = now
        self._append = append
        self._progress = progress

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._reject_files = self._stack.enter_context(ExitStack())
        self._transaction = self._stack.enter_context(self._lake.transaction())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            written = {result.table for result in self.results}
            logs = [table for table in LOG_TABLES if self._lake.exists(table)]
            for table in (*RAW_TABLES, *logs) if not self._append else ():
                if table.name not in written:
                    self._transaction.replace(table, table.arrow_schema.empty_table())

    def write(
        self,
        table: Table,
        batches: Iterable[SourceBatch],
        convert: Converter = convert_rows,
        observe: Callable[[pa.RecordBatch], None] | None = None,
    ) -> TableImport:
        """Check and stage the rows of a table; ``observe`` sees each batch of good rows.

        Raises :class:`DataFileError` if there were rows and none was good.
        """
        rejects = self.reject_file(table.name)
        paths: list[Path] = []
        accepted = accepted_rows(
            self._counted(table, batches, paths), table, convert, self._seen(table), rejects, self._now
        )
        stage = self._transaction.append if self._append else self._transaction.replace
        kept = stage(table, _observed(accepted, observe))
        rule, count = next(iter(rejects.counts.most_common(1)), ("", 0))
        if not kept and count and not (self._append and rule.endswith(DUPLICATE)):
            problem = f"none of its {rejects.counts.total()} rows can be used; {count}: {rule}"
            raise DataFileError(paths[-1], problem, "Correct the file, or name another one")
        result = TableImport(
            table.name, kept, dict(rejects.counts.most_common()), rejects.path if rejects.counts else None
        )
        self.results.append(result)
        return result

    def reject_file(self, name: str) -> RejectFile:
        """Return a reject file that appears when the run has ended well."""
        return self._reject_files.enter_context(RejectFile(self._rejects, name, self._run))

    def _seen(self, table: Table) -> SeenKeys:
        seen = SeenKeys()
        if self._append and self._lake.exists(table):
            names = key_columns(table)
            for batch in self._lake.scan(table, names):
                seen.add(key_hashes([batch.column(name) for name in names]))
        return seen

    def _counted(
        self, table: Table, batches: Iterable[SourceBatch], paths: list[Path]
    ) -> Iterator[SourceBatch]:
        for batch in batches:
            paths[:] = [batch.path]
            yield batch
            if self._progress is not None:
                self._progress(table.name, batch.rows.num_rows + len(batch.malformed))


def _observed(
    batches: Iterable[pa.RecordBatch], observe: Callable[[pa.RecordBatch], None] | None
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if observe is not None:
            observe(batch)
        yield batch
