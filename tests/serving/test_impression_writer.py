"""The writer against a real lake, and against lakes that refuse and lakes that hang."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake, Transaction
from feature_repo.log_tables import EXPLORED_SLOTS, SHOWN_TILES
from serving.candidates.query import PageRequest
from serving.impression_writer import ImpressionWriter
from serving.impressions import ShownPage, shown_tiles
from serving.settings import ImpressionSettings
from tests.serving.conftest import NOW, SmallService
from tests.serving.test_metrics import counted

PATIENCE = 60.0
NEVER = 600.0
MakePage = Callable[[], ShownPage]


@dataclass
class Counts:
    """What the writer tells, added up."""

    written: int = 0
    dropped: int = 0
    queued: list[int] = field(default_factory=list)

    def impressions_written(self, tiles: int) -> None:
        self.written += tiles

    def impressions_dropped(self, tiles: int) -> None:
        self.dropped += tiles

    def impressions_queued(self, tiles: int) -> None:
        self.queued.append(tiles)


class Gate:
    """A file system whose writes wait at a gate."""

    def __init__(self) -> None:
        self.filesystem = pafs.LocalFileSystem()
        self.open, self.reached = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.filesystem, name)

    def create_dir(self, path: str, recursive: bool = True) -> None:
        self.reached.set()
        self.open.wait()
        self.filesystem.create_dir(path, recursive=recursive)


class AnswerLost(Gate):
    """A file system that once moves a file and then says that it failed."""

    failed = False

    def move(self, source: str, target: str) -> None:
        self.filesystem.move(source, target)
        if SHOWN_TILES.name in target and not self.failed:
            self.failed = True
            raise OSError("the answer was lost")


class WatchedLake(Lake):
    """A lake whose transactions go through ``gate``."""

    def __init__(self, root: str, gate: Gate) -> None:
        super().__init__(root)
        self.gate = self.publisher._filesystem = gate

    def transaction(self) -> Transaction:
        transaction = super().transaction()
        transaction._filesystem = self.gate
        return transaction


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def page(small: SmallService) -> MakePage:
    """Make another page of 40 to 80 tiles."""

    def make() -> ShownPage:
        return ShownPage.of(small.service.homepage(PageRequest("ana", "tv", NOW), small.service.state))

    return make


@contextmanager
def writing(lake: Lake, **settings: Any) -> Iterator[tuple[ImpressionWriter, Counts]]:
    counts = Counts()
    chosen = ImpressionSettings(**({"flush_seconds": NEVER} | settings))
    writer = ImpressionWriter(lambda: lake, counts, chosen)
    yield writer, counts
    writer.close()


def test_a_flush_writes_what_was_offered(lake: Lake, page: MakePage) -> None:
    pages = [page() for _ in range(3)]
    tiles = sum(p.tiles for p in pages)
    with writing(lake) as (writer, counts):
        assert all(writer.offer(p) for p in pages)
        assert (writer.held, lake.exists(SHOWN_TILES)) == (tiles, False)
        assert writer.flush(PATIENCE)
        assert lake.read(SHOWN_TILES).equals(shown_tiles(pages))
        assert set(lake.read(EXPLORED_SLOTS)[s.PAGE_ID].to_pylist()) == {p.of_page[s.PAGE_ID] for p in pages}
        assert (counts.written, counts.dropped, counts.queued[-1]) == (tiles, 0, 0)
        assert len(lake.files(SHOWN_TILES)) == 1


def test_a_long_queue_is_written_before_its_time(lake: Lake, page: MakePage) -> None:
    first = page()
    with writing(lake, flush_tiles=2 * first.tiles) as (writer, counts):
        writer.offer(first)
        writer.offer(page())
        with writer._changed:
            assert writer._changed.wait_for(lambda: writer.held == 0, PATIENCE)
    assert counts.written == lake.read(SHOWN_TILES).num_rows > 0


def test_a_page_waits_a_few_seconds_at_most(lake: Lake, page: MakePage) -> None:
    with writing(lake, flush_seconds=0.05) as (writer, _):
        writer.offer(page())
        with writer._changed:
            assert writer._changed.wait_for(lambda: writer.held == 0, PATIENCE)
        assert lake.exists(SHOWN_TILES)


def test_a_stop_writes_the_rest_and_takes_in_nothing_more(lake: Lake, page: MakePage) -> None:
    with writing(lake) as (writer, counts):
        kept, late = page(), page()
        writer.offer(kept)
        assert writer.close()
        assert not writer.offer(late)
    assert lake.read(SHOWN_TILES).equals(shown_tiles([kept]))
    assert (counts.written, counts.dropped) == (kept.tiles, late.tiles)
    assert not writer._thread.is_alive()


def test_while_the_lake_hangs_memory_is_bounded_and_nobody_waits(lake: Lake, page: MakePage) -> None:
    gate = Gate()
    lake = WatchedLake(lake.root, gate)
    pages = [page() for _ in range(12)]
    room = 4 * max(p.tiles for p in pages)
    with writing(lake, queue_tiles=room, flush_tiles=1) as (writer, counts):
        writer.offer(pages[0])
        gate.reached.wait()  # from here on one batch is being written, and the others queue
        taken = [writer.offer(p) for p in pages[1:]]
        assert writer.held <= room
        assert max(counts.queued) <= room
        kept = [pages[0], *(p for p, was in zip(pages[1:], taken, strict=True) if was)]
        # The newest are dropped: what was taken is the beginning.
        assert taken == sorted(taken, reverse=True)
        assert counts.dropped == sum(p.tiles for p in pages) - sum(p.tiles for p in kept) > 0
        gate.open.set()
        assert writer.flush(PATIENCE)
        after = page()
        assert writer.offer(after)
        assert writer.flush(PATIENCE)
    assert lake.read(SHOWN_TILES).num_rows == counts.written == sum(p.tiles for p in [*kept, after])


def test_a_stop_does_not_wait_for_a_lake_that_hangs(lake: Lake, page: MakePage) -> None:
    gate = Gate()
    lake = WatchedLake(lake.root, gate)
    with writing(lake, flush_tiles=1, stop_seconds=0.05) as (writer, _):
        writer.offer(page())
        gate.reached.wait()
        assert not writer.close()
        gate.open.set()
        writer._thread.join(PATIENCE)
        assert not writer._thread.is_alive()


def test_a_lake_that_refuses_gets_every_row_once_it_is_well_again(tmp_path: Path, page: MakePage) -> None:
    root = tmp_path / "lake"
    root.write_text("a file where the lake should be: nothing can be written into it")
    lake = Lake(str(root))
    pages = [page() for _ in range(3)]
    with writing(lake, flush_tiles=1) as (writer, counts):
        writer.offer(pages[0])
        assert not writer.flush(0.2)
        writer.offer(pages[1])
        writer.offer(pages[2])
        assert (counts.written, counts.dropped, writer.held) == (0, 0, sum(p.tiles for p in pages))
        root.unlink()
        assert writer.flush(PATIENCE)
    assert lake.read(SHOWN_TILES).num_rows == counts.written == sum(p.tiles for p in pages)


def test_a_stop_with_a_lake_that_refuses_ends_and_counts_what_is_lost(tmp_path: Path, page: MakePage) -> None:
    (tmp_path / "lake").write_text("no folder")
    with writing(Lake(str(tmp_path / "lake")), flush_tiles=1) as (writer, counts):
        lost = page()
        writer.offer(lost)
        assert writer.close()  # in time, though not in the lake
    assert (counts.written, counts.dropped) == (0, lost.tiles)


def test_a_write_that_broke_off_half_way_is_repeated_without_a_second_copy(
    lake: Lake, page: MakePage
) -> None:
    lake = WatchedLake(lake.root, AnswerLost())
    lake.gate.open.set()
    shown = page()
    with writing(lake, flush_tiles=1) as (writer, counts):
        writer.offer(shown)
        assert writer.flush(PATIENCE)
    assert lake.gate.failed
    assert lake.read(SHOWN_TILES).equals(shown_tiles([shown]))
    assert counts.written == shown.tiles


def test_rows_that_no_table_takes_do_not_hold_up_what_follows(lake: Lake, page: MakePage) -> None:
    good = page()
    broken = replace(good, of_page={**good.of_page, s.DEVICE_TYPE: 7})
    with writing(lake, flush_tiles=1) as (writer, counts):
        writer.offer(broken)
        assert writer.flush(PATIENCE)
        writer.offer(good)
        assert writer.flush(PATIENCE)
    assert (counts.dropped, counts.written) == (broken.tiles, good.tiles)
    assert lake.read(SHOWN_TILES).equals(shown_tiles([good]))


def test_two_writers_share_a_lake(lake: Lake, page: MakePage) -> None:
    with writing(lake) as (one, _), writing(lake) as (other, _):
        pages = [page() for _ in range(4)]
        for number, shown in enumerate(pages):
            (one if number % 2 else other).offer(shown)
        assert one.flush(PATIENCE)
        assert other.flush(PATIENCE)
    assert lake.read(SHOWN_TILES).num_rows == sum(p.tiles for p in pages)


def answered(small: SmallService, path: str) -> Any:
    """Ask for a page and let go of the answer, as a server does once it is sent."""
    with small.client.get(path) as answer:
        assert answer.status_code == 200
        return answer.get_json()


class TestService:
    """The hook of the service, without HTTP."""

    @pytest.fixture
    def logged(self, unstarted: SmallService, contents: Any, lake: Lake) -> Iterator[SmallService]:
        unstarted.publish(contents)
        settings = ImpressionSettings(flush_seconds=NEVER)
        unstarted.service._open_impressions = lambda metrics: ImpressionWriter(
            lambda: lake, metrics, settings
        )
        unstarted.service.start(watch=False)
        yield unstarted
        unstarted.service.stop()

    def test_pages_that_members_see_are_logged_and_previews_are_not(
        self, logged: SmallService, lake: Lake
    ) -> None:
        page = answered(logged, "/v1/members/ana/homepage?device=tv")
        answered(logged, "/v1/members/ana/homepage?at=2026-03-01T20:00:00Z")
        preview = logged.service.homepage(PageRequest("ana", "tv", NOW, preview=True), logged.service.state)
        logged.service.shown(preview)
        logged.service.stop()
        assert set(lake.read(SHOWN_TILES)[s.PAGE_ID].to_pylist()) == {page["page_id"]}

    def test_metrics_tell_what_was_written(self, logged: SmallService) -> None:
        metrics, written = logged.service.metrics, "marquee_impressions_written_total"
        before = counted(metrics, written)
        page = answered(logged, "/v1/members/ana/homepage")
        tiles = sum(len(row["tiles"]) for row in page["rows"])
        assert counted(metrics, "marquee_impressions_queued") == tiles
        logged.service.stop()
        assert counted(metrics, written) - before == tiles
        assert counted(metrics, "marquee_impressions_queued") == 0

    def test_a_log_that_fails_costs_no_page(self, logged: SmallService) -> None:
        class Broken:
            def offer(self, page: ShownPage) -> bool:
                raise RuntimeError(page.of_page[s.PAGE_ID])

            def close(self) -> bool:
                return True

        logged.service._impressions.close()
        logged.service._impressions = Broken()
        assert answered(logged, "/v1/members/ana/homepage")["rows"]
