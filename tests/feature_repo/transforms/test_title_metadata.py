from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.transforms.arrow_columns import microseconds
from feature_repo.transforms.title_metadata import GenreVersions, genre_vectors, title_metadata, user_profile

CREATED = datetime(2024, 6, 1, tzinfo=UTC)
ACTION, DRAMA = s.GENRES.index("Action"), s.GENRES.index("Drama")


def test_genres_share_a_unit_length_and_none_is_zero():
    lists = pa.chunked_array(
        [pa.array([["Drama", "Action"], [], ["Drama", "Drama"], None], pa.list_(pa.string()))]
    )
    vectors = genre_vectors(lists)
    assert vectors.shape == (4, len(s.GENRES))
    assert vectors[0, [ACTION, DRAMA]] == pytest.approx([math.sqrt(0.5)] * 2)
    assert vectors[2, DRAMA] == 1.0
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 1, 0])


def test_unheard_of_genre_does_not_count():
    vectors = genre_vectors(pa.chunked_array([pa.array([["Drama", "Nonsense"]])]))
    assert vectors[0, DRAMA] == 1.0


def test_metadata_rows_carry_the_catalogue_and_its_instants(make_titles, instant):
    batch = title_metadata(make_titles([("a", ["Drama"], 5)]), CREATED)
    assert batch.schema == s.TITLE_METADATA.arrow_schema
    row = batch.to_pylist()[0]
    assert (row[s.TITLE_ID], row[s.GENRE_NAMES], row[s.EVENT_TIMESTAMP]) == ("a", ["Drama"], instant(5))
    assert row[s.UPDATED_AT] == int(instant(5).timestamp()) * 1_000_000
    assert row[s.AVAILABLE_SINCE] == int(instant(60).timestamp()) * 1_000_000
    assert row[s.RELEASE_YEAR] is None


def test_profile_rows_repeat_what_members_told(instant):
    rows = [{s.USER_ID: "u", s.COUNTRY: "KR", s.EVENT_TIMESTAMP: instant(1)}]
    batch = user_profile(pa.Table.from_pylist(rows, schema=s.MEMBERS.arrow_schema), CREATED)
    assert batch.to_pylist() == [
        {**rows[0], s.LANGUAGE: None, s.MATURITY_LIMIT: None, s.CREATED_TIMESTAMP: CREATED}
    ]


def test_genres_are_those_known_at_the_instant(make_titles, make_events):
    titles = make_titles(
        [("b", ["Drama"], 100), ("a", ["Action"], 50), ("a", ["Drama"], 20), ("x", ["War"], 0)]
    )
    versions = GenreVersions.of(titles, pa.array(["a", "b", "c"]))
    asked = [("a", 10, DRAMA), ("a", 20, DRAMA), ("a", 49, DRAMA), ("a", 50, ACTION), ("a", 500, ACTION),
             ("b", 0, DRAMA), ("b", 500, DRAMA), ("c", 60, None)]  # fmt: skip
    events = make_events([(str(i), "u", title, "play", minute) for i, (title, minute, _) in enumerate(asked)])
    codes = np.array(["abc".index(title) for title, _, _ in asked], dtype=np.int32)
    vectors = versions.vectors[versions.versions(codes, microseconds(events[s.EVENT_TIMESTAMP]))]
    found = [int(vector.argmax()) if vector.any() else None for vector in vectors]
    assert found == [genre for _, _, genre in asked]


def test_empty_catalogue_knows_no_genres(make_titles):
    versions = GenreVersions.of(make_titles([]), pa.array(["a"]))
    found = versions.versions(np.array([0], dtype=np.int32), np.array([0]))
    assert not versions.vectors[found].any()
