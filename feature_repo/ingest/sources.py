"""Reading data files as they are: record batches of raw values with the row numbers they stand at."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

BLOCK_BYTES = 8 * 2**20
BATCH_ROWS = 65_536


class DataFileError(Exception):
    """A file that cannot be imported: the message names file, column and row where known, and a remedy."""

    def __init__(
        self, path: Path, problem: str, remedy: str, column: str | None = None, row: int | None = None
    ) -> None:
        where = f"{path}"
        if column is not None:
            where += f", column {column!r}"
        if row is not None:
            where += f", row {row}"
        super().__init__(f"{where}: {problem}. {remedy}")
        self.path, self.column, self.row = path, column, row


@dataclass(frozen=True, slots=True)
class MalformedRow:
    """A line that is no row: ``number`` counts data rows from 1."""

    number: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """Raw rows of one file; ``numbers[i]`` is the data row (from 1, header not counted) of row i."""

    path: Path
    rows: pa.RecordBatch
    numbers: NDArray[np.int64]
    malformed: Sequence[MalformedRow] = ()


def data_files(path: Path) -> list[Path]:
    """Return the file itself, or a directory's Parquet and CSV files in order of name."""
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if is_parquet(f) or is_csv(f))
        if not files:
            raise DataFileError(path, "the directory has no .parquet or .csv file", "Name another one")
        return files
    if not path.is_file():
        raise DataFileError(path, "there is no such file", "Check the path")
    if not (is_parquet(path) or is_csv(path)):
        raise DataFileError(path, "unknown kind of file", "Name it .parquet, .csv or .csv.gz")
    return [path]


def is_parquet(path: Path) -> bool:
    """Return whether the name says Parquet."""
    return path.suffix == ".parquet"


def is_csv(path: Path) -> bool:
    """Return whether the name says CSV, compressed or not."""
    return path.name.endswith((".csv", ".csv.gz"))


def header(path: Path) -> list[str]:
    """Return the column names of a Parquet or CSV file; raises :class:`DataFileError` if unreadable."""
    try:
        if is_parquet(path):
            return list(pq.read_schema(path).names)
        with pa.input_stream(str(path)) as stream:
            return next(csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline="")), [])
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataFileError(path, f"cannot be read ({error})", "Write the file anew") from error


def read_rows(path: Path) -> Iterator[SourceBatch]:
    """Stream a Parquet file with its own types, or a CSV file as text."""
    return read_parquet(path) if is_parquet(path) else read_csv(path, header(path))


def read_parquet(path: Path) -> Iterator[SourceBatch]:
    """Stream a Parquet file; raises :class:`DataFileError` where it turns out broken."""
    done = 0
    try:
        with pq.ParquetFile(path) as file:
            for rows in file.iter_batches(BATCH_ROWS):
                yield SourceBatch(path, rows, np.arange(done + 1, done + rows.num_rows + 1))
                done += rows.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DataFileError(
            path, f"not readable as Parquet ({error})", "Write the file anew", row=done + 1
        ) from error


def read_csv(
    path: Path,
    names: Sequence[str],
    *,
    has_header: bool = True,
    delimiter: str = ",",
    quoted: bool = True,
    columns: Sequence[str] | None = None,
) -> Iterator[SourceBatch]:
    """Stream a delimited UTF-8 file as text columns; an empty cell is null.

    A line with too few or too many cells is not a row: it is reported as malformed. ``columns`` limits
    what is read. Raises :class:`DataFileError` for a file that is no UTF-8 text.
    """
    malformed: list[MalformedRow] = []

    def keep_aside(row: pacsv.InvalidRow) -> str:
        reason = f"line: has {row.actual_columns} cells instead of {row.expected_columns}"
        malformed.append(MalformedRow(row.number - has_header, reason, row.text))
        return "skip"

    done = reported = 0
    try:
        reader = _open_csv(path, names, has_header, delimiter, quoted, columns, keep_aside)
        for rows in reader:
            numbers = _numbers(done + 1, rows.num_rows, malformed)
            done = int(numbers[-1]) if numbers.size else done
            yield SourceBatch(path, rows, numbers, malformed[reported:])
            reported = len(malformed)
        if malformed[reported:]:
            yield SourceBatch(path, rows.slice(0, 0), np.empty(0, np.int64), malformed[reported:])
    except pa.ArrowException as error:
        raise DataFileError(
            path, f"not readable as CSV ({error})", "Write it as comma-separated UTF-8 text", row=done + 1
        ) from error


def _open_csv(
    path: Path,
    names: Sequence[str],
    has_header: bool,
    delimiter: str,
    quoted: bool,
    columns: Sequence[str] | None,
    on_invalid_row: Callable[[pacsv.InvalidRow], str],
) -> pacsv.CSVStreamingReader:
    return pacsv.open_csv(
        path,
        # Only a single-threaded reader tells the numbers of invalid rows.
        pacsv.ReadOptions(
            use_threads=False, block_size=BLOCK_BYTES, column_names=names, skip_rows=int(has_header)
        ),
        pacsv.ParseOptions(
            delimiter=delimiter,
            quote_char='"' if quoted else False,
            newlines_in_values=quoted,
            invalid_row_handler=on_invalid_row,
        ),
        pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=columns,
            strings_can_be_null=True,
            null_values=[""],
        ),
    )


def _numbers(first: int, count: int, malformed: Sequence[MalformedRow]) -> NDArray[np.int64]:
    """Return the next ``count`` row numbers from ``first`` on that no malformed line has."""
    skipped = np.array([m.number for m in malformed if m.number >= first], np.int64)
    candidates = np.arange(first, first + count + skipped.size)
    return candidates[~np.isin(candidates, skipped)][:count]
