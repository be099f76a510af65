from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, strategies as st

from feature_repo.identifiers import LONGEST, PATTERN
from feature_repo.schema import DEVICES, EVENT_TYPES, EVENTS
from feature_repo.stream.event_record import Event, decode_events, encode_event

AT = datetime(2026, 3, 1, 20, 0, 0, 250_001, tzinfo=UTC)
AT_MICROSECONDS = 1_772_395_200_250_001  # date -d 2026-03-01T20:00:00Z +%s is 1772395200
AT_MILLISECONDS = 1_772_395_200_250
EVENT = Event("e1", "ana", "t1", "progress", AT, 0.5, 12.25, "tv")
RECORD = {
    "event_id": "e1", "user_id": "ana", "title_id": "t1", "event_type": "progress",
    "event_timestamp": AT_MICROSECONDS, "watch_fraction": 0.5, "duration_minutes": 12.25, "device_type": "tv",
}  # fmt: skip


def record(**changes: Any) -> bytes:
    return json.dumps(RECORD | changes).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in RECORD.items() if key != name}).encode()


def reason_for(value: bytes) -> str:
    """Return why a record is refused, between two good ones that must not suffer."""
    events, good, poison = decode_events([record(), value, record(event_id="e2")])
    assert events["event_id"].to_pylist() == ["e1", "e2"]
    assert good == [0, 2]
    assert [index for index, _ in poison] == [1]
    return poison[0][1]


def test_an_event_is_one_compact_json_object_with_the_keys_of_the_table() -> None:
    appended = encode_event(EVENT)
    assert appended.key == "ana"
    assert appended.value.decode() == (
        '{"event_id":"e1","user_id":"ana","title_id":"t1","event_type":"progress",'
        '"event_timestamp":1772395200250001,"watch_fraction":0.5,"duration_minutes":12.25,"device_type":"tv"}'
    )
    assert list(json.loads(appended.value)) == EVENTS.arrow_schema.names


def test_a_service_with_a_clock_of_its_own_says_what_it_shows() -> None:
    value = json.loads(encode_event(EVENT, AT + timedelta(seconds=1)).value)
    assert value == RECORD | {"service_time": AT_MICROSECONDS + 1_000_000}


def refused(value: bytes, appended_at_ms: int) -> list[str]:
    """The reasons for which a record is refused that was appended at an instant of the log's clock."""
    events, good, poison = decode_events([value, record()], [appended_at_ms, AT_MILLISECONDS])
    assert events.num_rows == len(good) == 2 - len(poison)
    assert 1 in good
    return [reason for _, reason in poison]


FIVE_MINUTES = 300_000  # milliseconds


def test_an_event_more_than_five_minutes_after_it_was_appended_is_poison() -> None:
    assert refused(record(), AT_MILLISECONDS - FIVE_MINUTES + 1) == []
    assert refused(record(), AT_MILLISECONDS - FIVE_MINUTES - 1) == [
        "event_timestamp: 2026-03-01 20:00:00.250001+00:00 lies more than 5 minutes after the instant at "
        "which it was appended; set the clock of whoever sent it"
    ]


@pytest.mark.parametrize("appended_at_ms", [4_000_000_000_000, 0, -1])
def test_an_event_long_before_it_was_appended_or_with_no_such_instant_is_good(appended_at_ms: int) -> None:
    assert refused(record(), appended_at_ms) == []


@pytest.mark.parametrize("years", [-8, 30])
def test_an_event_of_a_service_with_its_own_clock_is_held_to_that_clock(years: int) -> None:
    wall = AT_MILLISECONDS - years * 365 * 86_400_000  # the service's clock is so far ahead of the log's
    in_time = record(service_time=AT_MICROSECONDS - FIVE_MINUTES * 1000)
    ahead = record(service_time=AT_MICROSECONDS - FIVE_MINUTES * 1000 - 1)
    assert refused(in_time, wall) == []
    assert "more than 5 minutes" in refused(ahead, wall)[0]


