"""What files beside MovieLens know about its titles: cast, synopsis, length, language, certificate."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_repo.ingest.sources import DataFileError, header, read_parquet

DEFAULT_DETAILS_FILE = "movielens-titles.parquet"

MATURITY_OF_CERTIFICATE = {
    "G": 0, "TV-Y": 0, "TV-G": 0,
    "PG": 7, "GP": 7, "M": 7, "TV-Y7": 7, "TV-PG": 7,
    "PG-13": 13,
    "R": 16, "TV-14": 16,
    "NC-17": 18, "X": 18, "TV-MA": 18,
}  # fmt: skip
"""US certificates as youngest suitable age, where our levels have none rounded up to the next (TV-14).

R (under 17 with an adult) is 16. Unrated films and the yes-or-no "Approved" and "Passed" of before 1968
say nothing about an age and stay unknown.
"""

_COLUMNS = (
    "movie_id", "release_year", "genres", "synopsis", "cast", "runtime_minutes", "original_language",
    "certificate",
)  # fmt: skip
_ISO_639_1 = re.compile(r"^[a-z]{2}$")
_LANGUAGE_OF = {"cn": "zh", "xx": None}
"""TMDB writes Cantonese as "cn" and no language as "xx"."""


@dataclass(frozen=True, slots=True)
class TitleDetails:
    """Metadata of one title, in the units of ``schema.TITLES``; genres in the words of their source."""

    release_year: int | None = None
    runtime_minutes: float | None = None
    maturity_level: int | None = None
    original_language: str | None = None
    genres: tuple[str, ...] = ()
    cast: tuple[str, ...] = ()
    synopsis: str | None = None
    franchise_id: str | None = None


def default_details_file(directory: Path) -> Path | None:
    """Return ``movielens-titles.parquet`` beside a MovieLens folder, if it is there."""
    path = directory.resolve().parent / DEFAULT_DETAILS_FILE
    return path if path.is_file() else None


def read_movielens_titles(path: Path) -> dict[str, TitleDetails]:
    """Read ``movielens-titles.parquet``; raises :class:`DataFileError` where a column is missing."""
    names = header(path)
    for column in _COLUMNS:
        if column not in names:
            raise DataFileError(path, "the column is missing", "Give a file with this column", column)
    rows = (row for batch in read_parquet(path) for row in batch.rows.select(_COLUMNS).to_pylist())
    return {str(row["movie_id"]): _details(row) for row in rows}


def language_code(code: str | None) -> str | None:
    """Return an ISO 639-1 code, or None for what is none."""
    code = _LANGUAGE_OF.get(code, code) if code else None
    return code if code and _ISO_639_1.match(code) else None


def minutes_or_none(minutes: float | None) -> float | None:
    """Return a running time; the sources write 0 where they do not know it."""
    return float(minutes) if minutes else None


def _details(row: dict[str, Any]) -> TitleDetails:
    return TitleDetails(
        release_year=row["release_year"],
        runtime_minutes=minutes_or_none(row["runtime_minutes"]),
        maturity_level=MATURITY_OF_CERTIFICATE.get(row["certificate"]),
        original_language=language_code(row["original_language"]),
        genres=tuple(row["genres"] or ()),
        cast=_names(row["cast"] or ()),
        synopsis=row["synopsis"] or None,
    )


def _names(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(name for name in names if name)
