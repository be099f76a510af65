from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any, get_args

import jsonschema
import pytest
import redis
from flask.testing import FlaskClient
from hypothesis import given, strategies as st

from feature_repo import schema as s
from feature_repo.settings import Settings
from feature_repo.stream.event_log import EventLog, partition_of
from feature_repo.stream.event_record import decode_events, encode_event
from feature_repo.stream.redis_log import RedisEventLog
from serving.api.event_bodies import EventType
from serving.api.events import read_events
from serving.app import create_app
from serving.bundles import KeeperSettings
from serving.service import HomepageService
from tests.serving.conftest import NOW

PATH = "/v1/events"
PARTITIONS = 4
AWAY = "redis://127.0.0.1:1"
OpenLog = Callable[[Any], EventLog]


def event(**changes: Any) -> dict[str, Any]:
    """What ana watched at 20:00, the present of the small service."""
    complete = {
        "event_id": "e1", "user_id": "ana", "title_id": "t009", "event_type": "progress",
        "event_timestamp": "2026-03-01T20:00:00Z", "watch_fraction": 0.5, "duration_minutes": 12.25,
        "device_type": "tv",
    }  # fmt: skip
    return complete | changes


@pytest.fixture
def log(settings: Settings) -> Iterator[EventLog]:
    with closing(RedisEventLog.open(str(settings.redis_url), PARTITIONS)) as opened:
        yield opened


@pytest.fixture
def serve(unstarted: Any, contents: Any) -> Iterator[Callable[[OpenLog | None], FlaskClient]]:
    """Start the small service with a log of the test's choice."""
    started = []

    def start(open_events: OpenLog | None) -> FlaskClient:
        service = HomepageService(
            unstarted.bundles, lambda: (unstarted.features, None), settings=KeeperSettings(),
            wall=lambda: unstarted.time[0], open_events=open_events,
        )  # fmt: skip
        service.start(watch=False)
        started.append(service)
        return create_app(service).test_client()

    unstarted.publish(contents)
    yield start
    for service in started:
        service.stop()


@pytest.fixture
def client(serve: Callable[[OpenLog], FlaskClient], settings: Settings) -> FlaskClient:
    return serve(lambda _: RedisEventLog.open(str(settings.redis_url), PARTITIONS))


def kept(log: EventLog) -> list[dict[str, Any]]:
    """Return what the log holds, as the processor reads it: a partition after the other."""
    found: list[dict[str, Any]] = []
    for partition in range(log.partitions):
        events, _, poison = decode_events([e.value for e in log.read(partition, None, 10_000)])
        assert poison == []
        found += events.to_pylist()
    return found


