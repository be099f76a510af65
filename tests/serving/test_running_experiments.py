"""Two workers of a real server follow the experiments of a store that others change."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from experiments.definitions import Status
from experiments.store import ExperimentStore
from feature_repo.redis_server import running_redis
from tests.benchmarks.server import running_server

WORKERS = 2
PATIENCE = 20_000


def call(port: int, path: str, method: str = "GET", body: Any = None) -> Any:
    """Call the server over a connection of its own, so that any worker may answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": "Bearer secret"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read().decode()
    return json.loads(text) if path != "/metrics" else text


def wait_for_changes(port: int, changes: int) -> None:
    """Wait until the workers, together, have come to serve other experiments this often."""
    series = "marquee_experiment_changes_total "
    for _ in range(PATIENCE):
        lines = call(port, "/metrics").splitlines()
        if sum(float(line.removeprefix(series)) for line in lines if line.startswith(series)) >= changes:
            return
    pytest.fail(f"the workers have not changed what they serve {changes} times")


def arms(port: int, members: list[str]) -> list[dict[str, str]]:
    return [call(port, f"/v1/members/{user_id}/homepage")["experiments"] for user_id in members * 3]


@pytest.mark.slow
def test_all_workers_follow_the_store_and_deal_alike(
    trained_service: Any, tmp_path: Path, experiment_of: Callable[..., Any]
) -> None:
    home = trained_service.settings
    url = f"sqlite:///{tmp_path / 'experiments.db'}"
    members = [f"member-{number}" for number in range(12)]
    with running_redis(home) as redis_url, closing(ExperimentStore.open(url)) as store:
        environment = os.environ | {
            "MARQUEE_HOME": str(home.home), "REDIS_URL": redis_url, "MARQUEE_EXPERIMENTS": url,
            "MARQUEE_ADMIN_TOKEN": "secret",
        }  # fmt: skip
        store.set_holdout(0)
        with running_server(environment, WORKERS) as port:
            assert arms(port, members) == [{}] * 36
            # As the command line does it, without a word to the server.
            store.create(experiment_of("ui", "tiles", treated=500, variant="large"), trained_service.end)
            store.change_status("tiles", Status.RUNNING, trained_service.end)
            wait_for_changes(port, WORKERS)
            dealt = arms(port, members)
            assert {arm["ui"] for arm in dealt} == {"tiles/control", "tiles/treatment"}
            assert dealt == dealt[:12] * 3  # whichever worker answers
            paused = call(port, "/v1/experiments/tiles/pause", "POST", {"reason": "enough"})
            assert paused["status"] == "paused"
            wait_for_changes(port, 2 * WORKERS)
            assert arms(port, members) == [{}] * 36
            call(port, "/v1/experiments/tiles/start", "POST")
            wait_for_changes(port, 3 * WORKERS)
        with running_server(environment, WORKERS) as port:
            assert arms(port, members) == dealt
