from __future__ import annotations

from typing import Any

import pytest
import redis

from feature_repo.stream.event_log import LogRecord
from feature_repo.stream.redis_log import RedisEventLog
from serving.metrics import Metrics
from serving.operations_report import OperationsReport, operations_report


@pytest.fixture
def report_of(small: Any) -> Any:
    """Report after something was counted by fresh counters, whatever other tests of this process counted."""

    def report(count: Any) -> tuple[OperationsReport, OperationsReport]:
        small.service.metrics = Metrics()
        before = operations_report(small.service)
        count(small.service.metrics)
        return before, operations_report(small.service)

    return report


def named(counted: Any) -> dict[str, int]:
    return {one.name: one.count for one in counted}


def test_a_stage_is_reported_with_percentiles_by_hand(report_of: Any) -> None:
    def count(metrics: Metrics) -> None:
        for milliseconds in (0.1, 0.3, 0.3, 4.0):
            metrics.stage_finished("by-hand", milliseconds / 1e3, budget_ms=3.0)
        metrics.stage_failed("by-hand")

    _, after = report_of(count)
    (stage,) = [one for one in after.stages if one.stage == "by-hand"]
    assert (stage.latency.count, stage.over_budget, stage.failures) == (4, 1, 1)
    assert stage.latency.mean_ms == pytest.approx(1.175)
    # Buckets end at 0.2, 0.5, ..., 3 and 5 ms: the second of four is half of the two between 0.2 and 0.5.
    assert stage.latency.p50_ms == pytest.approx(0.35)
    assert stage.latency.p99_ms == pytest.approx(3 + 0.96 * 2)
    assert stage.latency.buckets[-1].at_most_ms is None
    assert stage.latency.buckets[-1].count == 4


def test_the_slowest_stage_comes_first(report_of: Any) -> None:
    def count(metrics: Metrics) -> None:
        metrics.stage_finished("quick", 0.001, 1)
        metrics.stage_finished("slow", 0.9, 1)

    names = [one.stage for one in report_of(count)[1].stages]
    assert names.index("slow") < names.index("quick")


def test_pages_fallbacks_and_reads_are_those_counted(report_of: Any) -> None:
    def count(metrics: Metrics) -> None:
        for outcome in ("full", "full", "degraded", "static", "refused"):
            metrics.page_made(outcome)
        metrics.fell_back("features:cached")
        metrics.member_read("kept")
        metrics.breaker_changed("event log", True)
        metrics.impressions_dropped(3)
        metrics.bundle_refused("norms")
        metrics.page_answered(["test/treatment"], held_out=True)

    before, after = report_of(count)
    assert after.pages.full - before.pages.full == 2
    assert (after.pages.degraded, after.pages.static, after.pages.refused) == (
        before.pages.degraded + 1, before.pages.static + 1, before.pages.refused + 1,
    )  # fmt: skip
    assert named(after.fallbacks)["features:cached"] == named(before.fallbacks).get("features:cached", 0) + 1
    assert named(after.member_reads)["kept"] == named(before.member_reads).get("kept", 0) + 1
    assert {one.of: one.open_workers for one in after.breakers}["event log"] == 1
    assert after.impressions.dropped == before.impressions.dropped + 3
    assert named(after.bundles.refusals)["norms"] == named(before.bundles.refusals).get("norms", 0) + 1
    assert ("test", "treatment") in {(one.experiment, one.arm) for one in after.experiments.pages}
    assert after.experiments.held_out == before.experiments.held_out + 1


def test_ages_are_by_the_clock_that_each_thing_was_dated_by(small: Any, report_of: Any) -> None:
    now = small.time[0]
    trained, features = now.timestamp() - 7200, now.timestamp() - 60
    _, after = report_of(lambda metrics: metrics.serving_as_of(trained, features))
    assert after.at == after.service_time == now
    assert after.freshness.trained_age_seconds == pytest.approx(7200)
    assert after.freshness.features_age_seconds == pytest.approx(60)


def test_the_lag_of_the_event_log_counts_what_no_processor_has_committed(small: Any, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    log = RedisEventLog.open(redis_url, 2)
    small.service._open_events = lambda _: log
    small.service._try_events(small.features)
    log.append([LogRecord(key=user, value=b"{}") for user in ("ana", "kim", "eve")])
    lag = operations_report(small.service).freshness.event_lag
    assert lag is not None
    assert (lag.events, lag.partitions, lag.capped) == (3, 2, False)


def test_a_server_without_log_or_bundle_reports_so(unstarted: Any) -> None:
    report = operations_report(unstarted.service)
    assert report.freshness.event_lag is None
    assert report.freshness.titles_read_at is None
    assert report.bundles.in_service is None
    OperationsReport.model_validate_json(report.model_dump_json())
