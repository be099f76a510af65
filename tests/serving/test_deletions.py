"""A member who is deleted is nowhere any more, and everybody else is as before."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import redis
from flask.testing import FlaskClient

from feature_repo import schema as s
from feature_repo.deletion.lake_rows import MEMBER_TABLES
from feature_repo.impression_log.joining import join_impressions
from feature_repo.ingest.lake import Lake
from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.event_log import LogRecord
from feature_repo.stream.redis_log import RedisEventLog
from feature_repo.stream.running import StreamRunner, StreamSettings
from feature_repo.stream.state_store import DEAD_LETTERS, OUTBOX, outbox_rows
from serving.app import create_app
from serving.bundles import KeeperSettings
from serving.deletions import DeletionDesk
from serving.server import service_of
from serving.service import HomepageService
from tests.conftest import NOT_COPIED, TrainedService

TOKEN = {"Authorization": "Bearer token"}
LATER = timedelta(hours=1)


def test_every_table_that_names_members_is_gone_over() -> None:
    assert {table.name for table in MEMBER_TABLES} == {
        "events", "members", "sign_ups", "impressions", "shown_tiles", "explored_slots", "served_features",
        "user_snapshot", "user_session", "user_profile", "user_picks", "user_history", "user_hidden",
        "interactions", "user_als_embedding",
    }  # fmt: skip


@dataclass
class Whole:
    """Everything that a service has, real: server, stream, Redis, lake."""

    settings: Settings
    service: HomepageService
    client: FlaskClient
    runner: StreamRunner
    redis: redis.Redis
    lake: Lake

    @property
    def desk(self) -> DeletionDesk:
        return self.service.deletions

    def send(self, user: str, *kinds: str) -> list[str]:
        now, titles = self.service.state.clock(), self.service.state.catalogue.title_ids
        body = [
            {
                "event_id": str(uuid4()), "user_id": user, "title_id": str(titles[n]), "event_type": kind,
                "event_timestamp": (now + timedelta(milliseconds=n)).isoformat(), "watch_fraction": 0.5,
            }
            for n, kind in enumerate(kinds)
        ]  # fmt: skip
        assert self.client.post("/v1/events", json={"events": body}).status_code == 202
        return [str(event["event_id"]) for event in body]

    def stream(self) -> None:
        while self.runner.work():
            pass

    def show(self, user: str) -> dict[str, Any]:
        with self.client.get(f"/v1/members/{user}/homepage?device=tv") as answer:
            assert answer.status_code == 200
            page: dict[str, Any] = answer.get_json()
        return page

    def delete(self, user: str) -> Any:
        answer = self.client.delete(f"/v1/members/{user}", headers=TOKEN)
        assert answer.status_code == 202
        return answer

    def carry_out(self) -> int:
        """Let the time pass after which the lake is gone over, and do so."""
        wall, self.desk._wall = self.desk._wall, lambda: datetime.now(UTC) + LATER
        try:
            return self.desk.work()
        finally:
            self.desk._wall = wall


@pytest.fixture(autouse=True)
def nothing_pending(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave no deletion for the next test to carry out."""
    yield
    if "whole" in request.fixturenames:
        service: Whole = request.getfixturevalue("whole")
        service.carry_out()


@pytest.fixture(scope="module")
def whole(trained_service: TrainedService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    home = tmp_path_factory.mktemp("whole") / "home"
    shutil.copytree(trained_service.settings.home, home, ignore=NOT_COPIED)
    with running_redis(Settings(home, str(home / "lake"), None)) as url:
        settings = Settings(home, str(home / "lake"), url)
        gateway = FeatureGateway.open(settings)
        gateway.apply()
        gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), trained_service.end)
        runner = StreamRunner(
            settings, gateway, RedisEventLog.open(url), StreamSettings(flush_every=timedelta(days=1))
        )
        runner.seed_if_new()
        service = service_of(settings, KeeperSettings(clock_mode="replay"))
        service.start(watch=False)
        client = create_app(service, "token").test_client()
        yield Whole(settings, service, client, runner, redis.Redis.from_url(url), Lake(settings.lake))
        service.stop()


def in_redis(client: Any, text: str) -> list[str]:
    """Return the keys that hold a text: in their name, or in what they hold."""
    wanted = text.encode()
    return sorted(
        key.decode(errors="replace")
        for key in client.scan_iter(count=1000)
        if wanted in key or any(wanted in part for part in contents(client, key))
    )


def contents(client: Any, key: bytes) -> list[bytes]:
    kind = client.type(key)
    if key == OUTBOX.encode():
        return [repr(outbox_rows(value)[1].to_pylist()).encode() for value in client.lrange(key, 0, -1)]
    read = {
        b"string": lambda: [client.get(key)],
        b"hash": lambda: [part for item in client.hgetall(key).items() for part in item],
        b"list": lambda: client.lrange(key, 0, -1),
        b"zset": lambda: client.zrange(key, 0, -1),
        b"set": lambda: list(client.smembers(key)),
        b"stream": lambda: [part for _, e in client.xrange(key) for item in e.items() for part in item],
    }
    found: list[bytes] = read[kind]()
    return found


