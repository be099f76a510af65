from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from feast.online_response import OnlineResponse
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import FloatList, StringList, Value

from feature_repo import schema as s
from feature_repo.online_answers import decode_answer

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
HOUR_AGO = NOW - timedelta(hours=1)
HOUR = {s.TITLE_STATISTICS.name: 3600.0}

Cell = tuple[Value, int, datetime | None]


def present(value: Value, when: datetime = HOUR_AGO) -> Cell:
    return value, FieldStatus.PRESENT, when


def integer(number: int) -> Value:
    return Value(int64_val=number)


def vector(*numbers: float) -> Value:
    return Value(float_list_val=FloatList(val=numbers))


ABSENT: Cell = (Value(), FieldStatus.NOT_FOUND, None)


def answer(**features: Sequence[Cell]) -> OnlineResponse:
    """What Feast answers: for each feature its value, status and instant per entity."""
    proto = GetOnlineFeaturesResponse()
    for name, cells in features.items():
        proto.metadata.feature_names.val.append(name)
        found = proto.results.add()
        for value, status, when in cells:
            found.values.append(value)
            found.statuses.append(status)
            stamp = found.event_timestamps.add()
            if when is not None:
                stamp.FromDatetime(when)
    return OnlineResponse(proto)


def decode(
    *tables: s.Table, ttl: dict[str, float] | None = None, now: datetime = NOW, **features: Sequence[Cell]
) -> dict[str, Any]:
    return decode_answer(answer(**features), tables, ttl or {}, now)


def test_scalars_of_every_type_come_back_in_the_order_of_entities() -> None:
    arrays = decode(
        s.USER_SNAPSHOT,
        watch_count=[present(integer(7)), present(integer(0))],
        mean_session_minutes=[present(Value(float_val=30.5)), present(Value(float_val=0.0))],
        preferred_device=[present(Value(string_val="tv")), present(Value(string_val="web"))],
    )
    assert arrays[s.WATCH_COUNT].tolist() == [7.0, 0.0]
    assert arrays[s.MEAN_SESSION_MINUTES].tolist() == [30.5, 0.0]
    assert arrays[s.MEAN_SESSION_MINUTES].dtype == np.float32
    assert arrays[s.PREFERRED_DEVICE].tolist() == ["tv", "web"]


def test_instants_keep_every_microsecond() -> None:
    instant = 1_774_785_600_123_457
    arrays = decode(s.USER_SNAPSHOT, last_watched_at=[present(integer(instant))])
    assert int(arrays[s.LAST_WATCHED_AT][0]) == instant


def test_lists_of_strings_become_tuples_and_vectors_rows() -> None:
    shares = [0.0] * len(s.GENRES)
    shares[3] = 0.5
    arrays = decode(
        s.USER_SNAPSHOT,
        recent_title_ids=[present(Value(string_list_val=StringList(val=["t2", "t1"])))],
        recent_watch_fractions=[present(vector(0.25, 1.0))],
        genre_preference=[present(vector(*shares))],
    )
    assert arrays[s.RECENT_TITLE_IDS].tolist() == [("t2", "t1")]
    assert arrays[s.RECENT_WATCH_FRACTIONS].tolist() == [(0.25, 1.0)]
    assert arrays[s.GENRE_PREFERENCE].shape == (1, len(s.GENRES))
    assert arrays[s.GENRE_PREFERENCE][0].tolist() == shares


def test_an_empty_list_is_no_null_but_encodes_as_one() -> None:
    arrays = decode(s.USER_HISTORY, watched_title_ids=[present(Value(string_list_val=StringList()))])
    assert arrays[s.WATCHED_TITLE_IDS].tolist() == [()]


@pytest.mark.parametrize(
    "cell",
    [
        ABSENT,
        (Value(), FieldStatus.NULL_VALUE, HOUR_AGO),
        (Value(), FieldStatus.PRESENT, HOUR_AGO),
        (integer(5), FieldStatus.OUTSIDE_MAX_AGE, HOUR_AGO),
        (integer(5), FieldStatus.INVALID, HOUR_AGO),
    ],
    ids=["not found", "null", "present without a value", "outside its age", "invalid"],
)
def test_whatever_is_not_there_is_null(cell: Cell) -> None:
    arrays = decode(s.TITLE_STATISTICS, view_count=[present(integer(3)), cell])
    assert arrays[s.VIEW_COUNT][0] == 3.0
    assert np.isnan(arrays[s.VIEW_COUNT][1])


def test_a_null_of_each_type_is_encoded_as_its_own() -> None:
    arrays = decode(
        s.USER_SNAPSHOT,
        watch_count=[ABSENT],
        preferred_device=[ABSENT],
        recent_title_ids=[ABSENT],
        genre_preference=[ABSENT],
    )
    assert np.isnan(arrays[s.WATCH_COUNT]).all()
    assert arrays[s.PREFERRED_DEVICE].tolist() == [""]
    assert arrays[s.RECENT_TITLE_IDS].tolist() == [()]
    assert np.isnan(arrays[s.GENRE_PREFERENCE]).all()
    assert arrays[s.GENRE_PREFERENCE].shape == (1, len(s.GENRES))


@pytest.mark.parametrize(
    ("age", "alive"),
    [
        (timedelta(0), True),
        (timedelta(minutes=59), True),
        (timedelta(hours=1), True),
        (timedelta(hours=1, microseconds=1), False),
        (timedelta(days=400), False),
    ],
    ids=str,
)
def test_a_value_lives_as_long_as_its_views_time_to_live_inclusive(age: timedelta, alive: bool) -> None:
    cells = [present(integer(3), NOW - age)]
    arrays = decode(s.TITLE_STATISTICS, ttl=HOUR, view_count=cells)
    assert np.isnan(arrays[s.VIEW_COUNT][0]) != alive


def test_age_is_measured_per_entity() -> None:
    cells = [present(integer(1), NOW), present(integer(2), NOW - timedelta(hours=2)), ABSENT]
    found = decode(s.TITLE_STATISTICS, ttl=HOUR, view_count=cells)[s.VIEW_COUNT]
    assert np.isnan(found).tolist() == [False, True, True]


def test_a_view_without_time_to_live_never_expires() -> None:
    ancient = [present(integer(3), datetime(1995, 1, 1, tzinfo=UTC))]
    assert decode(s.TITLE_STATISTICS, view_count=ancient)[s.VIEW_COUNT].tolist() == [3.0]


def test_each_view_has_a_time_to_live_of_its_own() -> None:
    old = NOW - timedelta(hours=2)
    arrays = decode(
        s.TITLE_STATISTICS,
        s.TITLE_METADATA,
        ttl=HOUR,
        view_count=[present(integer(3), old)],
        name=[present(Value(string_val="Heat"), old)],
    )
    assert np.isnan(arrays[s.VIEW_COUNT]).all()
    assert arrays[s.NAME].tolist() == ["Heat"]


def test_columns_that_were_not_asked_and_keys_are_left_out() -> None:
    arrays = decode(
        s.TITLE_STATISTICS,
        title_id=[present(Value(string_val="t1"))],
        view_count=[present(integer(3))],
        something_else=[present(integer(4))],
    )
    assert list(arrays) == [s.VIEW_COUNT]


def test_a_vector_of_a_wrong_length_is_named() -> None:
    with pytest.raises(ValueError, match=s.GENRE_PREFERENCE):
        decode(s.USER_SNAPSHOT, genre_preference=[present(vector(0.5, 0.5))])


def test_an_answer_for_no_entity_has_no_rows() -> None:
    assert decode(s.TITLE_STATISTICS, view_count=[])[s.VIEW_COUNT].shape == (0,)
