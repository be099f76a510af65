from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from feature_repo.ingest.faults import RowFaults
from feature_repo.ingest.movielens_titles import (
    TitleConverter,
    genres_in_vocabulary,
    read_dat_movies,
    split_name,
)
from feature_repo.ingest.sources import DataFileError, SourceBatch
from feature_repo.ingest.title_details import TitleDetails
from feature_repo.schema import TITLES


@pytest.mark.parametrize(
    ("title", "name", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Matrix, The (1999)", "The Matrix", 1999),
        ("Christmas Story, A (1983)", "A Christmas Story", 1983),
        ("Avventura, L' (1960)", "L'Avventura", 1960),
        ("City of Lost Children, The (Cité des enfants perdus, La) (1995)",
         "The City of Lost Children (Cité des enfants perdus, La)", 1995),
        ("I, Robot (2004)", "I, Robot", 2004),
        ("2001: A Space Odyssey (1968) ", "2001: A Space Odyssey", 1968),
        ("Big Bang Theory, The (2007-)", "The Big Bang Theory", 2007),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975),
        ("1984", "1984", None),
    ],
)  # fmt: skip
def test_a_title_is_split_into_name_and_year(title: str, name: str, year: int | None) -> None:
    assert split_name(title) == (name, year)


def test_genres_are_those_of_the_schema() -> None:
    names = ["Children's", "Sci-Fi", "IMAX", "Children", "Film-Noir", "(no genres listed)"]
    assert genres_in_vocabulary(names) == ["Children", "Science Fiction", "Film-Noir"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_movies_are_read_in_either_encoding(write: Callable[..., Path], encoding: str) -> None:
    batch = read_dat_movies(
        write("movies.dat", "1::Amélie: A::Comedy\nbroken\n3::B (1999)::Drama\n", encoding)
    )
    assert batch.malformed[0].number == 2
    assert batch.numbers.tolist() == [1, 3]


def test_a_missing_movies_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be read"):
        read_dat_movies(tmp_path / "movies.dat")


def test_a_movie_takes_its_details_and_is_known_from_its_first_rating(
    source: Callable[..., SourceBatch],
) -> None:
    batch = source(
        movieId=["1", "2"], title=["Heat (1995)", "Unseen"], genres=["Action|IMAX", "(no genres listed)"]
    )
    details = {"2": TitleDetails(2001, 39.0, 16, "fr", ("Sci-Fi",), ("Ann",), "Text.", "collection-9")}
    rows = TitleConverter(details, {"1": 5_000_000, "9": 2_000_000})(batch, TITLES, RowFaults(2))
    first, second = rows.to_pylist()
    assert (first["name"], first["release_year"], first["genres"]) == ("Heat", 1995, ["Action"])
    assert (first["title_type"], first["runtime_minutes"], first["cast"]) == ("movie", None, [])
    assert first["available_since"].timestamp() == first["event_timestamp"].timestamp() == 5
    assert (second["name"], second["release_year"], second["genres"]) == ("Unseen", 2001, ["Science Fiction"])
    assert (second["title_type"], second["maturity_level"]) == ("short", 16)
    assert (second["cast"], second["synopsis"]) == (["Ann"], "Text.")
    assert (second["franchise_id"], second["countries"]) == ("collection-9", None)
    assert second["available_since"].timestamp() == 2  # never rated: the start of the data
