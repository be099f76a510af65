from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
import pytest

from feature_repo.ingest.import_run import TableImport
from feature_repo.ingest.lake import Lake
from feature_repo.ingest.movielens import WATCH_FRACTION_OF_STARS, import_movielens
from feature_repo.ingest.sources import DataFileError
from feature_repo.schema import EVENT_TIMESTAMP, EVENTS, MEMBERS, SYNOPSIS, TITLE_ID, TITLES, USER_ID

Write = Callable[..., Path]
Import = Callable[..., dict[str, TableImport]]

NOW = datetime(2026, 6, 1, tzinfo=UTC)
RATINGS = "userId,movieId,rating,timestamp\r\n1,1,4.0,2000\r\n1,2,0.5,1000\r\n2,1,3.5,3000\r\n"
MOVIES = (
    "movieId,title,genres\r\n1,Toy Story (1995),Adventure|Children\r\n"
    '2,"Matrix, The (1999)",Action|Sci-Fi\r\n3,Unrated (2000),(no genres listed)\r\n'
)


@pytest.fixture
def run(lake: Lake, tmp_path: Path) -> Import:
    def build(directory: Path, titles: Path | None = None) -> dict[str, TableImport]:
        results = import_movielens(lake, directory, tmp_path / "rejects", "run1", now=NOW, titles=titles)
        return {result.table: result for result in results}

    return build


def _seconds(moment: datetime) -> float:
    return moment.timestamp()


def test_a_rating_of_the_future_is_set_aside(run: Import, lake: Lake, write: Write, tmp_path: Path) -> None:
    ahead = int(_seconds(NOW)) + 301
    write("ml/ratings.csv", f"{RATINGS}2,2,5.0,{ahead}\r\n")
    write("ml/movies.csv", MOVIES)
    result = run(tmp_path / "ml")["events"]
    rule = (
        "event_timestamp: lies more than 5 minutes after this machine's clock; correct the row or the clock"
    )
    assert (result.kept, result.rejected) == (3, {rule: 1})
    assert max(lake.read(EVENTS)[EVENT_TIMESTAMP].to_pylist()) < NOW


def test_a_rating_becomes_a_watch_event(run: Import, lake: Lake, write: Write, tmp_path: Path) -> None:
    write("ml/ratings.csv", RATINGS)
    write("ml/movies.csv", MOVIES)
    run(tmp_path / "ml")
    events = {row["event_id"]: row for row in lake.read(EVENTS).to_pylist()}
    assert set(events) == {"ml-1-1-2000", "ml-1-2-1000", "ml-2-1-3000"}
    liked, disliked = events["ml-1-1-2000"], events["ml-1-2-1000"]
    assert (liked["user_id"], liked["title_id"], liked["event_type"]) == ("1", "1", "complete")
    assert liked["watch_fraction"] == pytest.approx(0.8)
    assert (disliked["event_type"], disliked["watch_fraction"]) == ("pause", pytest.approx(0.02))
    assert liked["event_timestamp"] == datetime(1970, 1, 1, 0, 33, 20, tzinfo=UTC)
    assert liked["device_type"] is liked["duration_minutes"] is None


def test_titles_and_members_exist_from_their_first_rating(
    run: Import, lake: Lake, write: Write, tmp_path: Path
) -> None:
    write("ml/ratings.csv", RATINGS)
    write("ml/movies.csv", MOVIES)
    run(tmp_path / "ml")
    titles = {row["title_id"]: row for row in lake.read(TITLES).to_pylist()}
    # Title 3 was never rated: it is there from the start of the data.
    assert {k: _seconds(v["available_since"]) for k, v in titles.items()} == {"1": 2000, "2": 1000, "3": 1000}
    assert {k: v["name"] for k, v in titles.items()} == {"1": "Toy Story", "2": "The Matrix", "3": "Unrated"}
    members = {row["user_id"]: row for row in lake.read(MEMBERS).to_pylist()}
    assert {k: _seconds(v["event_timestamp"]) for k, v in members.items()} == {"1": 1000, "2": 3000}
    assert members["1"]["country"] is members["1"]["maturity_limit"] is None


def test_the_double_colon_layout_is_read_alike(run: Import, lake: Lake, write: Write, tmp_path: Path) -> None:
    write("ml/ratings.dat", "1::1::5::2000\n1::2::1::1000\n2::1::3.5::3000\n1:2\n")
    write("ml/movies.dat", "1::Misérables, Les (1995)::Drama\n2::Ice: Age (2002)::Children's\n", "latin-1")
    write("ml/users.dat", "1::F::1::10::48067\n2::M::56::16::70072\n3::M::25::15::55117\n")
    results = run(tmp_path / "ml")
    assert [results[name].kept for name in ("events", "titles", "members")] == [3, 2, 3]
    assert results["events"].rejected == {"line: has the wrong number of cells": 1}
    names = set(lake.read(TITLES)["name"].to_pylist())
    assert names == {"Les Misérables", "Ice: Age"}
    members = {row["user_id"]: _seconds(row["event_timestamp"]) for row in lake.read(MEMBERS).to_pylist()}
    assert members == {"1": 1000, "2": 3000, "3": 1000}


