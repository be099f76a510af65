from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.event_log import LogRecord
from feature_repo.stream.event_record import encode_event
from feature_repo.stream.live_plays import LivePlays
from feature_repo.stream.outbox import Outbox
from feature_repo.stream.processor import GROUP
from feature_repo.stream.running import StreamRunner, StreamSettings
from feature_repo.stream.state_store import DEAD_LETTERS, StateStore
from tests.feature_repo.stream.streamed_service import (
    START,
    Service,
    append,
    as_of,
    delivered,
    encoded,
    events,
    online,
)


@pytest.fixture
def service(settings: Settings, gateway: FeatureGateway) -> Service:
    return Service.open(settings, gateway)


def runner_of(service: Service, **changes: Any) -> StreamRunner:
    runner = StreamRunner(
        service.settings, service.gateway, service.log,
        StreamSettings(flush_every=timedelta(days=1), **changes),
    )  # fmt: skip
    runner.seed_if_new()
    return runner


def drain(runner: StreamRunner) -> None:
    while runner.work():
        pass


def test_features_are_those_of_history_online_and_at_any_instant(service: Service, tmp_path: Path) -> None:
    made = events(400, 5, seed=1)
    arriving = delivered(made, seed=2)
    runner = runner_of(service)
    for begin in range(0, len(arriving), 90):
        append(service.log, arriving[begin : begin + 90])
        drain(runner)
    runner.leave()
    end = made[-1].event_timestamp
    rng = np.random.default_rng(0)
    # An hour that is open when the events end has no snapshot yet.
    last_hour = end.replace(minute=0, second=0, microsecond=0)
    instants = [
        (f"u{n % 5}", START + (last_hour - START) * float(share)) for n, share in enumerate(rng.random(60))
    ]
    instants += [(e.user_id, e.event_timestamp) for e in made[::9] if e.event_timestamp <= last_hour]
    history = service.from_history(made, tmp_path / "history")
    assert as_of(service.gateway, instants) == as_of(history, instants)
    for user in (f"u{n}" for n in range(5)):
        (row,) = as_of(history, [(user, end + timedelta(seconds=1))])
        found, wanted = online(service.gateway, user, end), encoded(row)
        session = [c.name for c in s.USER_SESSION.columns if c.name in found]
        assert {n: found[n] for n in session} == {n: wanted[n] for n in session}


def test_an_hour_that_is_over_gets_its_snapshots_without_another_event(service: Service) -> None:
    made = events(40, 2, seed=3)
    append(service.log, made)
    runner = runner_of(service)
    drain(runner)
    end = made[-1].event_timestamp
    hour = end.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    assert runner._processor.turn_hours(int(hour.timestamp() * 1e6) - 1) == 0
    assert runner._processor.turn_hours(int(hour.timestamp() * 1e6)) == len({e.user_id for e in made})
    runner.leave()
    for user in ("u0", "u1"):
        (row,) = as_of(service.gateway, [(user, hour)])
        wanted = encoded(row)
        found = online(service.gateway, user, hour)
        assert {name: found[name] for name in wanted} == wanted
        newest = max(
            e.event_timestamp for e in made if e.user_id == user and e.event_type in s.WATCH_EVENT_TYPES
        )
        assert row[s.LAST_WATCHED_AT] == int(newest.timestamp() * 1e6)


def test_the_lake_gets_every_event_as_often_as_it_came(service: Service) -> None:
    made = events(50, 3, seed=4)
    append(service.log, [*made, made[7]])
    runner = runner_of(service)
    drain(runner)
    runner.leave()
    counts = service.lake_events()
    assert counts.pop(made[7].event_id) == 2
    assert counts == {e.event_id: 1 for e in made if e is not made[7]}


def test_a_flush_that_broke_off_is_written_again_and_nothing_stands_twice(service: Service) -> None:
    runner = runner_of(service)
    first, second = events(30, 3, seed=5), events(30, 3, seed=6)
    append(service.log, first)
    drain(runner)
    outbox = Outbox(runner._parts.store, service.lake, runner._leases)
    cut, outbox._cut = outbox._cut, lambda *_: None  # killed between the file and the cut
    outbox.flush()
    append(service.log, second)
    drain(runner)
    outbox._cut = cut
    outbox.flush()
    assert service.lake_events() == {e.event_id: 1 for e in (*first, *second)}


def test_a_store_that_has_lost_its_count_of_flushes_overwrites_none_of_them(service: Service) -> None:
    first, second = events(30, 3, seed=5), events(30, 3, seed=6)
    for made in (first, second):
        append(service.log, made)
        runner = runner_of(service)
        drain(runner)
        runner.leave()
        StateStore.open(service.gateway.online_url).client.flushall()
    assert service.lake_events() == {e.event_id: 1 for e in (*first, *second)}


