from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.transforms.encoding import encode, encode_column

VECTOR = s.USER_SNAPSHOT.column(s.GENRE_PREFERENCE)
WIDTH = len(s.GENRES)


def test_floats_stay_float32_and_null_is_nan():
    encoded = encode_column(s.USER_SNAPSHOT.column(s.WATCH_VELOCITY), [0.5, None])
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(encoded, [0.5, np.nan])


def test_instants_keep_every_microsecond():
    instant = 1_704_141_000_000_001
    encoded = encode_column(s.USER_SNAPSHOT.column(s.LAST_WATCHED_AT), [instant, None])
    assert encoded.dtype == np.float64
    assert int(encoded[0]) == instant
    assert np.isnan(encoded[1])


def test_null_text_is_empty():
    assert encode_column(s.USER_PROFILE.column(s.COUNTRY), ["KR", None]).tolist() == ["KR", ""]


def test_lists_of_strings_become_tuples():
    encoded = encode_column(s.USER_HISTORY.column(s.WATCHED_TITLE_IDS), [["a", "b"], [], None])
    assert encoded.tolist() == [("a", "b"), (), ()]
    assert encoded.dtype == object


def test_vectors_become_a_matrix_with_nan_rows_for_null():
    encoded = encode_column(VECTOR, [[0.5] * WIDTH, None])
    assert encoded.shape == (2, WIDTH)
    assert encoded.dtype == np.float32
    assert (encoded[0] == 0.5).all()
    assert np.isnan(encoded[1]).all()


@pytest.mark.parametrize("arrow", [False, True])
def test_vector_of_wrong_length_is_refused_by_name(arrow: bool):
    values = [[0.5] * (WIDTH - 1)]
    with pytest.raises(ValueError, match=s.GENRE_PREFERENCE):
        encode_column(VECTOR, pa.array(values, pa.list_(pa.float32())) if arrow else values)


@pytest.mark.parametrize(
    ("table", "name", "values"),
    [
        (s.USER_SNAPSHOT, s.WATCH_COUNT, [3, None, 5]),
        (s.USER_SNAPSHOT, s.WATCH_VELOCITY, [0.25, None, 1.5]),
        (s.USER_PROFILE, s.LANGUAGE, ["ko", None, "en"]),
        (s.USER_HISTORY, s.WATCHED_TITLE_IDS, [["a"], None, []]),
        (s.USER_SNAPSHOT, s.GENRE_PREFERENCE, [[0.0] * WIDTH, None, [1.0] * WIDTH]),
    ],
)
def test_arrow_and_python_answers_encode_alike(table: s.Table, name: str, values: list[object]):
    column = table.column(name)
    array = pa.array(values, column.type)
    from_python = encode_column(column, values)
    for answer in (array, pa.chunked_array([array[:1], array[1:]]), array[0:]):
        encoded = encode_column(column, answer)
        assert encoded.dtype == from_python.dtype
        np.testing.assert_array_equal(encoded, from_python)


def test_sliced_vectors_encode_their_own_rows():
    values = pa.array([[float(row)] * WIDTH for row in range(4)], pa.list_(pa.float32()))
    assert encode_column(VECTOR, values[2:])[:, 0].tolist() == [2.0, 3.0]


def test_only_declared_columns_that_are_given_are_encoded():
    encoded = encode(s.USER_PROFILE, {s.COUNTRY: ["KR"], "unheard_of": [1]})
    assert list(encoded) == [s.COUNTRY]
