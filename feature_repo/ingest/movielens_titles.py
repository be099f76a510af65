"""MovieLens movies as titles of the catalogue: names, years and genres in our vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from feature_repo.ingest.faults import RowFaults
from feature_repo.ingest.sources import DataFileError, MalformedRow, SourceBatch
from feature_repo.ingest.title_details import TitleDetails
from feature_repo.schema import (
    AVAILABLE_SINCE,
    CAST,
    COUNTRIES,
    EVENT_TIMESTAMP,
    FRANCHISE_ID,
    GENRE_NAMES,
    GENRES,
    MATURITY_LEVEL,
    NAME,
    ORIGINAL_LANGUAGE,
    RELEASE_YEAR,
    RUNTIME_MINUTES,
    SYNOPSIS,
    TITLE_ID,
    TITLE_TYPE,
    Table,
)

SHORT_MINUTES = 40.0
"""A film of at most this length is a short (Academy Awards, rule 18)."""

_YEAR = re.compile(r"\s*\((\d{4})(?:[-–]\d{0,4})?\)\s*$")
_TRAILING_ARTICLE = re.compile(
    r"^(.+), (The|A|An|Le|La|Les|L'|Un|Une|El|Los|Las|Il|Lo|I|Gli|Der|Die|Das|Den|Det|En|Ett|De|Het|O|Os|As)"
    r"((?: \(.*\))?)$"
)
_GENRE_OF = {"Children's": "Children", "Sci-Fi": "Science Fiction"}
_MOVIE_COLUMNS = ("movieId", "title", "genres")


def read_dat_movies(path: Path) -> SourceBatch:
    """Read ``movies.dat``: ``id::name (year)::genres``, in UTF-8 (ml-10m) or Latin-1 (ml-1m)."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataFileError(path, f"cannot be read ({error})", "Unpack the data set anew") from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    rows: list[tuple[str, ...]] = []
    numbers: list[int] = []
    malformed: list[MalformedRow] = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split("::")
        if len(cells) == len(_MOVIE_COLUMNS):
            rows.append(tuple(cells))
            numbers.append(number)
        else:
            reason = f"line: has {len(cells)} cells instead of {len(_MOVIE_COLUMNS)}"
            malformed.append(MalformedRow(number, reason, line))
    columns = [pa.array([row[i] for row in rows], pa.string()) for i in range(len(_MOVIE_COLUMNS))]
    batch = pa.RecordBatch.from_arrays(columns, names=list(_MOVIE_COLUMNS))
    return SourceBatch(path, batch, np.array(numbers, np.int64), malformed)


def split_name(title: str) -> tuple[str, int | None]:
    """Return name and year of a MovieLens title: "Matrix, The (1999)" gives ("The Matrix", 1999)."""
    year = _YEAR.search(title)
    name = title[: year.start()] if year else title
    article = _TRAILING_ARTICLE.match(name.strip())
    if article:
        space = "" if article[2].endswith("'") else " "
        name = f"{article[2]}{space}{article[1]}{article[3]}"
    return name.strip(), int(year[1]) if year else None


def genres_in_vocabulary(names: Iterable[str]) -> list[str]:
    """Translate genre names and drop those without a counterpart (IMAX, "(no genres listed)")."""
    translated = (_GENRE_OF.get(name, name) for name in names)
    return [name for name in dict.fromkeys(translated) if name in GENRES]


class TitleConverter:
    """Turns batches of MovieLens movies into rows of TITLES.

    ``details`` is by MovieLens id; ``first_rated`` gives microseconds since 1970 by the same id and must
    not be empty.
    """

    def __init__(self, details: Mapping[str, TitleDetails], first_rated: Mapping[str, int]) -> None:
        self._details = details
        self._first_rated = first_rated
        self._start = min(first_rated.values())

    def __call__(self, batch: SourceBatch, table: Table, faults: RowFaults) -> pa.RecordBatch:
        """Convert a batch; a row without id or title is left null for the row checks to find."""
        del faults
        rows = [self._row(row) for row in batch.rows.to_pylist()]
        nullable = pa.schema([pa.field(f.name, f.type) for f in table.arrow_schema])
        return pa.RecordBatch.from_pylist(rows, nullable)

    def _row(self, movie: Mapping[str, str | None]) -> dict[str, Any]:
        title_id, title, genres = (movie[name] for name in _MOVIE_COLUMNS)
        details = self._details.get(title_id or "", TitleDetails())
        name, year = split_name(title or "")
        minutes = details.runtime_minutes
        first = self._first_rated.get(title_id or "", self._start)
        return {
            TITLE_ID: title_id,
            NAME: name,
            RELEASE_YEAR: year or details.release_year,
            RUNTIME_MINUTES: minutes,
            TITLE_TYPE: "short" if minutes is not None and minutes <= SHORT_MINUTES else "movie",
            MATURITY_LEVEL: details.maturity_level,
            ORIGINAL_LANGUAGE: details.original_language,
            GENRE_NAMES: genres_in_vocabulary((genres or "").split("|"))
            or genres_in_vocabulary(details.genres),
            CAST: list(details.cast),
            SYNOPSIS: details.synopsis,
            FRANCHISE_ID: details.franchise_id,
            COUNTRIES: None,
            AVAILABLE_SINCE: first,
            EVENT_TIMESTAMP: first,
        }
