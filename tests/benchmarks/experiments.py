"""An experiment's question over a large impression log, beside the same over a tenth of it.

The log is made by DuckDB, with the columns, row groups and compression of the lake's.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from experiments.analysis.analyze import analyze_experiment
from experiments.definitions import Experiment, ExperimentDefinition, Status
from feature_repo import schema as s
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import Effort, Timing

ROWS: Final = int(os.environ.get("MARQUEE_BENCH_IMPRESSIONS", "5000000"))
DAYS: Final = 28
_TILES: Final = 40
_PAGES_A_MEMBER: Final = 10
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_SHOWN: Final = f"""
select 'p' || page as {s.PAGE_ID}, 'u' || lpad((hash(page) % {{members}})::varchar, 9, '0') as {s.USER_ID},
    't' || (hash(page * {_TILES} + tile) % 15000)::varchar as {s.TITLE_ID},
    make_timestamptz({{day_us}} + (hash(page + 1) % 86400000000)::bigint) as {s.EVENT_TIMESTAMP}, 'tv' as
    {s.DEVICE_TYPE}, case when tile < 8 then 'continue_watching' else 'top_picks' end as {s.ROW_TYPE}, 1 +
    tile // 8 as {s.ROW_INDEX}, 1 + tile % 8 as {s.POSITION}, 1.0::float as {s.PROPENSITY}, random() < 0.05 as
    {s.PLAYED}, random()::float as {s.WATCH_FRACTION}, null::boolean as {s.CLICKED}, ['als', 'trending'] as
    {s.SOURCES}, random()::float as {s.RETRIEVAL_SCORE}, random()::float as {s.RANKING_SCORE}, 'v1' as
    {s.BUNDLE}, (hash(page + tile) // 2)::bigint as {s.FEATURES_HASH}, null::varchar as candidate_arm,
    'bench/' || if(hash(hash(page) % {{members}}) % 2 = 0, 'control', 'new') as ranker_arm, null::varchar as
    post_filter_arm, null::varchar as ui_arm, false as {s.HOLDOUT}
from (select unnest(range({{first}}, {{last}})) as page), (select unnest(range({_TILES})) as tile)
"""


def bench_experiment() -> Experiment:
    """Return the experiment that the log is of."""
    definition = {
        "name": "bench", "layer": "ranker", "traffic": 1000,
        "arms": [{"name": "control", "share": 500},
                 {"name": "new", "share": 500, "treatment": {"bundle": "challenger"}}],
    }  # fmt: skip
    return Experiment(
        definition=ExperimentDefinition.model_validate(definition), first_bucket=0, status=Status.RUNNING,
        created_at=_START, started_at=_START,
    )  # fmt: skip


def write_log(lake: Path, rows: int, days: int = DAYS) -> None:
    """Write impressions of ``days`` days and as many days' watch events of the same members."""
    pages = max(1, rows // _TILES // days)
    members = max(1, pages * days // _PAGES_A_MEMBER)
    with duckdb.connect() as connection:
        for n in range(days):
            day = _START.date() + timedelta(days=n)
            values = {"members": members, "day_us": n * 86_400_000_000 + int(_START.timestamp() * 1e6)}
            shown = _SHOWN.format(**values, first=n * pages, last=(n + 1) * pages)
            _write(connection, lake, s.IMPRESSIONS.name, day, shown)
            watched = (
                f"select {s.PAGE_ID} as {s.EVENT_ID}, {s.USER_ID}, {s.TITLE_ID}, 'play' as {s.EVENT_TYPE}, "
                f"{s.EVENT_TIMESTAMP}, {s.WATCH_FRACTION}, 1.0::float as {s.DURATION_MINUTES}, "
                f"{s.DEVICE_TYPE} from ({shown}) where {s.PLAYED}"
            )
            _write(connection, lake, s.EVENTS.name, day, watched)


def _write(connection: duckdb.DuckDBPyConnection, lake: Path, table: str, day: date, query: str) -> None:
    folder = lake / table / f"day={day}"
    folder.mkdir(parents=True)
    connection.execute(
        f"copy ({query}) to '{folder}/part-00000.parquet' "
        "(format parquet, compression zstd, row_group_size 1000000)"
    )


def measure_experiments(_: Subject, effort: Effort) -> Iterator[Measurement]:
    """Analyse a log of ``MARQUEE_BENCH_IMPRESSIONS`` rows (5 million) whole: question, statistics and all."""
    small = f"experiment of {ROWS // 10:,} impressions analysed"
    for rows, name, baseline in (
        (ROWS // 10, small, None), (ROWS, f"experiment of {ROWS:,} impressions analysed", small),
    ):  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            write_log(Path(folder), rows)
            now = _START + timedelta(days=DAYS + 8)
            seconds = []
            for _ in range(min(3, effort.slow_calls)):
                begin = time.perf_counter()
                found = analyze_experiment(folder, bench_experiment(), now, ())
                seconds.append(time.perf_counter() - begin)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        counted = sum(arm.impressions for arm in found.arms)
        note = (
            f"{counted:,} counted, {sum(arm.members for arm in found.arms):,} members; peak {peak:,.0f} MiB"
        )
        middle = sorted(seconds)[len(seconds) // 2]
        yield Measurement(name, Timing(middle * 1e3, max(seconds) * 1e3, len(seconds)), baseline, note=note)
