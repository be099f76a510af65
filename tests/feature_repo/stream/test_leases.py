from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis

from feature_repo.settings import Settings
from feature_repo.stream.leases import LeaseLostError, Leases, lease

Open = Callable[..., Leases]


@pytest.fixture
def client(settings: Settings) -> Iterator[Any]:
    assert settings.redis_url is not None
    with redis.Redis.from_url(settings.redis_url) as opened:
        yield opened


def leases(client: Any, owner: str, partitions: int = 8, seconds: float = 60) -> Leases:
    return Leases(client, owner, partitions, timedelta(seconds=seconds))


def test_one_processor_holds_all_partitions(client: Any) -> None:
    assert leases(client, "a").share() == tuple(range(8))


def test_two_processors_share_evenly_once_the_first_has_given_up_its_surplus(client: Any) -> None:
    first, second = leases(client, "a"), leases(client, "b")
    first.share()
    assert second.share() == ()
    assert len(first.share()) == 4
    assert len(second.share()) == 4
    assert set(first.held) | set(second.held) == set(range(8))


def test_every_partition_is_held_once_by_three(client: Any) -> None:
    three = [leases(client, name) for name in "abc"]
    for _ in range(3):
        for one in three:
            one.share()
    held = [partition for one in three for partition in one.held]
    assert sorted(held) == list(range(8))
    assert sorted(len(one.held) for one in three) == [2, 3, 3]


def test_a_planned_stop_frees_the_partitions_at_once(client: Any) -> None:
    first, second = leases(client, "a"), leases(client, "b")
    first.share()
    first.release()
    assert second.share() == tuple(range(8))


def test_partitions_of_a_dead_processor_become_free(client: Any) -> None:
    leases(client, "dead").share()
    for partition in range(8):
        assert 0 < client.pttl(lease(partition)) <= 60_000
        client.pexpire(lease(partition), 0)  # what time does
    client.zrem("marquee:stream:processors", "dead")
    assert leases(client, "heir").share() == tuple(range(8))


def guarded(client: Any, held: Leases, meanwhile: Callable[[], Any] = lambda: None) -> None:
    with client.pipeline(transaction=True) as transaction:
        held.guard(transaction, held.held)
        meanwhile()
        transaction.multi()
        transaction.set("written", 1)
        transaction.execute()


def test_a_transaction_of_the_holder_goes_through(client: Any) -> None:
    mine = leases(client, "a")
    mine.share()
    guarded(client, mine)
    assert client.get("written") == b"1"


def test_a_transaction_fails_where_a_lease_was_lost_before(client: Any) -> None:
    mine = leases(client, "a")
    mine.share()
    client.set(lease(3), "b")
    with pytest.raises(LeaseLostError, match=r"partitions \[3\] are no longer held by a"):
        guarded(client, mine)
    assert client.get("written") is None


def test_a_transaction_fails_where_a_lease_is_lost_meanwhile(client: Any, settings: Settings) -> None:
    mine = leases(client, "a")
    mine.share()
    assert settings.redis_url is not None
    with redis.Redis.from_url(settings.redis_url) as other, pytest.raises(redis.WatchError):
        guarded(client, mine, lambda: other.set(lease(5), "b"))
    assert client.get("written") is None