def test_a_service_time_that_is_no_instant_is_poison() -> None:
    rule = "is not whole microseconds since 1970 or an RFC 3339 time with zone"
    assert reason_for(record(service_time=1.5)) == f"service_time: 1.5 {rule}"


def test_what_is_unknown_is_null_and_instants_of_any_zone_are_utc() -> None:
    there = AT.astimezone(timezone(timedelta(hours=9)))
    value = json.loads(encode_event(Event("é", "u", "t", "play", there)).value)
    assert [value[name] for name in ("watch_fraction", "duration_minutes", "device_type")] == [None] * 3
    assert value["event_timestamp"] == AT_MICROSECONDS
    assert value["event_id"] == "é"


def test_events_come_back_in_the_arrow_schema_of_the_table() -> None:
    events, good, poison = decode_events([encode_event(EVENT).value])
    assert events.schema == EVENTS.arrow_schema
    assert events.to_pylist() == [RECORD | {"event_timestamp": AT}]
    assert (good, poison) == ([0], [])


def test_no_records_are_no_events() -> None:
    events, good, poison = decode_events([])
    assert events.schema == EVENTS.arrow_schema
    assert (events.num_rows, good, poison) == (0, [], [])


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda text: text.strip())
ids = st.from_regex(PATTERN, fullmatch=True).filter(lambda text: len(text) <= LONGEST)
known_events = st.builds(
    Event,
    texts,
    ids,
    ids,
    st.sampled_from(EVENT_TYPES),
    st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC)),
    st.none() | st.floats(0, 1, width=32),
    st.none() | st.floats(0, 1440, width=32),
    st.none() | st.sampled_from(DEVICES),
)


@given(st.lists(known_events, max_size=5))
def test_every_event_survives_the_way_through_the_log(events: list[Event]) -> None:
    batch, good, poison = decode_events([encode_event(event).value for event in events])
    names = EVENTS.arrow_schema.names
    assert batch.to_pylist() == [{name: getattr(event, name) for name in names} for event in events]
    assert (good, poison) == (list(range(len(events))), [])


@pytest.mark.parametrize(
    "written",
    ["2026-03-01T20:00:00.250001Z", "2026-03-02T05:00:00.250001+09:00", "2026-03-01 20:00:00.2500019Z"],
)
def test_an_instant_may_be_written_as_text(written: str) -> None:
    events, _, _ = decode_events([record(event_timestamp=written), record()])
    assert events["event_timestamp"].to_pylist() == [AT, AT]


def test_whole_numbers_are_fractions_and_minutes_too() -> None:
    events, _, _ = decode_events([record(watch_fraction=1, duration_minutes=0)])
    assert (events["watch_fraction"][0].as_py(), events["duration_minutes"][0].as_py()) == (1.0, 0.0)


@pytest.mark.parametrize("name", ["watch_fraction", "duration_minutes", "device_type"])
def test_what_may_be_unknown_may_be_left_out(name: str) -> None:
    events, _, _ = decode_events([without(name)])
    assert events[name].to_pylist() == [None]


def test_keys_of_a_later_version_are_passed_over() -> None:
    assert decode_events([record(session_id="s1")])[0].to_pylist() == decode_events([record()])[0].to_pylist()


