"""What becomes of deletions when Redis, a real one, loses all its data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from feature_repo.deletion.kept import KeptDeletion, KeptDeletions
from feature_repo.deletion.pending import PENDING, read_pending
from feature_repo.deletion.restoring import restore, restore_if_lost
from feature_repo.deletion.tombstones import KEEP, VERSION, DeletedMembers, digest, now_ms, put_up
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.running import StreamRunner
from tests.feature_repo.stream.streamed_service import Service, events

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def client(settings: Settings) -> Iterator[Any]:
    with redis.Redis.from_url(str(settings.redis_url)) as client:
        yield client


@pytest.fixture
def kept(lake: Lake) -> KeptDeletions:
    return KeptDeletions(lake)


def deletion(client: Any, user_id: str, ago: timedelta = timedelta(0)) -> KeptDeletion:
    return KeptDeletion(
        deletion_id=f"of-{user_id}", requested_at=NOON, digest=digest(user_id), user_id=user_id,
        deleted_ms=now_ms(client) - ago // timedelta(milliseconds=1),
    )  # fmt: skip


def put_up_one(client: Any, user_id: str) -> None:
    with client.pipeline() as transaction:
        put_up(transaction, digest(user_id), now_ms(client))
        transaction.execute()


def test_a_flushed_redis_gets_back_every_tombstone_and_what_was_still_to_be_done(
    client: Any, kept: KeptDeletions
) -> None:
    done, pending = deletion(client, "ana").carried_out(), deletion(client, "kim")
    kept.keep(done)
    kept.keep(pending)
    client.flushall()
    assert restore_if_lost(client, kept) == 2
    deleted = DeletedMembers(client)
    deleted.refresh()
    at = [deleted.deleted_at(user) for user in ("ana", "kim", "bob")]
    assert at == [done.deleted_ms, pending.deleted_ms, None]
    assert client.zrange(PENDING, 0, -1) == [b"of-kim"]
    assert read_pending(client, "of-kim") == pending
    assert restore_if_lost(client, kept) == 0


def test_whoever_remembers_tombstones_of_before_the_loss_keeps_them_and_misses_none_afterwards(
    client: Any, kept: KeptDeletions
) -> None:
    for user in ("ana", "kim"):
        kept.keep(deletion(client, user).carried_out())
        put_up_one(client, user)
    remembers = DeletedMembers(client)
    assert remembers.refresh() == 2
    client.flushall()
    assert remembers.is_deleted("ana")
    restore_if_lost(client, kept)
    put_up_one(client, "bob")
    assert [remembers.is_deleted(user) for user in ("ana", "kim", "bob")] == [True, True, True]


def test_a_deletion_that_redis_was_never_told_of_is_taken_up_and_one_it_knows_is_left_alone(
    client: Any, kept: KeptDeletions
) -> None:
    restore(client, kept)
    told = client.get(VERSION)
    kept.keep(deletion(client, "ana"))  # and the worker was killed
    assert restore(client, kept) == 1
    assert client.zrange(PENDING, 0, -1) == [b"of-ana"]
    version = client.get(VERSION)
    assert int(version) >= int(told)
    assert restore(client, kept) == 0
    assert client.get(VERSION) == version


def test_what_is_kept_goes_with_its_tombstone_and_a_damaged_file_hides_no_other(
    client: Any, kept: KeptDeletions, lake: Lake
) -> None:
    kept.keep(deletion(client, "long-ago", KEEP + timedelta(minutes=1)).carried_out())
    kept.keep(deletion(client, "of-late", KEEP - timedelta(minutes=1)).carried_out())
    damaged = Path(lake.root, "_deletions", "damaged.json")
    damaged.write_text("{")
    with capture_logs() as logs:
        assert restore(client, kept) == 1
    assert [line["file"] for line in logs if line["log_level"] == "error"] == [str(damaged)]
    assert [one.deletion_id for one in kept.all()] == ["of-of-late"]


def test_nothing_names_a_member_once_their_deletion_is_carried_out(
    client: Any, kept: KeptDeletions, lake: Lake
) -> None:
    pending = deletion(client, "anastasia")
    kept.keep(pending)
    assert kept.pending() == [pending]
    kept.keep(pending.carried_out())
    [file] = Path(lake.root, "_deletions").iterdir()
    assert "anastasia" not in file.read_text().replace(pending.deletion_id, "")
    assert kept.pending() == []
    assert not list(Path(lake.root, "_staging").iterdir())


def test_a_stream_that_fills_an_emptied_store_knows_of_the_deletions_before_it_makes_states(
    settings: Settings, gateway: FeatureGateway, client: Any, kept: KeptDeletions
) -> None:
    service = Service.open(settings, gateway, history=events(20, 2, seed=1))
    kept.keep(deletion(client, "u0"))
    client.flushall()
    runner = StreamRunner(settings, gateway, service.log)

    def refill(alive: Any) -> None:
        alive()
        assert DeletedMembers(client).is_deleted("u0")
        client.zrem(PENDING, "of-u0")  # a server carries it out while the lake's rows are on their way

    runner.seed_if_new(refill=refill)
    assert client.zrange(PENDING, 0, -1) == [b"of-u0"]
