"""Real parts for tests: a Redis of their own, a feature store, feature rows to put into it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Feast sets it for processes to come, such as those of pytest-xdist: their counters would outlive a registry.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

import hypothesis
import prometheus_client  # noqa: F401  (see above)
import pyarrow as pa
import pytest
import redis
import torch

from feature_repo import schema as s
from feature_repo.backfill import backfill
from feature_repo.ingest.lake import Lake
from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.history import examination_probability
from feature_repo.simulation.simulate import SimulatedService, simulate
from feature_repo.store import FeatureGateway
from training.als import AlsConfig
from training.bpr import BprConfig
from training.config import TrainingConfig
from training.pipeline import train
from training.ranker import RankerConfig
from training.steps import StepRecorder
from training.two_tower import TwoTowerConfig

# A deadline would be an assertion about time, which a busy machine fails.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")
# Test processes run side by side, one per core: threads of their own would only wait for each other.
torch.set_num_threads(1)

MakeRows = Callable[[s.Table, Sequence[Mapping[str, Any]]], pa.Table]
"""(table, rows that name only what matters) to a complete table of that schema."""

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NOT_COPIED = shutil.ignore_patterns("redis", "shown_tiles", "explored_slots", "served_features")
"""Of the trained service's home: its Redis, and what tests have shown of it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: none is left to one process when the others are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def movielens() -> Path:
    """The folder with the MovieLens data sets."""
    default = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("MARQUEE_MOVIELENS", default))
    if not folder.is_dir() and not os.environ.get("CI"):
        pytest.skip(f"no MovieLens data at {folder}; set MARQUEE_MOVIELENS to the folder that holds ml-1m")
    assert folder.is_dir(), f"CI needs the MovieLens data at {folder}"
    return folder


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of this test process."""
    home = tmp_path_factory.mktemp("redis")
    with running_redis(Settings(home, str(home / "lake"), None)) as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    """Settings of a service whose state lies in the test's own folder, and an empty Redis."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return Settings(tmp_path, str(tmp_path / "lake"), redis_url)


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings.lake)


@pytest.fixture
def gateway(settings: Settings) -> FeatureGateway:
    """A feature store with every definition applied and no data."""
    opened = FeatureGateway.open(settings)
    opened.apply()
    return opened


@pytest.fixture(scope="session")
def make_rows() -> MakeRows:
    """Complete partial rows with plain values of the right type and length."""

    def make(table: s.Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        columns = {c.name: [row.get(c.name, _plain(c)) for row in rows] for c in table.columns}
        return pa.table(
            {c.name: pa.array(columns[c.name], c.type) for c in table.columns}, schema=table.arrow_schema
        )

    return make


def _plain(column: s.Column) -> Any:
    if pa.types.is_list(column.type):
        return [0.0] * (column.length or 0)
    if pa.types.is_timestamp(column.type):
        return LONG_AGO
    if pa.types.is_string(column.type):
        return column.allowed[0] if column.allowed else "x"
    return False if pa.types.is_boolean(column.type) else 0


@dataclass(frozen=True, slots=True)
class TrainedService:
    """A small simulated service with features, a champion bundle and everything online.

    Shared by all tests: what one writes to it, the others see. ``end`` is the end of its data.
    """

    simulated: SimulatedService
    settings: Settings
    lake: Lake
    gateway: FeatureGateway
    version: str
    end: datetime

    def train_again(self, now: datetime, **changes: Any) -> str:
        """Train once more on the same data; return the version."""
        return train_small(self.gateway, self.lake, self.settings, self.simulated, now, **changes)


@pytest.fixture(scope="session")
def trained_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainedService]:
    """Simulated, backfilled, applied and trained in a home with a Redis of its own."""
    home = tmp_path_factory.mktemp("trained")
    settings = Settings(home, str(home / "lake"), None)
    end = datetime(2026, 3, 10, tzinfo=UTC)
    simulated = simulate(SimulationConfig(titles=500, members=150, days=9, sessions_per_day=1.5), 3, end)
    lake = Lake(settings.lake)
    tables = (simulated.titles, simulated.members, simulated.events, simulated.impressions)
    for table, data in zip((s.TITLES, s.MEMBERS, s.EVENTS, s.IMPRESSIONS), tables, strict=True):
        lake.replace(table, data)
    backfill(lake, end, seed=0)
    with running_redis(settings) as url:
        gateway = FeatureGateway.open(settings, url)
        gateway.apply()
        version = train_small(gateway, lake, settings, simulated, end)
        yield TrainedService(simulated, settings, lake, gateway, version, end)


def train_small(
    gateway: FeatureGateway,
    lake: Lake,
    settings: Settings,
    simulated: SimulatedService,
    now: datetime,
    **changes: Any,
) -> str:
    """Train on a simulated service with few steps; return the version."""
    small = {
        "als": AlsConfig(iterations=5, threads=1),
        "bpr": BprConfig(iterations=5),
        "two_tower": TwoTowerConfig(epochs=2, batch=128, uniform_negatives=128),
        "ranker": RankerConfig(trees=60, threads=1),
    }
    return train(
        gateway, lake, settings, TrainingConfig(**(small | changes)), StepRecorder(lambda _: None),
        now=now, dataset="simulated service", truth=simulated.world.play_probability,
        examination=examination_probability(SimulationConfig()),
    )  # fmt: skip
