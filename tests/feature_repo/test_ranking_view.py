from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.ranking_view import rank_frame, ranking
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY
from feature_repo.transforms.encoding import Arrays, encode_column
from feature_repo.transforms.ranking import (
    CONTEXT_INPUTS,
    MEMBER_INPUTS,
    RANKING_FEATURES,
    TITLE_INPUTS,
    ranking_features,
)

NOW = 1_704_141_000_000_000
"""Monday 2024-01-01 20:30 UTC, in microseconds."""
DAY = int(MICROSECONDS_PER_DAY)
TABLES = (
    s.USER_SNAPSHOT, s.USER_SESSION, s.USER_PROFILE, s.USER_ALS_EMBEDDING,
    s.TITLE_METADATA, s.TITLE_STATISTICS, s.TITLE_ALS_EMBEDDING,
)  # fmt: skip
COLUMNS = {column.name: column for table in TABLES for column in table.columns}
INPUTS = (*MEMBER_INPUTS, *TITLE_INPUTS)


def known_row() -> dict[str, Any]:
    """A member and a title of which everything is known; fractions that binary floats round."""
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.ones(len(s.GENRES))).astype(np.float32)
    return {
        s.GENRE_PREFERENCE: shares.tolist(),
        s.MEAN_SESSION_MINUTES: 61.7,
        s.LAST_WATCHED_AT: NOW - 7 * DAY - 1,
        s.PREFERRED_DEVICE: "tv",
        s.PREFERRED_HOUR: 1,
        s.WATCH_VELOCITY: 2.3,
        s.WATCH_COUNT: 9,
        s.LANGUAGE: "ko",
        s.SESSION_COMPLETION: 0.7,
        s.SESSION_MINUTES: 20.1,
        s.SESSION_DEVICE: "web",
        s.SESSION_WATCHED_AT: NOW - DAY // 3 - 1,
        s.SESSION_GENRES: shares[::-1].tolist(),
        s.USER_EMBEDDING: rng.normal(size=s.ALS_DIMENSIONS).astype(np.float32).tolist(),
        s.GENRE_VECTOR: (shares / np.linalg.norm(shares)).tolist(),
        s.RELEASE_YEAR: 2014,
        s.RUNTIME_MINUTES: 90.1,
        s.TITLE_TYPE: "series",
        s.MATURITY_LEVEL: 16,
        s.ORIGINAL_LANGUAGE: "ko",
        s.AVAILABLE_SINCE: NOW - 3 * DAY,
        s.VIEW_COUNT: 99,
        s.MEAN_COMPLETION: 0.3,
        s.DECAYED_PLAYS: 10.7,
        s.DECAYED_PLAYS_AT: NOW - 2 * DAY,
        s.PLAY_RATE: 0.1,
        s.TITLE_EMBEDDING: rng.normal(size=s.ALS_DIMENSIONS).astype(np.float32).tolist(),
        s.REQUEST_TIMESTAMP: float(NOW),
        s.DEVICE_TYPE: "tv",
        s.TWO_TOWER_SCORE: 0.3,
        s.ROW_INDEX: 2.0,
        s.POSITION: 5.0,
    }


def unknown_row(null: float | None) -> dict[str, Any]:
    request = {s.REQUEST_TIMESTAMP: float(NOW), s.DEVICE_TYPE: "mobile", s.TWO_TOWER_SCORE: null}
    return dict.fromkeys(INPUTS, null) | request | {s.ROW_INDEX: 1.0, s.POSITION: 1.0}


def expected(rows: list[dict[str, Any]]) -> NDArray[np.float32]:
    """What training and serving compute from the same values."""
    encoded = {name: encode_column(COLUMNS[name], [row[name] for row in rows]) for name in INPUTS}
    context: Arrays = {
        s.REQUEST_TIMESTAMP: np.array([row[s.REQUEST_TIMESTAMP] for row in rows]),
        s.DEVICE_TYPE: np.array([row[s.DEVICE_TYPE] for row in rows]),
        **{
            name: np.array([row[name] for row in rows], dtype=np.float32)
            for name in (s.TWO_TOWER_SCORE, s.ROW_INDEX, s.POSITION)
        },
    }
    member = {name: encoded[name] for name in MEMBER_INPUTS}
    titles = {name: encoded[name] for name in TITLE_INPUTS}
    return ranking_features(member, titles, context)


