"""From an event over HTTP to the next homepage: the log, the stream and the server, all of them real."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.live_plays import LivePlays
from feature_repo.stream.redis_log import RedisEventLog
from feature_repo.stream.running import StreamRunner, StreamSettings
from serving.app import create_app
from serving.bundles import KeeperSettings
from serving.service import HomepageService
from tests.conftest import NOT_COPIED, TrainedService


@dataclass
class Live:
    """A server and a stream on the trained service, and a clock that both go by."""

    service: HomepageService
    client: FlaskClient
    runner: StreamRunner
    titles: list[str]
    now: datetime

    def send(self, user: str, *events: tuple[str, str, float | None]) -> None:
        """Send (title, type, fraction) a millisecond apart, and let the stream do its work."""
        body = [
            {
                "event_id": str(uuid4()), "user_id": user, "title_id": title, "event_type": kind,
                "event_timestamp": (self.now + timedelta(milliseconds=n)).isoformat(),
                "watch_fraction": fraction,
                "device_type": "tv",
            }
            for n, (title, kind, fraction) in enumerate(events)
        ]  # fmt: skip
        self.now += timedelta(milliseconds=len(events))
        answer = self.client.post("/v1/events", json={"events": body})
        assert answer.get_json() == {"accepted": len(events), "rejected": []}
        while self.runner.work():
            pass
        assert self.service.keeper is not None
        self.service.keeper.follow()

    def page(self, user: str) -> list[dict[str, Any]]:
        answer = self.client.get(f"/v1/members/{user}/homepage?device=tv")
        rows: list[dict[str, Any]] = answer.get_json()["rows"]
        return rows

    def row(self, user: str, row_type: str) -> list[str]:
        return [
            tile["title_id"]
            for row in self.page(user)
            if row["row_type"] == row_type
            for tile in row["tiles"]
        ]


@pytest.fixture(scope="module")
def own_service(
    trained_service: TrainedService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, FeatureGateway]]:
    """A copy of the trained service with a Redis of its own: what is sent to it stays."""
    home = tmp_path_factory.mktemp("fresh") / "home"
    shutil.copytree(trained_service.settings.home, home, ignore=NOT_COPIED)
    settings = Settings(home, str(home / "lake"), None)
    with running_redis(settings) as url:
        gateway = FeatureGateway.open(settings, url)
        gateway.apply()
        gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), trained_service.end)
        yield settings, gateway


@pytest.fixture
def live(own_service: tuple[Settings, FeatureGateway]) -> Iterator[Live]:
    settings, gateway = own_service
    url = gateway.online_url
    log = RedisEventLog.open(url, partitions=4)
    runner = StreamRunner(settings, gateway, log, StreamSettings(flush_every=timedelta(days=1)))
    runner.seed_if_new()
    runner.work()
    service = HomepageService(
        settings.bundles, lambda: (gateway, gateway.schema_hash()),
        settings=KeeperSettings(clock_mode="replay", trend_every=timedelta(0)),
        open_events=lambda _: RedisEventLog.open(url, partitions=4), open_plays=lambda _: LivePlays.open(url),
    )  # fmt: skip
    service.start(watch=False)
    state = service.state
    movies = [
        t for t in state.catalogue.title_ids if state.models.title_factors[state.catalogue.row_of[t]].any()
    ]
    yield Live(service, create_app(service).test_client(), runner, list(movies), state.clock())
    service.stop()
    runner._leases.release()


def test_a_title_begun_is_gone_on_with_and_offered_nowhere_else(live: Live) -> None:
    user, title = f"new-{uuid4()}", live.titles[3]
    live.send(user, (title, "play", None), (title, "progress", 0.4))
    rows = live.page(user)
    assert rows[0]["row_type"] == "continue_watching"
    assert [tile["title_id"] for tile in rows[0]["tiles"]] == [title]
    assert all(tile["title_id"] != title for row in rows[1:] for tile in row["tiles"])


def test_a_title_completed_is_a_seed_and_watched(live: Live) -> None:
    user, title = f"new-{uuid4()}", live.titles[5]
    live.send(user, (title, "play", None), (title, "complete", 1.0))
    rows = live.page(user)
    assert title in [row["seed_title_id"] for row in rows if row["row_type"] == "because_you_watched"]
    assert all(tile["title_id"] != title for row in rows for tile in row["tiles"])


def test_a_thumb_down_hides_and_a_thumb_up_shows_again(live: Live) -> None:
    user = f"new-{uuid4()}"
    live.send(user, (live.titles[7], "play", None), (live.titles[7], "progress", 0.3))
    assert live.row(user, "continue_watching") == [live.titles[7]]
    live.send(user, (live.titles[7], "thumbs_down", None))
    assert live.row(user, "continue_watching") == []
    live.send(user, (live.titles[7], "thumbs_up", None))
    assert live.row(user, "continue_watching") == [live.titles[7]]


def test_what_is_played_now_trends_now(live: Live) -> None:
    watcher, title = f"new-{uuid4()}", live.titles[-1]
    assert title not in live.row(watcher, "trending_now")[:3]
    for _ in range(8):
        live.send(f"crowd-{uuid4()}", *[(title, "play", None)] * 100)
    assert title in live.row(watcher, "trending_now")[:3]


def test_what_a_member_watched_just_now_moves_their_list(live: Live) -> None:
    user = str(live.service.state.example_user_id)
    before = live.row(user, "top_picks")
    shown = {tile["title_id"] for row in live.page(user) for tile in row["tiles"]}
    fresh = [title for title in live.titles if title not in shown][:6]
    live.send(user, *[(title, kind, f) for title in fresh for kind, f in (("play", None), ("complete", 1.0))])
    assert live.row(user, "top_picks") != before
    assert not set(fresh) & {tile["title_id"] for row in live.page(user) for tile in row["tiles"]}


def test_an_event_sent_twice_changes_nothing_the_second_time(live: Live) -> None:
    user, title = f"new-{uuid4()}", live.titles[9]
    event = {
        "event_id": str(uuid4()), "user_id": user, "title_id": title, "event_type": "progress",
        "event_timestamp": live.now.isoformat(), "watch_fraction": 0.5,
    }  # fmt: skip
    pages = []
    for _ in range(2):
        assert live.client.post("/v1/events", json=event).status_code == 202
        while live.runner.work():
            pass
        features = live.runner._parts.gateway.member_features(user, live.now + timedelta(minutes=1))
        pages.append({name: value.tolist() for name, value in features.items()})
    assert str(pages[0]) == str(pages[1])
