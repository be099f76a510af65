from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from training.retrain_metrics import RetrainMetrics
from training.retrain_state import RetrainRecord, Tally, write_record

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = RetrainRecord(
    slot=5, period_seconds=3600, began_at=NOON, pid=1, outcome="failed",
    tally=Tally(
        runs={"published": 3, "failed": 2}, failed_attempts={"full": {"killed": 4}, "smaller": {"error": 1}},
        failed_in_a_row=2, published_at=NOON, published_plan="smaller",
    ),
)  # fmt: skip


def values(text: str) -> dict[str, float]:
    """Return each series with its value, labels in the name."""
    return {
        sample.name + "".join(f"{{{v}}}" for v in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_record_is_told_as_it_stands_at_every_look(tmp_path: Path) -> None:
    metrics = RetrainMetrics(tmp_path)
    before = values(generate_latest(metrics.registry).decode())
    assert before["marquee_retrain_runs_total{failed}"] == 0
    assert before["marquee_retrain_failed_in_a_row"] == 0
    assert "marquee_retrain_published_timestamp_seconds" not in before
    write_record(tmp_path, RECORD)
    told = values(generate_latest(metrics.registry).decode())
    assert told["marquee_retrain_runs_total{published}"] == 3
    assert told["marquee_retrain_runs_total{failed}"] == 2
    assert told["marquee_retrain_failed_attempts_total{killed}{full}"] == 4
    assert told["marquee_retrain_failed_attempts_total{error}{smaller}"] == 1
    assert told["marquee_retrain_failed_attempts_total{time limit}{smallest}"] == 0
    assert told["marquee_retrain_failed_in_a_row"] == 2
    assert told["marquee_retrain_published_timestamp_seconds"] == NOON.timestamp()
    assert told["marquee_retrain_began_timestamp_seconds"] == NOON.timestamp()
    assert told["marquee_retrain_published_plan"] == 1
    assert told["marquee_retrain_held_back"] == 0
    write_record(tmp_path, RECORD.model_copy(update={"outcome": "published", "alias": "challenger"}))
    assert values(generate_latest(metrics.registry).decode())["marquee_retrain_held_back"] == 1


def test_a_damaged_record_is_told_as_none(tmp_path: Path) -> None:
    (tmp_path / "retrain.json").write_text("{")
    assert (
        values(generate_latest(RetrainMetrics(tmp_path).registry).decode())[
            "marquee_retrain_runs_total{published}"
        ]
        == 0
    )


def test_the_file_for_a_node_exporter_holds_the_same(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    metrics = RetrainMetrics(tmp_path)
    metrics.write(tmp_path / "marquee.prom")
    assert values((tmp_path / "marquee.prom").read_text()) == values(
        generate_latest(metrics.registry).decode()
    )
