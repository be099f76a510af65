from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.transforms import arrow_columns as a

WORDS = pa.array(["a", "b", "c"])
CREATED = datetime(2024, 2, 1, tzinfo=UTC)


def test_codes_become_words_and_negative_ones_null():
    assert a.words(np.array([2, -1, 0]), WORDS).to_pylist() == ["c", None, "a"]


def test_flat_codes_are_cut_into_lists_empty_ones_included():
    lists = a.word_lists(np.array([0, 1, 2]), np.array([2, 0, 1]), WORDS)
    assert lists.to_pylist() == [["a", "b"], [], ["c"]]


def test_matrix_rows_become_float32_lists():
    lists = a.vectors(np.array([[0.5, 1.0], [2.0, 4.0]]))
    assert lists.type == pa.list_(pa.float32())
    assert lists.to_pylist() == [[0.5, 1.0], [2.0, 4.0]]


def test_vocabulary_is_sorted_distinct_and_without_nulls():
    words = a.sorted_vocabulary(pa.chunked_array([["c", "a"], ["a", None]]), pa.chunked_array([["b"]]))
    assert words.to_pylist() == ["a", "b", "c"]


def test_strangers_and_nulls_have_no_code():
    assert a.codes_of(pa.chunked_array([["b", None, "z"]]), WORDS).tolist() == [1, -1, -1]


def test_instants_of_any_zone_and_unit_become_utc_microseconds():
    seconds = pa.chunked_array([pa.array([1], pa.timestamp("s", tz="Asia/Seoul"))])
    assert a.microseconds(seconds).tolist() == [1_000_000]


def test_record_batch_has_declared_types_and_stamp():
    columns = {s.USER_ID: pa.array(["u"]), s.EVENT_TIMESTAMP: np.array([5]), s.COUNTRY: pa.array(["KR"]),
               s.LANGUAGE: pa.nulls(1), s.MATURITY_LIMIT: pa.nulls(1)}  # fmt: skip
    batch = a.record_batch(s.USER_PROFILE, columns, CREATED)
    assert batch.schema == s.USER_PROFILE.arrow_schema
    row = batch.to_pylist()[0]
    assert row[s.CREATED_TIMESTAMP] == CREATED
    assert row[s.EVENT_TIMESTAMP] == datetime(1970, 1, 1, 0, 0, 0, 5, tzinfo=UTC)


def test_missing_column_is_named():
    with pytest.raises(KeyError, match=s.LANGUAGE):
        a.record_batch(s.USER_PROFILE, {s.USER_ID: pa.array(["u"]), s.EVENT_TIMESTAMP: np.array([5]),
                                        s.COUNTRY: pa.array(["KR"])}, CREATED)  # fmt: skip