def in_lake(lake: Lake, text: str) -> list[str]:
    """Return the files that hold a text in any column, or in their metadata."""
    return [str(path) for path in sorted(Path(lake.root).rglob("*.parquet")) if holds(path, text)]


def holds(path: Path, text: str) -> bool:
    table = pq.ParquetFile(path).read()
    columns = [column.combine_chunks() for column in table.columns]
    flat = [c.flatten() if pa.types.is_list(c.type) else c for c in columns]
    found = [pc.any(pc.match_substring(c, text)).as_py() for c in flat if pa.types.is_string(c.type)]
    return any(found) or text in repr(table.schema.metadata)


def rows_of_others(lake: Lake, user: str) -> dict[str, bytes]:
    """Return each file's rows of all other members, to the bit."""
    others = {}
    for table in MEMBER_TABLES:
        for path in lake.files(table):
            rows = pq.ParquetFile(path).read()
            rows = rows.filter(pc.not_equal(rows[s.USER_ID], user)).combine_chunks()
            if len(rows):
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, rows.schema) as writer:
                    writer.write_table(rows)
                others[path] = sink.getvalue().to_pybytes()
    return others


def online_of(whole: Whole, user: str) -> dict[bytes, Any]:
    """Return all keys that name a member, with what they hold."""
    keys = [key for key in whole.redis.scan_iter(count=1000) if user.encode() in key]
    return {key: contents(whole.redis, key) for key in sorted(keys)}


def test_nothing_of_a_deleted_member_is_left_anywhere_and_others_stay_to_the_bit(whole: Whole) -> None:
    user, other = str(whole.service.state.example_user_id), "m000077"
    for member in (user, other):
        whole.send(member, "play", "complete", "thumbs_down", "hover")
        whole.stream()
        whole.show(member)
    assert whole.service._impressions.flush(30)  # type: ignore[union-attr]
    whole.runner._outbox.flush()
    join_impressions(whole.lake, datetime.now(UTC))
    for member in (user, other):  # once more, for what is on its way: the log, the outbox, an open hour
        whole.send(member, "play", "progress", "thumbs_up")
    whole.stream()
    whole.service.events.append([LogRecord(user, b'{"user_id": "%s"}' % user.encode())])
    whole.stream()
    whole.send(user, "play")  # not processed yet
    whole.send(other, "play")
    files = in_lake(whole.lake, user)
    tables = {Path(file).relative_to(whole.lake.root).parts[0] for file in files}
    assert tables >= {"events", "members", "impressions", "shown_tiles", "user_snapshot", "interactions"}
    assert len(in_redis(whole.redis, user)) >= 6
    before, online, letters = rows_of_others(whole.lake, user), online_of(whole, other), DEAD_LETTERS

    answer = whole.delete(user)

    left = in_redis(whole.redis, user)
    assert left == [f"marquee:deletion:{answer.get_json()['deletion_id']}"]  # what is still to be done
    assert whole.carry_out() == 1
    whole.stream()
    whole.runner._outbox.flush()
    assert in_redis(whole.redis, user) == []
    assert in_lake(whole.lake, user) == []
    assert not list((Path(whole.lake.root) / "_staging").glob("*"))
    after = rows_of_others(whole.lake, user)
    assert {path: after[path] for path in before} == before
    now = online_of(whole, other)
    unmoved = [key for key in online if b"thumbs" in key or b"seeds" in key]
    assert unmoved
    assert {key: now[key] for key in unmoved} == {key: online[key] for key in unmoved}
    assert set(now) == set(online)
    assert whole.redis.xlen(letters) == 0
    report = whole.client.get(answer.headers["Location"], headers=TOKEN).get_json()
    assert report["state"] == "done"
    assert set(report["removed"]) == tables
    joined = join_impressions(whole.lake, datetime.now(UTC))
    assert joined.days  # days whose tiles changed are joined again, without the member
    assert in_lake(whole.lake, user) == []


def test_what_others_have_online_is_not_touched(whole: Whole) -> None:
    user, other = "m000031", "m000032"
    before = online_of(whole, other)
    assert online_of(whole, user)
    whole.delete(user)
    assert online_of(whole, user) == {}
    assert online_of(whole, other) == before
    whole.carry_out()