def counted(client: FlaskClient, series: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{series} ")).rsplit(" ", 1)[1])


def test_a_batch_is_in_the_log_when_it_is_answered(
    client: FlaskClient, log: EventLog, unstarted: Any
) -> None:
    sent = [event(), event(event_id="e2", event_type="complete", watch_fraction=1, user_id="kim")]
    answer = client.post(PATH, json={"events": sent})
    assert (answer.status_code, answer.get_json()) == (202, {"accepted": 2, "rejected": []})
    stored = {row["event_id"]: row for row in kept(log)}
    at = {"event_timestamp": unstarted.time[0]}
    assert stored == {"e1": sent[0] | at, "e2": sent[1] | at}
    raw = [e.value for e in log.read(partition_of("ana", PARTITIONS), None, 10)]
    instants = dict.fromkeys(("event_timestamp", "service_time"), 1_772_395_200_000_000)
    assert json.loads(raw[0]) == sent[0] | instants


def test_a_members_events_keep_their_order(client: FlaskClient, log: EventLog) -> None:
    ids = [f"e{number:03}" for number in range(1000)]
    users = [f"m{number % 7}" for number in range(1000)]
    sent = [event(event_id=i, user_id=u) for i, u in zip(ids, users, strict=True)]
    assert client.post(PATH, json={"events": sent}).get_json() == {"accepted": 1000, "rejected": []}
    stored = kept(log)
    for user in set(users):
        expected = [i for i, u in zip(ids, users, strict=True) if u == user]
        assert [row["event_id"] for row in stored if row["user_id"] == user] == expected


def test_one_event_may_come_by_itself(client: FlaskClient, log: EventLog) -> None:
    assert client.post(PATH, json=event()).get_json() == {"accepted": 1, "rejected": []}
    assert [row["event_id"] for row in kept(log)] == ["e1"]
    rejected = client.post(PATH, json=event(watch_fraction=2)).get_json()["rejected"]
    assert [one["index"] for one in rejected] == [0]


def test_what_is_unknown_may_be_left_out_or_null(client: FlaskClient, log: EventLog) -> None:
    unknown = ("watch_fraction", "duration_minutes", "device_type")
    left_out = {key: value for key, value in event().items() if key not in unknown}
    null = event(event_id="e2", **dict.fromkeys(unknown))
    assert client.post(PATH, json={"events": [left_out, null]}).get_json()["accepted"] == 2
    assert [[row[name] for name in unknown] for row in kept(log)] == [[None] * 3] * 2


def test_a_title_may_be_unknown_yet(client: FlaskClient, log: EventLog) -> None:
    assert client.post(PATH, json=event(title_id="not-in-the-catalogue")).get_json()["accepted"] == 1
    assert kept(log)[0]["title_id"] == "not-in-the-catalogue"


def test_an_event_that_is_sent_again_is_taken_in_again_and_the_first_stays_first(
    client: FlaskClient, log: EventLog
) -> None:
    twice = [event(watch_fraction=0.25), event(watch_fraction=0.75)]
    assert client.post(PATH, json={"events": twice}).get_json() == {"accepted": 2, "rejected": []}
    assert client.post(PATH, json=twice[0]).get_json() == {"accepted": 1, "rejected": []}
    assert [(row["event_id"], row["watch_fraction"]) for row in kept(log)] == [
        ("e1", 0.25), ("e1", 0.75), ("e1", 0.25),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"event_id": ""}, "event_id = '': String should have at least 1 character"),
        ({"event_id": "x" * 129}, "x': give at most 128 characters"),
        ({"event_id": 7}, "event_id = '7': Input should be a valid string"),
        ({"user_id": " \t"}, r"user_id = ' \t': "),
        ({"user_id": "\x1c"}, r"user_id = '\x1c': "),
        ({"event_id": " "}, "event_id = ' ': give more than blanks"),
        ({"user_id": "a/b"}, "user_id = 'a/b': use 1 to 128 characters, none of them '/', ','"),
        ({"title_id": "a,b"}, "title_id = 'a,b': use 1 to 128 characters"),
        ({"title_id": ".."}, "title_id = '..': use 1 to 128 characters"),
        ({"title_id": None}, "title_id = None: Input should be a valid string"),
        ({"event_type": "watch"}, "event_type = 'watch': use one of 'play', 'progress'"),
        ({"device_type": "fridge"}, "device_type = 'fridge': use one of 'tv', 'mobile'"),
        ({"watch_fraction": 1.01}, "watch_fraction = '1.01': give at most 1"),
        ({"watch_fraction": -0.01}, "watch_fraction = '-0.01': give at least 0"),
        ({"watch_fraction": "0.5"}, "watch_fraction = '0.5': Input should be a valid number"),
        ({"watch_fraction": True}, "watch_fraction = 'True': Input should be a valid number"),
        ({"watch_fraction": float("nan")}, "watch_fraction = 'nan': Input should be a finite number"),
        ({"duration_minutes": 1441}, "duration_minutes = '1441': give at most 1440"),
        ({"duration_minutes": float("inf")}, "duration_minutes = 'inf': Input should be a finite number"),
        ({"event_timestamp": "yesterday"}, "event_timestamp = 'yesterday': give an RFC 3339 instant"),
        ({"event_timestamp": 1_772_395_200}, "event_timestamp = '1772395200': give an RFC 3339 instant"),
        ({"event_timestamp": "1772395200"}, "event_timestamp = '1772395200': give an RFC 3339 instant"),
        ({"event_timestamp": "2026-03-01T20:00:00"}, "give the instant with a zone"),
        ({"event_timestamp": "2026-03-01"}, "event_timestamp = '2026-03-01': give"),
        ({"event_timestamp": "1969-12-31T23:59:59Z"}, "give at least 1970-01-01"),
        ({"event_timestamp": "2026-03-01T20:05:00.000001Z"}, "more than 5 minutes after the service's clock"),
        ({"event_timestamp": "2026-03-02T20:00:00Z"}, "shows 2026-03-01T20:00:00+00:00; set"),
        ({"session": "s1"}, "session = 's1': Extra inputs are not permitted"),
        ({"title_id": "\ud800"}, "title_id = '?': Input should be a valid string"),
        ({"\ud800": "\ud800"}, "event = '?': Input should be a valid string"),
    ],
)  # fmt: skip
def test_a_bad_event_is_rejected_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    events, rejected = read_events([event(), event() | changes], NOW)
    assert len(events) == 1
    assert [one.index for one in rejected] == [1]
    assert reason in rejected[0].reason
    rejected[0].model_dump_json()


