"""What logging a page costs its request, how fast tiles are written, and how long a day takes to join."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Final

import click
import numpy as np
import pyarrow as pa

from feature_repo import schema as s
from feature_repo.impression_log.joining import join_impressions
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import SHOWN_TILES
from serving.homepage import HomepageMaker, MadePage
from serving.impression_writer import ImpressionWriter
from serving.impressions import ShownPage, explored_slots, shown_tiles
from serving.metrics import Metrics, Unobserved
from serving.settings import ImpressionSettings
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import Effort, Timing, summarise, time_calls

OFFER: Final = "impressions, a page on its request"
ROWS: Final = "impressions, a page as rows"
WRITE: Final = "impressions, a page into the lake"
JOIN: Final = "impressions, join of a day"
LATE: Final = "impressions, join again for late events"
TILES: Final = 1_000_000
_TILES_PER_FILE: Final = 10_000
_PLAYED_SHARE: Final = 0.05
_EVENT_TYPES: Final = ("play", "progress", "progress", "complete")
_DAY: Final = datetime(2026, 3, 1, tzinfo=UTC)
_WAIT_SECONDS: Final = 300.0
_BUDGET_MS: Final = 0.1
_AMPLE: Final = ImpressionSettings(queue_tiles=10**9, flush_tiles=10**9, flush_seconds=600)


def measure_impressions(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Measure with pages of the sampled members, in a lake of their own."""
    maker = HomepageMaker(subject.gateway, Unobserved())
    pages = [maker.make(subject.state, request) for request in subject.requests]
    with TemporaryDirectory(prefix="marquee-impressions-") as folder:
        yield _offered(pages, effort, Lake(f"{folder}/offered"))
        kept = [ShownPage.of(page) for page in pages]
        rows = time_calls(lambda page: (shown_tiles([page]), explored_slots([page])), kept, effort.calls)
        yield Measurement(ROWS, rows, note="what the request would spend without the writer's thread")
        yield _written(kept, effort, Lake(f"{folder}/written"))
        yield from _joined(kept, Lake(f"{folder}/joined"))


def _offered(pages: list[MadePage], effort: Effort, lake: Lake) -> Measurement:
    writer = ImpressionWriter(lambda: lake, Metrics(), _AMPLE)
    timing = time_calls(lambda page: writer.offer(ShownPage.of(page)), pages, effort.calls)
    writer.close()
    note = f"{timing.p50_ms * 1e3:.0f} µs of the request's thread, after the answer"
    return Measurement(OFFER, timing, ROWS, _BUDGET_MS, note)


def _written(pages: list[ShownPage], effort: Effort, lake: Lake) -> Measurement:
    """Write pages in files of a usual size, and divide the time by their number."""
    settings = ImpressionSettings(queue_tiles=10**9, flush_tiles=_TILES_PER_FILE, flush_seconds=600)
    writer = ImpressionWriter(lambda: lake, Metrics(), settings)
    count = max(1, 10 * effort.calls)
    began = time.perf_counter()
    for number in range(count):
        writer.offer(pages[number % len(pages)])
    if not writer.flush(_WAIT_SECONDS):
        raise click.ClickException(f"{count:,} pages were not written after {_WAIT_SECONDS:.0f} s")
    seconds = time.perf_counter() - began
    writer.close()
    pace, tiles = seconds * 1e3 / count, sum(pages[n % len(pages)].tiles for n in range(count))
    return Measurement(WRITE, Timing(pace, pace, count), note=f"{tiles / seconds:,.0f} tiles a second")


def _joined(pages: list[ShownPage], lake: Lake) -> Iterator[Measurement]:
    tiles = a_day(shown_tiles(pages), TILES)
    for begin in range(0, TILES, _TILES_PER_FILE):
        lake.append(SHOWN_TILES, tiles.slice(begin, _TILES_PER_FILE))
    events = viewings_of(tiles)
    lake.append(s.EVENTS, events)
    now = _DAY + timedelta(days=2)
    for name, what in ((JOIN, f"in {TILES // _TILES_PER_FILE} files that become one"), (LATE, "in one file")):
        began = time.perf_counter()
        if join_impressions(lake, now).days != {_DAY.date(): TILES}:
            raise click.ClickException("the join left tiles out")
        timing = summarise([(time.perf_counter() - began) * 1e3])
        yield Measurement(name, timing, note=f"{TILES:,} tiles {what}, {len(events):,} events")
        lake.append(s.EVENTS, events.slice(0, 1))


def a_day(tiles: pa.Table, count: int, seed: int = 0) -> pa.Table:
    """Return so many tiles: the given pages again and again, under new ids, by the hours of a day."""
    rng = np.random.default_rng(seed)
    rows = np.arange(count) % len(tiles)
    first = (tiles[s.ROW_INDEX].to_numpy() == 1) & (tiles[s.POSITION].to_numpy() == 1)
    page = np.cumsum(first[rows]) - 1
    instants = np.sort(rng.integers(0, 86_400 * 10**6, page[-1] + 1)) + int(_DAY.timestamp()) * 10**6
    ids = pa.array([f"0f8fad5b-d9cb-469f-a165-{n:012d}" for n in range(page[-1] + 1)])
    members = pa.array([f"m{n:07d}" for n in rng.integers(0, max(1, page[-1] // 5), page[-1] + 1)])
    changed = {
        s.PAGE_ID: ids.take(page), s.USER_ID: members.take(page),
        s.EVENT_TIMESTAMP: pa.array(instants[page]).cast(pa.timestamp("us", "UTC")),
    }  # fmt: skip
    taken = tiles.take(rows)
    columns = [changed.get(name, taken[name]) for name in taken.schema.names]
    return pa.table(columns, schema=SHOWN_TILES.arrow_schema)


def viewings_of(tiles: pa.Table, seed: int = 1) -> pa.Table:
    """Return a viewing of four events from every twentieth tile, within the hour after its page."""
    rng = np.random.default_rng(seed)
    count, each = round(len(tiles) * _PLAYED_SHARE), len(_EVENT_TYPES)
    chosen = np.sort(rng.choice(len(tiles), count, replace=False))
    rows = tiles.select([s.USER_ID, s.TITLE_ID, s.EVENT_TIMESTAMP]).take(np.repeat(chosen, each))
    after = rng.integers(0, 3600 * 10**6, count)[:, None] + np.arange(each) * 20 * 60 * 10**6
    instants = rows[s.EVENT_TIMESTAMP].cast(pa.int64()).to_numpy() + after.ravel()
    values = {
        s.EVENT_ID: [f"e{n:08d}" for n in range(len(rows))], s.USER_ID: rows[s.USER_ID],
        s.TITLE_ID: rows[s.TITLE_ID], s.EVENT_TYPE: list(_EVENT_TYPES) * count,
        s.EVENT_TIMESTAMP: pa.array(instants).cast(pa.timestamp("us", "UTC")),
        s.WATCH_FRACTION: pa.array([0.0, 0.3, 0.6, 0.9] * count, pa.float32()),
        s.DURATION_MINUTES: pa.nulls(len(rows), pa.float32()),
        s.DEVICE_TYPE: pa.nulls(len(rows), pa.string()),
    }  # fmt: skip
    return pa.table(values).cast(s.EVENTS.arrow_schema)