def test_a_deleted_members_page_is_a_strangers_though_the_bundle_still_has_their_vector(
    whole: Whole,
) -> None:
    user = "m000041"
    vectors = whole.service.state.models.vectors
    assert user in vectors.row_of_user
    assert "top_picks" in [row["row_type"] for row in whole.show(user)["rows"]]
    at = whole.service.state.clock().isoformat()

    def shown(member: str) -> list[tuple[str, list[str]]]:
        page = whole.client.get(
            f"/v1/members/{member}/homepage", query_string={"at": at, "country": "US"}
        ).get_json()
        assert page["degraded"] == []
        return [
            (row["title"], [t["title_id"] for t in row["tiles"] if t["propensity"] == 1])
            for row in page["rows"]
        ]

    assert shown(user) != shown("a-stranger")
    whole.delete(user)
    assert shown(user) == shown("a-stranger")
    whole.carry_out()
    assert shown(user) == shown("a-stranger")


def test_events_from_before_a_deletion_do_not_count_and_those_from_after_it_do(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = "comes-back"
    [before] = whole.send(user, "play")
    monkeypatch.setattr(whole.service.events.log, "forget", lambda *_: 0)  # as in Kafka
    whole.delete(user)
    assert in_redis(whole.redis, before) != []
    deleted_ms = whole.desk.deleted.deleted_at(user)
    assert deleted_ms is not None
    while ms_now(whole.redis) <= deleted_ms:
        pass  # a log counts in whole milliseconds
    [after] = whole.send(user, "play")
    whole.stream()
    whole.runner._outbox.flush()
    events = whole.lake.read(s.EVENTS, [s.EVENT_ID])[s.EVENT_ID].to_pylist()
    assert before not in events
    assert after in events


def ms_now(client: Any) -> int:
    seconds, microseconds = client.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def test_a_batch_that_was_begun_before_a_deletion_does_not_count_and_leaves_nothing(whole: Whole) -> None:
    user = "in-flight"
    whole.send(user, "play", "progress", "thumbs_down")
    processor, store = whole.runner._processor, whole.runner._parts.store
    commit = store.commit

    def deleted_meanwhile(*arguments: Any) -> None:
        store.commit = commit  # type: ignore[method-assign]
        whole.delete(user)
        commit(*arguments)

    store.commit = deleted_meanwhile  # type: ignore[method-assign]
    whole.stream()
    whole.carry_out()
    assert processor.step() == 0
    assert in_redis(whole.redis, user) == []


def test_a_flush_that_was_begun_before_a_deletion_leaves_nothing(whole: Whole) -> None:
    user, other = "flushed-away", "stays"
    whole.send(user, "play")
    whole.send(other, "play")
    whole.stream()
    outbox = whole.runner._outbox
    cut = outbox._cut

    def deleted_meanwhile(*arguments: Any) -> None:
        outbox._cut = cut  # type: ignore[method-assign]
        whole.delete(user)
        cut(*arguments)

    outbox._cut = deleted_meanwhile  # type: ignore[method-assign]
    outbox.flush()
    assert in_lake(whole.lake, user) == []
    assert in_lake(whole.lake, other) != []
    assert whole.redis.llen(OUTBOX) == 0


def test_a_deletion_waits_until_servers_have_written_what_they_showed(whole: Whole) -> None:
    user = "m000051"
    answer = whole.delete(user)
    assert whole.desk.work() == 0
    assert in_lake(whole.lake, user) != []
    assert whole.client.get(answer.headers["Location"], headers=TOKEN).get_json()["state"] == "pending"
    assert whole.carry_out() == 1
    assert in_lake(whole.lake, user) == []


def test_a_deletion_outlives_a_failure_of_the_lake_and_a_restart(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = "m000061"
    whole.delete(user)

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("feature_repo.deletion.lake_rows._write_others", full)
        with pytest.raises(OSError, match="no space"):
            whole.carry_out()
    assert in_lake(whole.lake, user) != []
    again = service_of(whole.settings, KeeperSettings(clock_mode="replay"))
    again.start(watch=False)
    again.deletions._wall = lambda: datetime.now(UTC) + LATER
    assert again.deletions.work() == 1
    again.stop()
    assert in_lake(whole.lake, user) == []


def test_a_member_nobody_knows_is_deleted_all_the_same(whole: Whole) -> None:
    answer = whole.delete("nobody-ever")
    assert whole.carry_out() == 1
    report = whole.client.get(answer.headers["Location"], headers=TOKEN).get_json()
    assert (report["state"], report["removed"]) == ("done", {})
    assert in_redis(whole.redis, "nobody-ever") == []


def test_only_operators_delete_and_look_at_deletions(whole: Whole) -> None:
    assert whole.client.delete("/v1/members/m000071").status_code == 401
    assert whole.client.get(f"/v1/deletions/{uuid4()}").status_code == 401
    assert whole.client.get(f"/v1/deletions/{uuid4()}", headers=TOKEN).status_code == 404
    assert whole.client.get("/v1/deletions/x", headers=TOKEN).status_code == 400
    assert whole.client.delete(f"/v1/members/{'x' * 129}", headers=TOKEN).status_code == 400


def test_a_server_without_a_lake_says_that_it_deletes_nobody(small: Any) -> None:
    client = create_app(small.service, "token").test_client()
    assert client.delete("/v1/members/ana", headers=TOKEN).status_code == 503
