"""Importing MovieLens: a rating becomes a watch event.

Two layouts, told apart by the files in the folder: CSV (ml-latest*, ml-25m, ml-32m) and ``::``-separated
(ml-1m, ml-10m). Harper and Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015.
MovieLens knows no device, country or language: they stay null. Of ``users.dat`` (age, occupation, zip
code) Marquee uses the ids alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo.ingest.conversion import cast_or_null, parse_instants
from feature_repo.ingest.faults import RowFaults
from feature_repo.ingest.import_run import ImportRun, Progress, TableImport
from feature_repo.ingest.kaggle_titles import KAGGLE_FILE, read_kaggle
from feature_repo.ingest.lake import Lake
from feature_repo.ingest.movielens_titles import TitleConverter, read_dat_movies
from feature_repo.ingest.sources import DataFileError, SourceBatch, header, read_csv
from feature_repo.ingest.title_details import TitleDetails, default_details_file, read_movielens_titles
from feature_repo.schema import (
    COMPLETION_FRACTION,
    EVENT_TIMESTAMP,
    EVENTS,
    MEMBERS,
    TITLE_ID,
    TITLES,
    USER_ID,
    Table,
)

WATCH_FRACTION_OF_STARS = {
    0.5: 0.02, 1.0: 0.05, 1.5: 0.1, 2.0: 0.2, 2.5: 0.35,
    3.0: 0.5, 3.5: 0.65, 4.0: 0.8, 4.5: 0.9, 5.0: 1.0,
}  # fmt: skip
"""A convention, not a measurement: 4 stars and more count as completed, 1 star as turned off early."""

_RATING_COLUMNS = ("userId", "movieId", "rating", "timestamp")
# "1::1193::5::978300760" split at single colons has an empty cell between any two values.
_DAT_COLUMNS = ("userId", "_1", "movieId", "_2", "rating", "_3", "timestamp")
_MOVIE_COLUMNS = ("movieId", "title", "genres")


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of a MovieLens folder."""

    ratings: Path
    movies: Path
    links: Path | None
    users: Path | None

    @classmethod
    def find(cls, directory: Path) -> Layout:
        """Recognise the layout; raises :class:`DataFileError` if the folder has neither."""
        for suffix in (".csv", ".dat"):
            ratings, movies = (directory / f"{name}{suffix}" for name in ("ratings", "movies"))
            if ratings.is_file() and movies.is_file():
                optional = (directory / name for name in ("links.csv", "users.dat"))
                return cls(ratings, movies, *(path if path.is_file() else None for path in optional))
        raise DataFileError(
            directory,
            "no MovieLens folder: neither ratings.csv with movies.csv nor ratings.dat with movies.dat",
            "Name the unpacked folder, such as ml-latest-small",
        )


def import_movielens(
    lake: Lake,
    directory: Path,
    rejects: Path,
    run: str,
    *,
    now: datetime,
    titles: Path | None = None,
    progress: Progress | None = None,
) -> list[TableImport]:
    """Import a MovieLens folder as events, titles and members.

    ``titles`` adds cast, synopsis and more: ``movielens-titles.parquet``, or Kaggle's
    ``movies_metadata.csv`` beside ``credits.csv``; by default the former, where it stands beside the folder.
    A title is available, and its metadata known, from its first rating on (never rated: from the first
    rating of all), so that no point-in-time join sees it earlier. The same holds for members. See
    :class:`ImportRun` for ``rejects``, ``run`` and ``now``.
    """
    layout = Layout.find(directory)
    titles = titles or default_details_file(directory)
    with ImportRun(lake, rejects, run, now, progress=progress) as importing:
        first_of_title, first_of_user = FirstSeen(TITLE_ID), FirstSeen(USER_ID)

        def observe(rows: pa.RecordBatch) -> None:
            first_of_title.observe(rows)
            first_of_user.observe(rows)

        importing.write(EVENTS, _ratings(layout.ratings), convert_ratings, observe)
        if not first_of_title.instants:
            raise DataFileError(layout.ratings, "there is no rating in it", "Unpack the data set anew")
        details = _read_details(titles, layout, importing)
        importing.write(TITLES, _movies(layout.movies), TitleConverter(details, first_of_title.instants))
        importing.write(MEMBERS, _members(layout, first_of_user.instants))
    return importing.results


