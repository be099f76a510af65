"""Title details from Kaggle's "The Movies Dataset": ``movies_metadata.csv`` beside ``credits.csv``.

Both are keyed by TMDB id, which MovieLens' ``links.csv`` maps to its own. Nested cells are written as
Python literals, not JSON; they are parsed with ``ast.literal_eval``, which runs no code.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from feature_repo.ingest.faults import RowFaults
from feature_repo.ingest.rejects import RejectFile
from feature_repo.ingest.sources import DataFileError, SourceBatch, header, read_csv
from feature_repo.ingest.title_details import TitleDetails, language_code, minutes_or_none

KAGGLE_FILE = "movies_metadata.csv"
CREDITS_FILE = "credits.csv"

_METADATA_COLUMNS = (
    "id", "adult", "belongs_to_collection", "genres", "original_language", "overview", "release_date",
    "runtime",
)  # fmt: skip
_CREDITS_COLUMNS = ("id", "cast")
_LINKS_COLUMNS = ("movieId", "tmdbId")
_NO_OVERVIEW = {"No overview found.", "No overview", "No Overview"}

Row = Mapping[str, str | None]
_Value = TypeVar("_Value")


class _CellError(ValueError):
    """A cell that cannot be understood."""

    def __init__(self, column: str, rule: str) -> None:
        super().__init__(column, rule)
        self.column, self.rule = column, rule


def read_kaggle(
    metadata: Path, links: Path | None, reject_file: Callable[[str], RejectFile]
) -> dict[str, TitleDetails]:
    """Return details by MovieLens id; rows that cannot be understood go to reject files.

    Raises :class:`DataFileError` without ``links.csv`` or ``credits.csv``, or with a column missing.
    """
    if links is None:
        raise DataFileError(
            metadata, "cannot be joined without links.csv in the MovieLens folder", "Use ml-latest or newer"
        )
    movie_of = {
        row["tmdbId"]: row["movieId"]
        for batch in _batches(links, _LINKS_COLUMNS)
        for row in batch.rows.to_pylist()
    }
    details = _collect(metadata, _METADATA_COLUMNS, movie_of, reject_file, _details)
    casts = _collect(metadata.with_name(CREDITS_FILE), _CREDITS_COLUMNS, movie_of, reject_file, _cast)
    for movie_id, cast in casts.items():
        details[movie_id] = replace(details.get(movie_id, TitleDetails()), cast=cast)
    return details


def _collect(
    path: Path,
    columns: Sequence[str],
    movie_of: Mapping[str, str],
    reject_file: Callable[[str], RejectFile],
    read: Callable[[Row], _Value],
) -> dict[str, _Value]:
    """Read the rows of the titles that MovieLens knows; reject those that cannot be read."""
    rejects = reject_file(path.stem)
    found: dict[str, _Value] = {}
    for batch in _batches(path, columns):
        faults = RowFaults(batch.rows.num_rows)
        for index, row in enumerate(batch.rows.to_pylist()):
            try:
                movie_id = movie_of.get(_tmdb_id(row))
                if movie_id is not None:
                    found[movie_id] = read(row)
            except _CellError as bad:
                at = np.arange(batch.rows.num_rows) == index
                faults.add(bad.column, at, bad.rule, batch.rows.column(bad.column))
        rejects.add(batch, faults)
    return found


def _batches(path: Path, columns: Sequence[str]) -> Iterator[SourceBatch]:
    names = header(path)
    for column in columns:
        if column not in names:
            raise DataFileError(path, "the column is missing", "Download the data set anew", column)
    return read_csv(path, names, columns=columns)


def _tmdb_id(row: Row) -> str:
    identifier = row["id"] or ""
    if not identifier.isdigit():
        raise _CellError("id", "is not a TMDB id")
    return identifier


def _details(row: Row) -> TitleDetails:
    overview = (row["overview"] or "").strip()
    year = (row["release_date"] or "")[:4]
    collection = _literal(row, "belongs_to_collection", dict)
    return TitleDetails(
        release_year=int(year) if year.isdigit() else None,
        runtime_minutes=_minutes(row),
        maturity_level=18 if row["adult"] == "True" else None,
        original_language=language_code(row["original_language"]),
        genres=_names(row, "genres"),
        synopsis=None if overview in {"", *_NO_OVERVIEW} else overview,
        franchise_id=f"collection-{collection['id']}" if collection and "id" in collection else None,
    )


def _cast(row: Row) -> tuple[str, ...]:
    return _names(row, "cast")


def _minutes(row: Row) -> float | None:
    try:
        return minutes_or_none(float(row["runtime"] or 0))
    except ValueError as error:
        raise _CellError("runtime", "is not a number") from error


def _names(row: Row, column: str) -> tuple[str, ...]:
    try:
        return tuple(str(item["name"]) for item in _literal(row, column, list) or ())
    except (KeyError, TypeError) as error:
        raise _CellError(column, "is not a list of names") from error


def _literal(row: Row, column: str, kind: type) -> Any:
    """Parse a cell as a Python literal of the given kind; an empty cell is None."""
    cell = row[column]
    if cell is None:
        return None
    try:
        value = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise _CellError(column, "is not a Python literal") from error
    if not isinstance(value, kind):
        raise _CellError(column, f"is not a {kind.__name__}")
    return value