def test_a_rating_without_meaning_is_rejected(run: Import, write: Write, tmp_path: Path) -> None:
    write("ml/ratings.csv", RATINGS + "1,3,0.7,1\n1,4,,1\n1,5,5,soon\n,6,5,1\n1,7,x,1\n1,1,4.0,2000\n")
    write("ml/movies.csv", MOVIES)
    rejected = run(tmp_path / "ml")["events"].rejected
    assert rejected == {
        "rating: is not one of 0.5, 1.0, ... 5.0": 2,
        "rating: is missing": 1,
        "timestamp: is not in seconds since 1970": 1,
        "userId: is missing": 1,
        "event_id: is a duplicate": 1,
    }


def test_stars_map_to_rising_fractions_and_four_stars_to_a_completed_watch() -> None:
    fractions = list(WATCH_FRACTION_OF_STARS.values())
    assert list(WATCH_FRACTION_OF_STARS) == [stars / 2 for stars in range(1, 11)]
    assert fractions == sorted(set(fractions))
    assert WATCH_FRACTION_OF_STARS[4.0] == 0.8


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"ratings.csv": RATINGS}, "no MovieLens folder: neither ratings.csv with movies.csv nor"),
        ({"ratings.csv": "userId,movieId,rating\n", "movies.csv": MOVIES}, "column 'timestamp': .* missing"),
        ({"ratings.csv": RATINGS, "movies.csv": "movieId,title\n"}, "column 'genres': the column is missing"),
        ({"ratings.csv": RATINGS.splitlines()[0] + "\n", "movies.csv": MOVIES}, "there is no rating in it"),
    ],
)
def test_a_folder_that_is_not_movielens_changes_nothing(
    run: Import, lake: Lake, write: Write, tmp_path: Path, files: dict[str, str], message: str
) -> None:
    for name, text in files.items():
        write(f"ml/{name}", text)
    with pytest.raises(DataFileError, match=message):
        run(tmp_path / "ml")
    assert not lake.exists(EVENTS)


def test_kaggles_metadata_is_joined_through_the_links(
    run: Import, lake: Lake, write: Write, tmp_path: Path
) -> None:
    write("ml/ratings.csv", RATINGS)
    write("ml/movies.csv", MOVIES)
    write("ml/links.csv", "movieId,imdbId,tmdbId\n1,0114709,862\n")
    write("credits.csv", "cast,crew,id\n\"[{'name': 'Tom Hanks'}]\",[],862\n")
    header = "adult,belongs_to_collection,genres,id,original_language,overview,release_date,runtime\n"
    metadata = write("movies_metadata.csv", header + "False,,[],862,en,Toys.,1995-10-30,81\n")
    run(tmp_path / "ml", metadata)
    toys = next(row for row in lake.read(TITLES).to_pylist() if row["title_id"] == "1")
    assert (toys["cast"], toys["synopsis"], toys["runtime_minutes"]) == (["Tom Hanks"], "Toys.", 81.0)


@pytest.mark.movielens
@pytest.mark.parametrize(
    ("name", "ratings", "movies", "users"),
    [("ml-latest-small", 100_836, 9_742, 610), ("ml-1m", 800_774, 3_883, 6_040)],
)
def test_the_real_data_sets_are_imported_whole(
    run: Import, lake: Lake, movielens_data: Path, name: str, ratings: int, movies: int, users: int
) -> None:
    results = run(movielens_data / name)
    assert {r.table: (r.kept, dict(r.rejected)) for r in results.values()} == {
        "events": (ratings, {}), "titles": (movies, {}), "members": (users, {}),
    }  # fmt: skip
    events = lake.read(EVENTS, [USER_ID, TITLE_ID, EVENT_TIMESTAMP])
    assert events.num_rows == ratings
    titles = lake.read(TITLES, [TITLE_ID, SYNOPSIS, EVENT_TIMESTAMP])
    first = events.group_by(TITLE_ID).aggregate([(EVENT_TIMESTAMP, "min")])
    joined = first.join(titles, TITLE_ID)
    assert pc.all(pc.equal(joined[f"{EVENT_TIMESTAMP}_min"], joined[EVENT_TIMESTAMP])).as_py()
    watched = events.join(titles.select([TITLE_ID, SYNOPSIS]), TITLE_ID)
    assert watched[SYNOPSIS].null_count / ratings < 0.05
