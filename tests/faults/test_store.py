"""The online store's Redis, in every way in which it can fail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from feature_repo.stream.recovery import is_cold, refill
from tests.faults.conftest import Victim
from tests.faults.declarations import fault

CACHED = ["features:cached"]


def loses_its_store(victim: Victim) -> None:
    """Known members keep their own page, others get what is popular, events are refused."""
    known, unseen = victim.members[0], victim.members[1]
    assert victim.page(known)["degraded"] == CACHED
    assert victim.page(known)["rows"][0]["title"] != "Popular Now"
    page = victim.page(unseen)
    assert page["degraded"] == ["features"]
    assert page["rows"][0]["title"] == "Popular Now"
    victim.page(known)  # the third that is not answered, and the store is left alone
    assert victim.metric('marquee_breakers_open{of="feature store"}') == 1
    assert victim.page(known)["degraded"] == CACHED
    answer = victim.send("e-lost")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert victim.client.get("/readyz").get_json()["feature_store"] is False


@fault(
    "Redis killed",
    noticed="reads fail at once; breaker open after 3; `/readyz`, `marquee_feature_store_up` within 15 s",
    members_get="their own page by features up to 1 h old (`features:cached`); who has none, what is popular "
    "in the country (`features`); events: 503 with Retry-After",
    heals="tried again every second",
)
def test_redis_killed(victim: Victim) -> None:
    known = victim.members[0]
    victim.healed(known)
    assert victim.send("e-kept").status_code == 202
    victim.redis.snapshot()  # as its append-only file would have
    victim.redis.kill()
    loses_its_store(victim)
    victim.redis.start()
    victim.healed(known)
    victim.healed(victim.members[1])
    with victim.redis.client() as client:
        kept = [e for p in range(8) for e in client.xrange(f"marquee:events:{p}")]
    assert sum(b"e-kept" in fields[b"e"] for _, fields in kept) == 1
    assert victim.send("e-after").status_code in (202, 503)  # its breaker may still pause


@fault(
    "Redis frozen (SIGSTOP)",
    noticed="a read is given up after 0.1 s; breaker open after 3",
    members_get="as if it were killed; a page waits 0.1 s, then not at all; events: 503 within a second",
    heals="tried again every second",
)
def test_redis_frozen(victim: Victim) -> None:
    victim.healed(victim.members[0])
    victim.redis.freeze()
    loses_its_store(victim)
    victim.redis.thaw()
    victim.healed(victim.members[0])


@fault(
    "Redis slow",
    noticed="answers that take longer than 0.1 s count as none",
    members_get="as if it were frozen",
    heals="tried again every second",
)
@pytest.mark.slow_road
def test_redis_slow(victim: Victim) -> None:
    known = victim.members[0]
    victim.healed(known)
    victim.road.delay = 0.5
    for _ in range(4):
        assert victim.page(known)["degraded"] == CACHED
    assert victim.metric('marquee_breakers_open{of="feature store"}') == 1
    victim.road.delay = 0.0
    victim.healed(known)


@fault(
    "Redis full (maxmemory, noeviction)",
    noticed="writes are refused: 503 on events, errors in the log",
    members_get="their pages as ever; events: 503 with Retry-After",
    heals="when there is room again",
)
def test_redis_full(victim: Victim) -> None:
    known = victim.members[0]
    victim.healed(known)
    with victim.redis.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1mb")
        victim.healed(known)
        answer = victim.send("e-1")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        client.config_set("maxmemory", "0")
    assert victim.send("e-1").status_code == 202


@fault(
    "Redis restarted empty",
    noticed="a member known within the hour is unknown, and so is a title; "
    '`marquee_snapshot_refreshes_total{outcome="failed"}`',
    members_get="as if it were killed; titles stay as they were",
    heals="by itself: a stream processor brings the features online from the lake and makes the members' "
    "states anew, for which no page waits (measured.md); without one, with the next retraining. Who was "
    "deleted stays so: servers take that from the lake within a second",
)
def test_redis_restarted_empty(home: Path, victim_of: Callable[..., Victim]) -> None:
    victim = victim_of(home, rest=1.0)  # titles are read by a process, as beside pages
    known, deleted = victim.members[0], victim.members[2]
    victim.healed(known)
    asked = victim.client.delete(f"/v1/members/{deleted}", headers={"Authorization": "Bearer secret"})
    victim.redis.kill()
    victim.redis.start(empty=True)
    assert victim.page(known)["degraded"] == CACHED
    titles = len(victim.service.state.catalogue)
    victim.time[0] += timedelta(minutes=6)  # when all titles are read anew
    victim.service.keeper.check()  # type: ignore[union-attr]
    assert victim.metric('marquee_snapshot_refreshes_total{outcome="failed"}') >= 1
    assert len(victim.service.state.catalogue) == titles
    assert victim.page(known)["degraded"] == CACHED
    # What a stream processor does; that it does so, and goes on, is proved beside its own tests.
    gateway = FeatureGateway.open(victim.settings, victim.redis.url)
    assert is_cold(gateway, Lake(victim.settings.lake))
    refill(victim.settings, victim.redis.url, Event(), lambda: None)
    victim.healed(known)
    assert victim.page(deleted)["rows"][0]["title"] != "Popular Now"  # by what the lake still had
    desk = victim.service.deletions
    desk._settle = timedelta(0)
    desk.recall()  # as its thread does every second
    assert desk.work() == 1
    assert victim.page(deleted)["rows"][0]["title"] == "Popular Now"
    done = victim.client.get(asked.headers["Location"], headers={"Authorization": "Bearer secret"})
    assert done.get_json()["removed"]["events"] > 0


@fault(
    "garbage in the store for one member",
    noticed="the read cannot be decoded; it is logged with the member's stage",
    members_get="this member: features up to 1 h old, then what is popular; all others: their page",
    heals="with the member's next write",
)
def test_garbage_for_a_key(victim: Victim) -> None:
    known, other = victim.members[0], victim.members[1]
    victim.healed(known)
    with victim.redis.client() as client:
        key = next(k for k in client.scan_iter(match=f"*{known}*") if client.type(k) == b"hash")
        before = client.hgetall(key)
        client.hset(key, mapping=dict.fromkeys(before, b"\xff\xff\xff"))
        for _ in range(4):
            assert victim.page(known)["degraded"] == CACHED
        victim.healed(other)
        client.hset(key, mapping=before)
    victim.healed(known)