@pytest.mark.parametrize("name", ["event_id", "user_id", "title_id", "event_type", "event_timestamp"])
def test_a_missing_value_is_poison(name: str) -> None:
    assert reason_for(without(name)) == reason_for(record(**{name: None})) == f"{name}: is missing"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"event_id": " "}, "event_id: ' ' is empty"),
        ({"event_id": 7}, "event_id: 7 is not text"),
        ({"user_id": ["ana"]}, "user_id: 'a list' is not text"),
        ({"title_id": True}, "title_id: True is not text"),
        ({"event_type": "watch"}, "event_type: 'watch' is not one of play, progress"),
        ({"device_type": "fridge"}, "device_type: 'fridge' is not one of tv"),
        ({"device_type": ""}, "device_type: '' is not one of tv"),
        ({"watch_fraction": 1.5}, "watch_fraction: 1.5 is above 1"),
        ({"watch_fraction": -1}, "watch_fraction: -1 is below 0"),
        ({"watch_fraction": "0.5"}, "watch_fraction: '0.5' is not a number"),
        ({"watch_fraction": True}, "watch_fraction: True is not a number"),
        ({"duration_minutes": 1e300}, "duration_minutes: inf is not a finite number"),
        ({"duration_minutes": 2**63}, "duration_minutes: 9.22337e+18 is above 1440"),
        ({"duration_minutes": 2**100}, "duration_minutes: 1.26765e+30 is above 1440"),
        ({"event_timestamp": -1}, "event_timestamp: -1 lies outside 1970 to 2099 (numbers are microseconds)"),
        ({"event_timestamp": 4_102_444_800_000_000}, "event_timestamp: 4102444800000000 lies outside"),
        ({"event_timestamp": 2**64 - 1}, "event_timestamp: 18446744073709551615 lies outside"),
        ({"event_timestamp": 1.5}, "event_timestamp: 1.5 is not whole microseconds since 1970 or"),
        ({"event_timestamp": False}, "event_timestamp: False is not whole microseconds"),
        ({"event_timestamp": "1772395200"}, "event_timestamp: '1772395200' is not whole microseconds"),
        ({"event_timestamp": "2026-03-01T20:00:00"}, "event_timestamp: '2026-03-01T20:00:00' is not whole"),
        ({"event_timestamp": "2100-01-01T00:00:00Z"}, "event_timestamp: '2100-01-01T00:00:00Z' lies outside"),
        ({"event_timestamp": "1969-12-31T23:59:59Z"}, "event_timestamp: '1969-12-31T23:59:59Z' lies"),
        ({"event_timestamp": "0000-01-01T00:00:00Z"}, "event_timestamp: '0000-01-01T00:00:00Z' lies"),
        ({"event_timestamp": {}}, "event_timestamp: 'an object' is not whole"),
    ],
)  # fmt: skip
def test_a_bad_value_is_poison_and_named(changes: dict[str, Any], reason: str) -> None:
    assert reason_for(record(**changes)).startswith(reason)


@pytest.mark.parametrize(
    "value",
    [
        b"", b"\xff", b"{", b"NaN", b'{"event_id": NaN}', b'"\\ud800"', b"[" * 100_000, b"1" + b"0" * 400,
        record() + record(), record().replace(b"0.5", b"1e999"),
    ],
)  # fmt: skip
def test_what_is_no_json_is_poison(value: bytes) -> None:
    assert reason_for(value).startswith("record: is no JSON: ")


@pytest.mark.parametrize("value", [b"[]", b"null", b"3", b'"text"', b"[" + record() + b"]"])
def test_json_that_is_no_object_is_poison(value: bytes) -> None:
    assert reason_for(value) == "record: is no JSON object"


def test_a_value_nested_deeply_is_poison() -> None:
    nested = b"[" * 1000 + b"]" * 1000
    assert reason_for(record(event_id="?").replace(b'"?"', nested)) == "event_id: 'a list' is not text"


def test_a_reason_is_no_longer_than_somebody_reads() -> None:
    assert len(reason_for(record(event_type="x" * 1_000_000))) == 500


@given(st.lists(st.binary(max_size=40) | st.just(record()), max_size=6))
def test_every_record_is_either_good_or_poison_whatever_its_bytes(values: list[bytes]) -> None:
    events, good, poison = decode_events(values)
    assert events.num_rows == len(good)
    assert sorted([*good, *(index for index, _ in poison)]) == list(range(len(values)))
    assert set(good) >= {index for index, value in enumerate(values) if value == record()}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(st.tuples(st.sampled_from(EVENTS.arrow_schema.names), json_values), min_size=1, max_size=6))
def test_any_json_in_place_of_a_value_harms_its_own_record_at_most(changes: list[tuple[str, Any]]) -> None:
    changed = [record(**{name: value}) for name, value in changes]
    events, good, poison = decode_events([record(), *changed])
    assert good[0] == 0
    assert events.num_rows == len(good) == 1 + len(changed) - len(poison)
