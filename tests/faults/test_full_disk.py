"""A home on a disk that is full: really so, to the last byte."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from tests.faults.conftest import Victim
from tests.faults.declarations import fault
from tests.faults.small_disk import SmallDisk, small_disk

TITLE = {"name": "Night Ferry", "genres": ["Drama"], "synopsis": "A ship at sea."}
ADMIN = {"Authorization": "Bearer secret"}
ROOM = 8 << 20
"""Bytes beside the home, for what is written into it when there is room."""


@pytest.fixture
def disk(home: Path, tmp_path: Path) -> Iterator[SmallDisk]:
    size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
    with small_disk(tmp_path / "disk", size + ROOM) as disk:
        shutil.copytree(home, disk.root / "home")
        yield disk


@pytest.fixture
def victim(disk: SmallDisk, victim_of: Callable[[Path], Victim]) -> Victim:
    """The service with its home on the small disk."""
    return victim_of(disk.root / "home")


@fault(
    "disk full (home and lake)",
    noticed="writes fail: errors in the log, `marquee_impressions_queued` grows",
    members_get="their pages as ever; impressions wait in memory; a new title is refused, not half taken in",
    heals="what waits is written once there is room, up to the queue's length",
)
def test_a_full_disk(victim: Victim, disk: SmallDisk) -> None:
    known = victim.members[0]
    victim.healed(known)
    lake = Lake(victim.settings.lake)
    titles = lake.read(s.TITLES).num_rows
    disk.fill()
    written = victim.metric("marquee_impressions_written_total")
    pages = [victim.page(known) for _ in range(3)]
    refused = victim.client.put("/v1/titles/night-ferry", json=TITLE, headers=ADMIN)
    assert refused.status_code >= 500, refused.text
    assert victim.client.get("/v1/titles/night-ferry/similar").status_code == 404
    assert lake.read(s.TITLES).num_rows == titles
    assert victim.metric("marquee_impressions_written_total") == written
    disk.make_room()
    assert victim.client.put("/v1/titles/night-ferry", json=TITLE, headers=ADMIN).status_code == 201
    assert lake.read(s.TITLES).num_rows == titles + 1
    victim.service.stop()  # which writes what waits
    tiles = sum(len(row["tiles"]) for page in pages for row in page["rows"])
    assert victim.metric("marquee_impressions_written_total") >= written + tiles