@pytest.mark.parametrize("name", ["event_id", "user_id", "title_id", "event_type", "event_timestamp"])
def test_an_event_that_lacks_something_is_rejected(name: str) -> None:
    _, rejected = read_events([{key: value for key, value in event().items() if key != name}], NOW)
    assert [(one.index, one.reason) for one in rejected] == [(0, f"{name} = None: Field required")]


@pytest.mark.parametrize("sent", [None, 3, "event", [], [event()]])
def test_what_is_no_event_at_all_is_rejected(sent: Any) -> None:
    events, rejected = read_events([event(), sent], NOW)
    assert (len(events), [one.index for one in rejected]) == (1, [1])
    assert re.fullmatch("event = .*: send an object", rejected[0].reason)


def test_bad_events_spoil_no_others_of_the_batch(client: FlaskClient, log: EventLog) -> None:
    bad = [event(watch_fraction=2), event(user_id=""), 3, None, event(event_timestamp="2026-03-02T20:00:00Z")]
    answer = client.post(PATH, json={"events": [event(event_id="first"), *bad, event(event_id="last")]})
    assert answer.status_code == 202
    found = answer.get_json()
    assert (found["accepted"], [one["index"] for one in found["rejected"]]) == (2, [1, 2, 3, 4, 5])
    assert "watch_fraction = '2': give at most 1" in found["rejected"][0]["reason"]
    assert [row["event_id"] for row in kept(log)] == ["first", "last"]


def test_where_all_are_bad_nothing_is_kept(client: FlaskClient, log: EventLog) -> None:
    answer = client.post(PATH, json={"events": [event(watch_fraction=2)]})
    assert (answer.status_code, answer.get_json()["accepted"]) == (202, 0)
    assert kept(log) == []


def test_all_faults_of_an_event_are_named_and_no_more_than_somebody_reads() -> None:
    strange = event(**{f"key{number}": number for number in range(1000)})
    _, rejected = read_events([event(watch_fraction=2, device_type="fridge"), strange], NOW)
    assert "watch_fraction = '2'" in rejected[0].reason
    assert "device_type = 'fridge'" in rejected[0].reason
    assert len(rejected[1].reason) == 1000


def test_an_event_may_lie_five_minutes_ahead_and_as_far_back_as_1970(
    client: FlaskClient, unstarted: Any
) -> None:
    allowed = ["2026-03-01T20:05:00Z", "2026-03-02T05:05:00+09:00", "1970-01-01T00:00:00Z"]
    sent = [event(event_timestamp=at) for at in allowed]
    assert client.post(PATH, json={"events": sent}).get_json() == {"accepted": 3, "rejected": []}
    unstarted.time[0] += timedelta(hours=1)
    late = event(event_timestamp="2026-03-01T21:05:00Z")
    assert client.post(PATH, json=late).get_json()["accepted"] == 1


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, ""),
        (b"", 400, ""),
        (b"[" * 100_000, 400, "nested too deeply"),
        (b"[]", 400, 'send {"events": [...]}, or one event'),
        (b"3", 400, "no JSON object"),
        (b"null", 400, "no JSON object"),
        (b'{"events": {}}', 400, "events is no list: send a list of 1 to 1000 events"),
        (b'{"events": null}', 400, "events is no list"),
        (b'{"events": []}', 400, "events holds 0 events: send 1 to 1000 at once"),
        (b'{"events": [' + b"0," * 1000 + b"0]}", 400, "events holds 1001 events: send 1 to 1000"),
        (b'{"events": [0], "user_id": "ana"}', 400, "more than events"),
        (b'{"events": ["' + b"x" * 1024 * 1024 + b'"]}', 413, ""),
    ],
)
def test_a_body_that_is_no_batch_is_a_problem(
    client: FlaskClient, log: EventLog, body: bytes, status: int, said: str
) -> None:
    answer = client.post(PATH, data=body, content_type="application/json")
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert said in answer.get_json(force=True)["detail"]
    assert kept(log) == []


