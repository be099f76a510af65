"""What the servers and the stream processor tell Prometheus."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from prometheus_client import generate_latest

from feature_repo.stream.metrics import StreamMetrics
from serving.metrics import Metrics


def exposed() -> dict[str, str]:
    """Return the names of their metrics, as queries use them, with their kinds."""
    text = generate_latest(Metrics()._registry) + generate_latest(
        StreamMetrics(lambda: datetime.now(UTC)).registry
    )
    return dict(re.findall(r"# TYPE (\S+) (\S+)", text.decode()))
