"""What the servers, the stream processor and retraining tell Prometheus."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import generate_latest

from feature_repo.stream.metrics import StreamMetrics
from serving.metrics import Metrics
from training.retrain_metrics import RetrainMetrics
from training.retrain_state import RetrainRecord, Tally, write_record

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RETRAINED = RetrainRecord(
    slot=1, period_seconds=3600, began_at=NOW, pid=1, outcome="published",
    tally=Tally(published_at=NOW, published_plan="full"),
)  # fmt: skip


def exposed(empty: Path) -> dict[str, str]:
    """Return the names of their metrics, as queries use them, with their kinds; ``empty`` is a folder."""
    write_record(empty, RETRAINED)
    registries = (Metrics()._registry, StreamMetrics(lambda: NOW).registry, RetrainMetrics(empty).registry)
    text = b"".join(map(generate_latest, registries))
    return dict(re.findall(r"# TYPE (\S+) (\S+)", text.decode()))
