"""The reject file: every row that was not imported, with its number and its reason."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from feature_repo.ingest.faults import RowFaults
from feature_repo.ingest.sources import SourceBatch

COLUMNS = ("file", "row", "reason", "data")


class RejectFile:
    """Writes ``<directory>/<table>-<run>.csv``; it appears when the import has ended well.

    ``counts`` holds the number of rejected rows per rule. Without a rejected row there is no file.
    """

    def __init__(self, directory: Path, table: str, run: str) -> None:
        self.path = directory / f"{table}-{run}.csv"
        self.counts: Counter[str] = Counter()
        self._unfinished = directory / f".{table}-{run}.csv.tmp"

    def __enter__(self) -> Self:
        self._unfinished.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._unfinished.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None and self.counts:
            self._unfinished.replace(self.path)
        else:
            self._unfinished.unlink()

    def add(self, batch: SourceBatch, faults: RowFaults) -> None:
        """Write the batch's malformed lines and the rows that have a fault."""
        for line in batch.malformed:
            self._write(batch.path, line.number, line.reason, line.text)
            self.counts["line: has the wrong number of cells"] += 1
        at = np.flatnonzero(faults.failed)
        for index, values in zip(at, batch.rows.take(at).to_pylist(), strict=True):
            self._write(batch.path, int(batch.numbers[index]), faults.reasons[index], values)
        self.counts.update(faults.rules[at].tolist())

    def _write(self, path: Path, row: int, reason: str, data: Any) -> None:
        self._writer.writerow((path.name, row, reason, json.dumps(data, ensure_ascii=False, default=str)))
