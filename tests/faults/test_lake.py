"""A lake that takes nothing."""

from __future__ import annotations

import shutil

from feature_repo.ingest.lake import Lake
from tests.faults.conftest import Victim
from tests.faults.declarations import fault

TITLE = {"name": "Night Ferry", "genres": ["Drama"], "synopsis": "A ship at sea."}


@fault(
    "lake that takes nothing (away or read-only)",
    noticed="the write fails: errors in the log, `marquee_impressions_queued` grows",
    members_get=(
        "their pages as ever; impressions wait in memory; a new title or member is refused, not half taken "
        "in: 503 with Retry-After, which names the remedy"
    ),
    heals="what waits is written once there is room, up to the queue's length",
)
def test_a_lake_that_takes_nothing(victim: Victim) -> None:
    known, lake = victim.members[0], Lake(victim.settings.lake)
    folder = victim.settings.home / "lake"
    away = folder.rename(folder.with_name("lake-away"))
    folder.write_text("no folder, so that nothing can be written below it, not even by root")
    written = victim.metric("marquee_impressions_written_total")
    pages = [victim.page(known) for _ in range(3)]
    assert [page["degraded"] for page in pages] == [[], [], []]
    headers = {"Authorization": "Bearer secret"}
    refused = victim.client.put("/v1/titles/night-ferry", json=TITLE, headers=headers)
    assert (refused.status_code, refused.mimetype) == (503, "application/problem+json"), refused.text
    assert "let the server write to it" in refused.get_json()["detail"]
    assert victim.metric("marquee_impressions_written_total") == written
    folder.unlink()
    shutil.move(away, folder)
    victim.service.stop()  # which writes what waits
    tiles = sum(len(row["tiles"]) for page in pages for row in page["rows"])
    assert victim.metric("marquee_impressions_written_total") == written + tiles
    assert lake.root == victim.settings.lake
