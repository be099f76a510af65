from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from feature_repo.settings import REPOSITORY_ROOT
from serving.metrics import Metrics, Unobserved, read_again


def counted(metrics: Metrics, series: str) -> float:
    """Other tests of this process may have counted before, where values lie in files: compare with that."""
    lines = metrics.exposition().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(series + " "))


def gained(series: str, work: Callable[[Metrics], None]) -> float:
    metrics = Metrics()
    before = counted(metrics, series)
    work(metrics)
    return counted(metrics, series) - before


def two_runs_of_a_stage(metrics: Metrics) -> None:
    metrics.stage_finished("als", 0.0004, budget_ms=0.5)
    metrics.stage_finished("als", 0.0006, budget_ms=0.5)


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ('marquee_stage_seconds_count{stage="als"}', 2),
        ('marquee_stage_seconds_bucket{le="0.0005",stage="als"}', 1),
        ('marquee_stage_over_budget_total{stage="als"}', 1),
    ],
)
def test_a_stage_is_timed_and_counted_as_over_budget_only_where_it_is(series: str, expected: int) -> None:
    assert gained(series, two_runs_of_a_stage) == expected


@pytest.mark.parametrize(
    ("series", "event"),
    [
        ('marquee_stage_failures_total{stage="ranker"}', lambda m: m.stage_failed("ranker")),
        ("marquee_bundle_swaps_total", lambda m: m.bundle_swapped()),
        ('marquee_bundle_refusals_total{reason="canary"}', lambda m: m.bundle_refused("canary")),
        ('marquee_snapshot_refreshes_total{outcome="succeeded"}', lambda m: m.snapshot_refreshed(True)),
        ("marquee_impressions_written_total", lambda m: m.impressions_written(1)),
        ("marquee_impressions_dropped_total", lambda m: m.impressions_dropped(1)),
        ('marquee_snapshot_refreshes_total{outcome="failed"}', lambda m: m.snapshot_refreshed(False)),
    ],
)
def test_what_happens_is_counted_once(series: str, event: Callable[[Metrics], None]) -> None:
    assert gained(series, event) == 1


def test_requests_are_told_apart_by_rule_and_status() -> None:
    series = 'marquee_request_seconds_count{route="/healthz",status="500"}'
    assert gained(series, lambda m: m.request_finished("/healthz", 500, 0.001)) == 1
    assert gained(series, lambda m: m.request_finished("/healthz", 200, 0.001)) == 0
    assert gained(series, lambda m: m.request_finished("/readyz", 500, 0.001)) == 0


def test_an_unobserved_page_leaves_no_trace() -> None:
    Unobserved().stage_finished("als", 1.0, budget_ms=0.1)
    Unobserved().stage_failed("als")


def test_workers_add_up_through_their_files(tmp_path: Path) -> None:
    program = (
        "from serving.metrics import Metrics\n"
        "metrics = Metrics()\n"
        "metrics.bundle_swapped()\n"
        "import sys; sys.stdout.write(metrics.exposition().decode())\n"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for expected in ("1.0", "2.0"):
        ran = subprocess.run(
            [sys.executable, "-c", program], cwd=REPOSITORY_ROOT, env=environment, check=True, text=True,
            capture_output=True,
        )  # fmt: skip
        assert f"marquee_bundle_swaps_total {expected}" in ran.stdout.splitlines()


def test_a_view_is_told_with_its_instant_and_as_lost_once_the_store_has_none_of_it() -> None:
    metrics, noon = Metrics(), datetime(2026, 3, 1, 12, tzinfo=UTC)
    series = 'marquee_feature_view_newest_timestamp_seconds{view="titles"}'
    metrics.views_as_of({"titles": noon, "users": noon})
    assert counted(metrics, series) == noon.timestamp()
    metrics.views_as_of({"users": noon})
    assert counted(metrics, series) == 0


def test_a_workers_file_that_is_just_being_made_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "counter_1.db"
    file.touch()
    collector = MultiProcessCollector(None, str(tmp_path))
    looks = 0

    def look() -> list[Metric]:
        nonlocal looks
        looks += 1
        if looks == 3:
            MmapedDict(str(file)).close()  # as a worker makes it
        return list(collector.collect())

    assert read_again(look) == []
    assert looks == 3


def test_a_workers_file_that_stays_broken_is_told(tmp_path: Path) -> None:
    (tmp_path / "counter_1.db").touch()
    collector = MultiProcessCollector(None, str(tmp_path))
    with pytest.raises(struct.error):
        read_again(lambda: list(collector.collect()))
