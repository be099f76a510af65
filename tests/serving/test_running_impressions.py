"""From pages asked over HTTP to impressions in the lake, with server and stream as they run for real."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.impression_log.joining import join_impressions
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import EXPLORED_SLOTS, SHOWN_TILES
from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from tests.conftest import NOT_COPIED, TrainedService
from tests.serving.running_server import STOP_SECONDS, Server, kill, running

pytestmark = pytest.mark.slow
_MOST_LOOKS = 10_000


@pytest.fixture
def home(trained_service: TrainedService, tmp_path: Path) -> Path:
    """A copy of the trained service with a Redis of its own."""
    home = tmp_path / "home"
    shutil.copytree(trained_service.settings.home, home, ignore=NOT_COPIED)
    settings = Settings(home, str(home / "lake"), None)
    with running_redis(settings) as url:
        gateway = FeatureGateway.open(settings, url)
        gateway.apply()
        gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), trained_service.end)
    return home


def lake_of(home: Path) -> Lake:
    return Lake(str(home / "lake"))


def ask(server: Server, user_id: str, more: str = "") -> dict[str, Any]:
    status, page, _ = server.get(f"/v1/members/{user_id}/homepage?device=tv{more}")
    assert (status, page["degraded"]) == (200, [])
    answered: dict[str, Any] = page
    return answered


def stop(server: Server) -> None:
    """End the server as an operator does."""
    server.process.terminate()
    server.process.communicate(timeout=STOP_SECONDS)
    assert server.process.returncode == 0


def tiles_of(page: dict[str, Any]) -> set[tuple[Any, ...]]:
    return {
        (
            page["page_id"], page["user_id"], number, row["row_type"], tile["position"], tile["title_id"],
            tuple(tile["sources"]), as_kept(tile["retrieval_score"]), as_kept(tile["ranking_score"]),
            as_kept(tile["propensity"]), page["bundle"], datetime.fromisoformat(page["generated_at"]),
        )
        for number, row in enumerate(page["rows"], start=1)
        for tile in row["tiles"]
    }  # fmt: skip


def as_kept(value: float | None) -> float | None:
    """The number of 32 bits that the log keeps."""
    return None if value is None else float(np.float32(value))


def logged(home: Path) -> set[tuple[Any, ...]]:
    rows = lake_of(home).read(SHOWN_TILES).to_pylist()
    found = {
        (
            row[s.PAGE_ID], row[s.USER_ID], row[s.ROW_INDEX], row[s.ROW_TYPE], row[s.POSITION],
            row[s.TITLE_ID], tuple(row[s.SOURCES]), as_kept(row[s.RETRIEVAL_SCORE]),
            as_kept(row[s.RANKING_SCORE]), as_kept(row[s.PROPENSITY]), row[s.BUNDLE], row[s.EVENT_TIMESTAMP],
        )
        for row in rows
    }  # fmt: skip
    assert len(found) == len(rows)
    return found


def all_tiles(pages: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return set().union(*(tiles_of(page) for page in pages))


def counted(server: Server, series: str) -> float:
    lines = server.get("/metrics")[1].splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(series + " "))


def play(server: Server, user_id: str, title_id: str, page: dict[str, Any]) -> None:
    """Begin a title from a page, and wait until the stream has taken note of it."""
    events = [
        {
            "event_id": f"{page['page_id']}-{kind}", "user_id": user_id, "title_id": title_id,
            "event_type": kind, "event_timestamp": page["generated_at"], "watch_fraction": fraction,
        }
        for kind, fraction in (("play", None), ("progress", 0.5))
    ]  # fmt: skip
    assert server.send("POST", "/v1/events", {"events": events})[0] == 202
    for _ in range(_MOST_LOOKS):
        rows = ask(server, user_id, f"&at={page['generated_at'].replace('+', '%2B')}")["rows"]
        begun = [row for row in rows if row["row_type"] == "continue_watching"]
        if any(tile["title_id"] == title_id for row in begun for tile in row["tiles"]):
            return
    pytest.fail("the stream has not taken note of the play")


def test_pages_over_http_are_in_the_lake_and_what_came_of_them_after_a_join(
    home: Path, trained_service: TrainedService
) -> None:
    members = trained_service.simulated.world.user_ids[:12].tolist()
    with running(home) as server:
        pages = [ask(server, member) for member in [*members, "nobody"]]
        top = next(row for row in pages[0]["rows"] if row["row_type"] == "top_picks")
        chosen = top["tiles"][0]["title_id"]
        play(server, members[0], chosen, pages[0])
        stop(server)
    assert logged(home) == all_tiles(pages)  # and nothing of the previews that were asked while waiting
    explored = {(p["page_id"], t["title_id"]) for p in pages for r in p["rows"] for t in r["tiles"]
                if t["propensity"] < 1}  # fmt: skip
    slots = lake_of(home).read(EXPLORED_SLOTS)
    assert set(zip(slots[s.PAGE_ID].to_pylist(), slots[s.TITLE_ID].to_pylist(), strict=True)) == explored
    assert explored

    with running(home) as server:
        pages.append(ask(server, members[1]))
        stop(server)
    assert logged(home) == all_tiles(pages)

    join_impressions(lake_of(home), datetime.now(UTC))
    impressions = {
        (row[s.PAGE_ID], row[s.TITLE_ID]): (row[s.PLAYED], row[s.WATCH_FRACTION], row[s.CLICKED])
        for row in lake_of(home).read(s.IMPRESSIONS).to_pylist()
    }
    assert impressions.pop((pages[0]["page_id"], chosen)) == (True, 0.5, True)
    ours = {page["page_id"] for page in pages}
    mine = [outcome for (page_id, _), outcome in impressions.items() if page_id in ours]
    assert mine == [(False, None, False)] * (len(all_tiles(pages)) - 1)
    assert len(impressions) - len(mine) == trained_service.simulated.impressions.num_rows


def test_a_server_that_is_killed_loses_the_last_seconds_at_most(
    home: Path, trained_service: TrainedService
) -> None:
    member = str(trained_service.simulated.world.user_ids[0])
    with running(home) as server:
        safe: list[dict[str, Any]] = [ask(server, member) for _ in range(4)]
        for _ in count():  # the files are written every few seconds
            if counted(server, "marquee_impressions_written_total") == len(all_tiles(safe)):
                break
        at_risk = [ask(server, member) for _ in range(2)]
        assert counted(server, "marquee_impressions_dropped_total") == 0
        kill(server)
    assert all_tiles(safe) <= logged(home) <= all_tiles([*safe, *at_risk])
