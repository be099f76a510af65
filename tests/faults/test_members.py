"""Members and times that are out of the ordinary."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.store import FeatureGateway
from serving.app import create_app
from serving.bundles import KeeperSettings
from serving.server import service_of
from tests.conftest import MakeRows, TrainedService
from tests.faults.conftest import Victim
from tests.faults.declarations import fault


@fault(
    "clock jumping by days, either way",
    noticed="not at all: what is kept ages by a clock that cannot jump",
    members_get="pages of the instant that the clock shows",
    heals="nothing to heal",
)
@pytest.mark.parametrize("days", [3, -1])
def test_clock_jumping(victim: Victim, days: int) -> None:
    known = victim.members[0]
    victim.healed(known)
    victim.time[0] += timedelta(days=days)
    victim.service.keeper.check()  # type: ignore[union-attr]
    victim.healed(known)
    victim.time[0] -= timedelta(days=days)
    victim.healed(known)
    assert victim.send("e-jump").status_code == 202


@fault(
    "a member with 100,000 viewings",
    noticed="a read that takes longer than 0.1 s counts as slow",
    members_get="this member and all others: their page",
    heals="nothing to heal",
)
def test_a_member_with_a_hundred_thousand_viewings(
    victim: Victim, trained_service: TrainedService, make_rows: MakeRows
) -> None:
    fan, other = "fan", victim.members[0]
    titles = victim.service.state.catalogue.title_ids[:100]
    ids = [f"gone-{number}" for number in range(100_000 - len(titles))] + list(titles)
    row = {s.USER_ID: fan, s.WATCHED_TITLE_IDS: ids, s.EVENT_TIMESTAMP: trained_service.end}
    rows: pa.Table = make_rows(s.USER_HISTORY, [row])
    FeatureGateway.open(victim.settings, victim.redis.url).write_online(s.USER_HISTORY, rows)
    shown = {tile["title_id"] for row in victim.page(fan)["rows"] for tile in row["tiles"]}
    assert not shown & set(titles)
    victim.healed(other)


def features_lacking(page: dict[str, Any]) -> list[str]:
    """Return what ``degraded`` says of the member's features; a busy machine may lack other things."""
    return [rung for rung in page["degraded"] if rung.startswith("features")]


@fault(
    "a member deleted through one worker, then Redis killed",
    noticed="each worker looks for deletions every second",
    members_get="that member: what is popular, from every worker; none shows them by features it kept",
    heals="as a killed Redis does",
)
def test_a_deletion_reaches_the_memory_of_every_worker(victim: Victim) -> None:
    gone, other = victim.members[0], victim.members[1]
    clock = KeeperSettings(clock_mode="wall", rest=0)
    second = service_of(victim.settings, clock, lambda: victim.time[0])
    second.start(watch=False)
    try:
        asked = create_app(second).test_client()

        def shown(user_id: str) -> Any:
            with asked.get(f"/v1/members/{user_id}/homepage") as answer:
                return answer.get_json()

        for user_id in (gone, other):
            victim.healed(user_id)
            assert features_lacking(shown(user_id)) == []
        deleted = victim.client.delete(f"/v1/members/{gone}", headers={"Authorization": "Bearer secret"})
        assert deleted.status_code == 202
        second.deletions.follow()  # as its thread does
        victim.redis.kill()
        for page in (victim.page(gone), shown(gone)):
            assert features_lacking(page) == ["features"]
            assert page["rows"][0]["title"] == "Popular Now"
        for page in (victim.page(other), shown(other)):
            assert features_lacking(page) == ["features:cached"]
    finally:
        second.stop()