def assert_same_bits(found: pd.DataFrame, wanted: NDArray[np.float32]) -> None:
    assert tuple(found.columns) == RANKING_FEATURES
    assert (found.dtypes == np.float32).all()
    values = found.to_numpy()
    assert np.array_equal(np.isnan(values), np.isnan(wanted))
    there = ~np.isnan(wanted)
    assert np.array_equal(values[there].view(np.uint32), wanted[there].view(np.uint32))


def test_the_view_is_given_every_input_of_the_ranker() -> None:
    assert set(known_row()) == set(INPUTS) | set(CONTEXT_INPUTS)
    given = {
        field.name
        for projection in ranking.source_feature_view_projections.values()
        for field in projection.features
    }
    given |= {field.name for source in ranking.source_request_sources.values() for field in source.schema}
    assert set(INPUTS) | set(CONTEXT_INPUTS) <= given


def test_the_view_computes_the_rankers_row_bit_for_bit() -> None:
    rows = [known_row()]
    assert not np.isnan(expected(rows)).any()
    assert_same_bits(rank_frame(pd.DataFrame(rows)), expected(rows))


@pytest.mark.parametrize("null", [None, float("nan")], ids=["None", "NaN"])
def test_a_null_is_unknown_however_pandas_spells_it(null: float | None) -> None:
    wanted = expected([unknown_row(None)])
    of_request = [name in {"request_hour", "request_weekday", "device_code", "shown_row", "shown_position"}
                  for name in RANKING_FEATURES]  # fmt: skip
    assert (np.isnan(wanted) == np.logical_not(of_request)).all()
    assert_same_bits(rank_frame(pd.DataFrame([unknown_row(null)])), wanted)
    assert_same_bits(rank_frame(pd.DataFrame([unknown_row(null)], dtype=object)), wanted)


@pytest.mark.parametrize("null", [None, float("nan")], ids=["None", "NaN"])
def test_a_null_beside_a_known_value_leaves_it_as_it_is(null: float | None) -> None:
    """Beside a null, pandas turns a column of integers into floats."""
    wanted = expected([known_row(), unknown_row(None), known_row()])
    assert_same_bits(rank_frame(pd.DataFrame([known_row(), unknown_row(null), known_row()])), wanted)


@pytest.mark.parametrize("missing", INPUTS)
def test_each_input_may_be_unknown_on_its_own(missing: str) -> None:
    row = known_row() | {missing: None}
    wanted = expected([row])
    assert np.isnan(wanted).any()
    assert_same_bits(rank_frame(pd.DataFrame([row])), wanted)


def test_vectors_may_come_as_arrays() -> None:
    vectors = [name for name in INPUTS if COLUMNS[name].length is not None]
    row = known_row()
    arrays = row | {name: np.array(row[name], dtype=np.float32) for name in vectors}
    assert_same_bits(rank_frame(pd.DataFrame([arrays])), expected([row]))


def test_an_unknown_device_is_unknown_in_the_request_too() -> None:
    frame = pd.DataFrame([known_row() | {s.DEVICE_TYPE: None}])
    assert_same_bits(rank_frame(frame), expected([known_row() | {s.DEVICE_TYPE: ""}]))


def test_a_frame_of_any_index_gives_its_rows_in_order() -> None:
    frame = pd.DataFrame([known_row(), unknown_row(None)], index=[7, 7])
    assert_same_bits(rank_frame(frame), expected([known_row(), unknown_row(None)]))


def test_no_rows_make_an_empty_frame() -> None:
    """An unknown entity set has no rows, but the columns stay."""
    empty = pd.DataFrame([known_row()]).iloc[:0]
    assert rank_frame(empty).shape == (0, len(RANKING_FEATURES))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(KeyError, match=s.PLAY_RATE):
        rank_frame(pd.DataFrame([known_row()]).drop(columns=s.PLAY_RATE))


def test_a_vector_of_a_wrong_length_is_named() -> None:
    with pytest.raises(ValueError, match=s.USER_EMBEDDING):
        rank_frame(pd.DataFrame([known_row() | {s.USER_EMBEDDING: [1.0, 2.0]}]))


def test_feasts_probe_with_vectors_of_length_one_is_accepted() -> None:
    """Feast runs a view it registers on one row that it makes up."""
    view = copy.deepcopy(ranking)
    view.infer_features()
    assert tuple(field.name for field in view.features) == RANKING_FEATURES


def test_a_vector_of_length_one_counts_as_unknown() -> None:
    probe = known_row() | {s.GENRE_VECTOR: [0.5], s.USER_EMBEDDING: [1.0]}
    wanted = expected([known_row() | {s.GENRE_VECTOR: None, s.USER_EMBEDDING: None}])
    assert_same_bits(rank_frame(pd.DataFrame([probe])), wanted)
