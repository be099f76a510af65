from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.ingest.sources import DataFileError
from feature_repo.ingest.title_details import (
    MATURITY_OF_CERTIFICATE,
    TitleDetails,
    default_details_file,
    language_code,
    read_movielens_titles,
)
from feature_repo.schema import MATURITY_LEVELS

ROWS = pa.table(
    {
        "movie_id": [1, 2],
        "release_year": pa.array([1995, None], pa.int64()),
        "genres": [["Comedy"], []],
        "synopsis": ["Toys.", None],
        "cast": [["Ann", "Bob"], None],
        "runtime_minutes": [81, 0],
        "original_language": ["cn", None],
        "certificate": ["PG-13", "Not Rated"],
    }
)


def test_a_titles_file_is_read_by_movielens_id(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "titles.parquet")
    assert read_movielens_titles(tmp_path / "titles.parquet") == {
        "1": TitleDetails(1995, 81.0, 13, "zh", ("Comedy",), ("Ann", "Bob"), "Toys."),
        "2": TitleDetails(),
    }


def test_a_titles_file_without_a_column_is_refused(tmp_path: Path) -> None:
    pq.write_table(ROWS.drop_columns(["cast"]), tmp_path / "titles.parquet")
    with pytest.raises(DataFileError, match="column 'cast': the column is missing"):
        read_movielens_titles(tmp_path / "titles.parquet")


def test_every_certificate_has_one_of_our_levels() -> None:
    assert set(MATURITY_OF_CERTIFICATE.values()) <= set(MATURITY_LEVELS)


@pytest.mark.parametrize(
    ("code", "expected"), [("en", "en"), ("cn", "zh"), ("xx", None), ("", None), ("104.0", None)]
)
def test_only_iso_639_1_codes_are_languages(code: str, expected: str | None) -> None:
    assert language_code(code) == expected


def test_the_default_titles_file_stands_beside_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "ml"
    folder.mkdir()
    assert default_details_file(folder) is None
    (tmp_path / "movielens-titles.parquet").touch()
    assert default_details_file(folder) == tmp_path / "movielens-titles.parquet"
