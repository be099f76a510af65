"""A home on a disk that is full: really so, to the last byte."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from tests.faults.conftest import Victim
from tests.faults.declarations import fault
from tests.faults.small_disk import SmallDisk, small_disk
from training.bundle import CHALLENGER, BundleAliases

TITLE = {"name": "Night Ferry", "genres": ["Drama"], "synopsis": "A ship at sea."}
ADMIN = {"Authorization": "Bearer secret"}
ROOM = 8 << 20
"""Bytes beside the home, for what is written into it when there is room."""
MEMBERS_WHO_FIT = 50


def take_in_title(victim: Victim) -> TestResponse:
    return victim.client.put("/v1/titles/night-ferry", json=TITLE, headers=ADMIN)


def activate(victim: Victim) -> TestResponse:
    version = victim.service.state.models.version
    body = {"alias": "challenger"}
    return victim.client.post(f"/v1/bundles/{version}/activate", json=body, headers=ADMIN)


def sign_up(victim: Victim, user_id: str) -> TestResponse:
    return victim.client.post("/v1/members", json={"user_id": user_id, "country": "KR", "language": "ko"})


def refused_sign_up(victim: Victim, disk: SmallDisk) -> TestResponse:
    """Return the refusal: whoever gives up a write of their own meanwhile makes room for some members."""
    for number in range(MEMBERS_WHO_FIT):
        disk.fill()
        answer = sign_up(victim, f"zoe-{number}")
        if answer.status_code >= 500:
            return answer
    pytest.fail("members are taken in on a full disk")


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
    members_get=(
        "their pages as ever; impressions wait in memory; a new title or member, or another bundle, is "
        "refused, not half taken in: 503 with Retry-After, which names the remedy"
    ),
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
    for refused in (take_in_title(victim), refused_sign_up(victim, disk), activate(victim)):
        assert (refused.status_code, refused.mimetype) == (503, "application/problem+json"), refused.text
        assert "make room" in refused.get_json()["detail"]
        assert refused.headers["Retry-After"] == "1"
    assert victim.client.get("/v1/titles/night-ferry/similar").status_code == 404
    assert BundleAliases(victim.settings.bundles).get(CHALLENGER) is None
    assert lake.read(s.TITLES).num_rows == titles
    assert victim.metric("marquee_impressions_written_total") == written
    disk.make_room()
    assert take_in_title(victim).status_code == 201
    assert sign_up(victim, "zoe").status_code == 201
    assert lake.read(s.TITLES).num_rows == titles + 1
    assert activate(victim).status_code == 200
    victim.service.stop()  # which writes what waits
    tiles = sum(len(row["tiles"]) for page in pages for row in page["rows"])
    assert victim.metric("marquee_impressions_written_total") >= written + tiles