class FirstSeen:
    """The first instant (microseconds since 1970) at which each value of a column occurs."""

    def __init__(self, column: str) -> None:
        self.instants: dict[str, int] = {}
        self._column = column

    def observe(self, rows: pa.RecordBatch) -> None:
        """Take a batch of events into account."""
        grouped = pa.table(rows).group_by(self._column).aggregate([(EVENT_TIMESTAMP, "min")])
        firsts = grouped[f"{EVENT_TIMESTAMP}_min"].cast(pa.int64()).to_pylist()
        for value, first in zip(grouped[self._column].to_pylist(), firsts, strict=True):
            self.instants[value] = min(first, self.instants.get(value, first))


def convert_ratings(batch: SourceBatch, table: Table, faults: RowFaults) -> pa.RecordBatch:
    """Return watch events for a batch of ratings, given as text."""
    user, movie, rating, timestamp = (batch.rows.column(name) for name in _RATING_COLUMNS)
    for name in _RATING_COLUMNS:
        faults.add(name, _mask(pc.is_null(batch.rows.column(name))), "is missing")
    stars = pa.array(WATCH_FRACTION_OF_STARS.keys(), pa.float64())
    place = pc.index_in(cast_or_null(rating, pa.float64()), value_set=stars)
    faults.add("rating", _mask(pc.is_null(place)), "is not one of 0.5, 1.0, ... 5.0", rating)
    fraction = pa.array(WATCH_FRACTION_OF_STARS.values(), pa.float64()).take(place)
    when = parse_instants(timestamp)
    faults.add("timestamp", _mask(pc.is_null(when)), "is not in seconds since 1970", timestamp)
    rows = batch.rows.num_rows
    event_id = pc.binary_join_element_wise("ml", user, movie, timestamp, "-")
    event_type = pc.if_else(pc.greater_equal(fraction, COMPLETION_FRACTION), "complete", "pause")
    unknown = (pa.nulls(rows, pa.float32()), pa.nulls(rows, pa.string()))
    arrays = [event_id, user, movie, event_type, when, fraction.cast(pa.float32()), *unknown]
    return pa.RecordBatch.from_arrays(arrays, names=table.arrow_schema.names)


def _read_details(titles: Path | None, layout: Layout, importing: ImportRun) -> dict[str, TitleDetails]:
    if titles is None:
        return {}
    if titles.name == KAGGLE_FILE:
        return read_kaggle(titles, layout.links, importing.reject_file)
    return read_movielens_titles(titles)


def _ratings(path: Path) -> Iterator[SourceBatch]:
    if path.suffix == ".csv":
        _require(path, _RATING_COLUMNS)
        return read_csv(path, header(path), columns=_RATING_COLUMNS)
    return read_csv(
        path, _DAT_COLUMNS, has_header=False, delimiter=":", quoted=False, columns=_RATING_COLUMNS
    )


def _movies(path: Path) -> Iterator[SourceBatch]:
    if path.suffix == ".csv":
        _require(path, _MOVIE_COLUMNS)
        return read_csv(path, header(path), columns=_MOVIE_COLUMNS)
    return iter([read_dat_movies(path)])


def _require(path: Path, columns: tuple[str, ...]) -> None:
    for column in columns:
        if column not in header(path):
            raise DataFileError(path, "the column is missing", "Unpack the data set anew", column)


def _members(layout: Layout, first_of_user: dict[str, int]) -> Iterator[SourceBatch]:
    if layout.users is not None:
        start = min(first_of_user.values())
        lines = layout.users.read_text("latin-1").splitlines()
        first_of_user = dict.fromkeys((line.split("::")[0] for line in lines), start) | first_of_user
    instants = pa.array(first_of_user.values(), pa.timestamp("us", tz="UTC"))
    rows = pa.RecordBatch.from_arrays(
        [pa.array(first_of_user, pa.string()), instants], names=[USER_ID, EVENT_TIMESTAMP]
    )
    yield SourceBatch(layout.users or layout.ratings, rows, np.arange(1, rows.num_rows + 1))


def _mask(values: pa.Array) -> NDArray[np.bool_]:
    return np.array(values.to_numpy(zero_copy_only=False), bool)