def test_what_is_no_event_becomes_a_dead_letter_with_its_reason_and_stops_nothing(service: Service) -> None:
    made = events(3, 1, seed=7)
    append(service.log, made[:1])
    client = StateStore.open(service.gateway.online_url).client
    bad = {"event_id": "x", "user_id": "u0", "title_id": "t1", "event_type": "dance", "event_timestamp": 5}
    service.log.append([LogRecord("u0", b"\xff{"), LogRecord("u0", json.dumps(bad).encode())])
    append(service.log, made[1:])
    runner = runner_of(service)
    drain(runner)
    letters = [fields for _, fields in client.xrange(DEAD_LETTERS)]
    assert [letter[b"value"] for letter in letters] == [b"\xff{", json.dumps(bad).encode()]
    assert b"JSON" in letters[0][b"reason"]
    assert b"event_type" in letters[1][b"reason"]
    runner.leave()
    assert set(service.lake_events()) == {e.event_id for e in made}
    assert all(service.log.lag(GROUP, partition).events == 0 for partition in range(4))


def test_an_event_of_the_future_changes_no_member_and_no_clock(service: Service) -> None:
    made = events(60, 1, seed=13)
    ahead = replace(made[0], event_id="ahead", event_timestamp=datetime(2099, 1, 1, tzinfo=UTC))
    append(service.log, [*made[:30], ahead])
    runner = runner_of(service)
    drain(runner)
    append(service.log, made[30:])
    drain(runner)
    client = StateStore.open(service.gateway.online_url).client
    [(_, letter)] = client.xrange(DEAD_LETTERS)
    assert b"5 minutes after the instant at which it was appended" in letter[b"reason"]
    assert runner.metrics.registry.get_sample_value("marquee_stream_late_total") == 0
    assert runner._clock.now_us() < datetime(2098, 1, 1, tzinfo=UTC).timestamp() * 1e6
    runner.leave()
    assert set(service.lake_events()) == {e.event_id for e in made}


@pytest.mark.parametrize("years", [-8, 40])
def test_a_service_whose_clock_runs_behind_or_ahead_goes_on(service: Service, years: int) -> None:
    start = START + timedelta(days=365 * years)
    made = events(60, 2, seed=14, start=start)
    service.log.append([encode_event(e, service_time=e.event_timestamp) for e in made])
    runner = runner_of(service)
    drain(runner)
    runner.leave()
    assert set(service.lake_events()) == {e.event_id for e in made}


def test_the_stream_goes_on_from_history_as_if_it_had_seen_it(
    settings: Settings, gateway: FeatureGateway, tmp_path: Path
) -> None:
    made = events(300, 4, seed=8)
    service = Service.open(settings, gateway, history=made[:200])
    append(service.log, made[190:])  # the log holds some that history holds
    runner = runner_of(service)
    drain(runner)
    runner.leave()
    end = made[-1].event_timestamp
    history = service.from_history(made, tmp_path / "history")
    users = [f"u{n}" for n in range(4)]
    hour = end.replace(minute=0, second=0, microsecond=0)
    instants = [(user, hour) for user in users]
    assert as_of(service.gateway, instants) == as_of(history, instants)
    for user in users:
        (row,) = as_of(history, [(user, end + timedelta(seconds=1))])
        assert online(service.gateway, user, end)[s.SESSION_TITLE_IDS] == encoded(row)[s.SESSION_TITLE_IDS]


def test_plays_are_counted_once_in_their_country(service: Service) -> None:
    made = [e for e in events(200, 2, seed=9) if e.event_type == "play"]
    append(service.log, delivered(made, seed=1))
    drain(runner_of(service))
    hours = sorted({int(e.event_timestamp.timestamp()) // 3600 * 3_600_000_000 for e in made})
    plays = LivePlays(StateStore.open(service.gateway.online_url).client)
    for country, user in (("KR", "u0"), ("DK", "u1")):
        counted = sum(sum(of_hour.values()) for of_hour in plays.hours(country, hours))
        weights = [
            np.exp((e.event_timestamp.timestamp() % 3600) / 172_800) for e in made if e.user_id == user
        ]
        assert counted == pytest.approx(sum(weights), rel=1e-9)


def test_thumbs_hide_and_show_at_once(service: Service) -> None:
    made = [e for e in events(60, 1, seed=10) if e.event_type.startswith("thumbs")]
    append(service.log, made)
    runner = runner_of(service)
    drain(runner)
    latest = {e.title_id: e for e in made}
    hidden = [t for t, e in sorted(latest.items(), key=lambda i: i[1].event_timestamp, reverse=True)
              if e.event_type == "thumbs_down"]  # fmt: skip
    features = service.gateway.member_features("u0", made[-1].event_timestamp)
    assert hidden
    assert list(features[s.HIDDEN_TITLE_IDS][0]) == hidden


def test_late_events_are_counted_and_kept_in_the_lake(service: Service) -> None:
    made = events(100, 1, seed=11)
    append(service.log, made)
    runner = runner_of(service)
    drain(runner)
    before = online(service.gateway, "u0", made[-1].event_timestamp)
    late = events(1, 1, seed=12, start=START - timedelta(days=2))
    append(service.log, late)
    drain(runner)
    assert runner.metrics.registry.get_sample_value("marquee_stream_late_total") == (
        1 if late[0].event_type in s.WATCH_EVENT_TYPES else 0
    )
    assert online(service.gateway, "u0", made[-1].event_timestamp) == before
    runner.leave()
    assert late[0].event_id in service.lake_events()
