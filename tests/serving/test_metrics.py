from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from feature_repo.settings import REPOSITORY_ROOT
from serving.metrics import Metrics, Unobserved


def lines(metrics: Metrics) -> list[str]:
    return metrics.exposition().decode().splitlines()


def test_a_stage_is_timed_and_counted_as_over_budget_only_where_it_is() -> None:
    metrics = Metrics()
    metrics.stage_finished("als", 0.0004, budget_ms=0.5)
    metrics.stage_finished("als", 0.0006, budget_ms=0.5)
    found = lines(metrics)
    assert 'marquee_stage_seconds_count{stage="als"} 2.0' in found
    assert 'marquee_stage_seconds_bucket{le="0.0005",stage="als"} 1.0' in found
    assert 'marquee_stage_over_budget_total{stage="als"} 1.0' in found


def test_failures_swaps_refusals_and_refreshes_are_counted() -> None:
    metrics = Metrics()
    metrics.stage_failed("ranker")
    metrics.bundle_swapped()
    metrics.bundle_refused()
    metrics.snapshot_refreshed(True)
    metrics.snapshot_refreshed(False)
    found = lines(metrics)
    assert 'marquee_stage_failures_total{stage="ranker"} 1.0' in found
    assert "marquee_bundle_swaps_total 1.0" in found
    assert "marquee_bundle_refusals_total 1.0" in found
    assert 'marquee_snapshot_refreshes_total{outcome="succeeded"} 1.0' in found
    assert 'marquee_snapshot_refreshes_total{outcome="failed"} 1.0' in found


def test_requests_are_told_apart_by_rule_and_status() -> None:
    metrics = Metrics()
    metrics.request_finished("/healthz", 200, 0.001)
    metrics.request_finished("/healthz", 500, 0.001)
    found = lines(metrics)
    assert 'marquee_request_seconds_count{route="/healthz",status="200"} 1.0' in found
    assert 'marquee_request_seconds_count{route="/healthz",status="500"} 1.0' in found


def test_two_services_in_one_process_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.bundle_swapped()
    assert "marquee_bundle_swaps_total 1.0" in lines(first)
    assert "marquee_bundle_swaps_total 0.0" in lines(second)


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
