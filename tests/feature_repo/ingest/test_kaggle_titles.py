from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from feature_repo.ingest.kaggle_titles import read_kaggle
from feature_repo.ingest.rejects import RejectFile
from feature_repo.ingest.sources import DataFileError

HEADER = "adult,belongs_to_collection,genres,id,original_language,overview,release_date,runtime\n"
TOY_STORY = (
    "False,\"{'id': 10194, 'name': 'Toy Story Collection'}\",\"[{'id': 16, 'name': 'Animation'}]\","
    '862,en,"Led by Woody,\nthe toys live.",1995-10-30,81.0\n'
)
UNKNOWN = "False,,[],8844,xx,No overview found.,,0\n"
CREDITS = "cast,crew,id\n\"[{'name': \"\"Tom O'Hanks\"\"}, {'name': 'Tim Allen'}]\",[],862\n"
LINKS = "movieId,imdbId,tmdbId\n1,0114709,862\n2,0113497,8844\n3,,\n"
Open = Callable[[str], RejectFile]


@pytest.fixture
def rejects() -> dict[str, RejectFile]:
    return {}


@pytest.fixture
def reject_file(tmp_path: Path, rejects: dict[str, RejectFile]) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_one(name: str) -> RejectFile:
            rejects[name] = stack.enter_context(RejectFile(tmp_path / "rejects", name, "run1"))
            return rejects[name]

        yield open_one


@pytest.fixture
def links(write: Callable[..., Path]) -> Path:
    return write("links.csv", LINKS)


def test_details_are_found_through_the_links(
    write: Callable[..., Path], links: Path, reject_file: Open, rejects: dict[str, RejectFile]
) -> None:
    write("credits.csv", CREDITS)
    details = read_kaggle(write("movies_metadata.csv", HEADER + TOY_STORY + UNKNOWN), links, reject_file)
    assert list(details) == ["1", "2"]
    toys, unknown = details["1"], details["2"]
    assert (toys.release_year, toys.runtime_minutes, toys.original_language) == (1995, 81.0, "en")
    assert (toys.genres, toys.franchise_id) == (("Animation",), "collection-10194")
    assert toys.synopsis == "Led by Woody,\nthe toys live."
    assert toys.cast == ("Tom O'Hanks", "Tim Allen")
    assert (unknown.synopsis, unknown.runtime_minutes, unknown.release_year) == (None, None, None)
    assert (unknown.original_language, unknown.cast, unknown.franchise_id) == (None, (), None)
    assert not rejects["movies_metadata"].counts


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (TOY_STORY.replace("862", "1997-08-20"), "id: is not a TMDB id"),
        (TOY_STORY.replace("[{'id': 16", "[{'id' 16"), "genres: is not a Python literal"),
        (TOY_STORY.replace("[{'id': 16, 'name': 'Animation'}]", "{}"), "genres: is not a list"),
        (TOY_STORY.replace("'name': 'Animation'", "'nom': 'x'"), "genres: is not a list of names"),
        (TOY_STORY.replace("[{'id': 16", "[__import__('os')"), "genres: is not a Python literal"),
        (TOY_STORY.replace("81.0", "long"), "runtime: is not a number"),
    ],
)
def test_a_row_that_cannot_be_understood_is_rejected(
    write: Callable[..., Path],
    links: Path,
    reject_file: Open,
    rejects: dict[str, RejectFile],
    row: str,
    rule: str,
) -> None:
    write("credits.csv", "cast,crew,id\n")
    details = read_kaggle(write("movies_metadata.csv", HEADER + row + UNKNOWN), links, reject_file)
    assert list(details) == ["2"]
    assert rejects["movies_metadata"].counts == {rule: 1}


def test_an_adult_film_is_for_adults(write: Callable[..., Path], links: Path, reject_file: Open) -> None:
    write("credits.csv", "cast,crew,id\n")
    row = TOY_STORY.replace("False", "True")
    details = read_kaggle(write("movies_metadata.csv", HEADER + row), links, reject_file)
    assert details["1"].maturity_level == 18


def test_without_links_nothing_can_be_joined(write: Callable[..., Path], reject_file: Open) -> None:
    with pytest.raises(DataFileError, match=r"cannot be joined without links\.csv"):
        read_kaggle(write("movies_metadata.csv", HEADER), None, reject_file)


@pytest.mark.parametrize(
    ("credits", "problem"),
    [(None, "cannot be read"), ("cast,crew\n", "column 'id': the column is missing")],
)
def test_credits_that_cannot_be_used_are_named(
    write: Callable[..., Path], links: Path, reject_file: Open, credits: str | None, problem: str
) -> None:
    if credits is not None:
        write("credits.csv", credits)
    with pytest.raises(DataFileError, match=rf"credits\.csv.*{problem}"):
        read_kaggle(write("movies_metadata.csv", HEADER), links, reject_file)