def test_a_body_of_another_type_is_a_problem(client: FlaskClient) -> None:
    answer = client.post(PATH, data=json.dumps(event()), content_type="text/plain")
    assert (answer.status_code, answer.content_type) == (415, "application/problem+json")


def test_nothing_is_acknowledged_that_the_log_does_not_take(
    client: FlaskClient, log: EventLog, settings: Settings
) -> None:
    with redis.Redis.from_url(str(settings.redis_url)) as store:
        partition = f"marquee:events:{partition_of('ana', PARTITIONS)}"
        store.set(partition, "in the way")
        before = counted(client, "marquee_events_accepted_total")
        answer = client.post(PATH, json={"events": [event(), event(watch_fraction=2)]})
        assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
        assert "nothing was taken in: send it again" in answer.get_json(force=True)["detail"]
        assert counted(client, "marquee_events_accepted_total") == before
        store.delete(partition)
    assert client.post(PATH, json=event()).status_code == 202
    assert len(kept(log)) == 1


def test_a_log_that_is_away_at_the_start_is_found_once_it_is_there(
    serve: Callable[[OpenLog], FlaskClient], settings: Settings, log: EventLog
) -> None:
    urls = [AWAY]
    client = serve(lambda _: RedisEventLog.open(urls[-1], PARTITIONS))
    assert client.get("/v1/members/ana/homepage").status_code == 200
    assert client.post(PATH, json=event()).status_code == 503
    urls.append(str(settings.redis_url))
    assert client.post(PATH, json=event()).status_code == 202
    assert len(kept(log)) == 1


def test_a_server_without_a_log_says_so(serve: Callable[[None], FlaskClient]) -> None:
    answer = serve(None).post(PATH, json=event())
    assert answer.status_code == 503
    assert "no event log" in answer.get_json(force=True)["detail"]


def test_metrics_count_what_was_taken_in_and_what_was_not(client: FlaskClient) -> None:
    accepted, rejected = (f"marquee_events_{fate}_total" for fate in ("accepted", "rejected"))
    before = counted(client, accepted), counted(client, rejected)
    client.post(PATH, json={"events": [event(), event(), event(watch_fraction=2)]})
    client.post(PATH, json=event())
    assert (counted(client, accepted), counted(client, rejected)) == (before[0] + 3, before[1] + 1)


@pytest.mark.parametrize(
    ("sent", "status"),
    [({"events": [event(), event(watch_fraction=2)]}, 202), (event(), 202), ({"events": []}, 400)],
)
def test_answers_conform_to_the_openapi_document(client: FlaskClient, sent: Any, status: int) -> None:
    document = client.get("/openapi.json").get_json()
    answer = client.post(PATH, json=sent)
    assert answer.status_code == status
    declared = document["paths"][PATH]["post"]["responses"][str(status)]["content"]
    schema = declared[answer.content_type]["schema"] | {"components": document["components"]}
    jsonschema.validate(answer.get_json(force=True), schema, cls=jsonschema.Draft202012Validator)


def test_the_openapi_document_tells_what_may_be_sent(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    call = document["paths"][PATH]["post"]
    assert set(call["responses"]) == {"202", "400", "401", "403", "413", "415", "429", "503"}
    schema = call["requestBody"]["content"]["application/json"]["schema"]
    schema |= {"components": document["components"]}
    check = jsonschema.Draft202012Validator(schema)
    assert check.is_valid(event())
    assert check.is_valid({"events": [event(), event(device_type=None)]})
    assert not check.is_valid({"events": []})
    assert not check.is_valid(event(device_type="fridge"))


def test_the_event_types_are_those_of_the_table() -> None:
    assert get_args(EventType) == s.EVENT_TYPES


json_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
changes = st.dictionaries(
    st.sampled_from(s.EVENTS.arrow_schema.names),
    json_values
    | st.sampled_from([0, 1, 1.0, 1440, 5e-324, 1e-46, "\x1c", "\u00a0", "\u2003", "tv", "hover"]),
    max_size=3,
)


@given(st.lists(changes, min_size=1, max_size=5))
def test_whatever_is_accepted_can_be_read_from_the_log(changed: list[dict[str, Any]]) -> None:
    events, rejected = read_events([event(), *(event(**change) for change in changed)], NOW)
    batch, _, poison = decode_events([encode_event(one).value for one in events])
    assert poison == []
    assert batch.num_rows == len(events) == 1 + len(changed) - len(rejected)
