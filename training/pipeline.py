"""One training from data to champion bundle: ALS and ranker, judged, published, reported."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from training.catalogue import read_catalogue, read_members
from training.config import TrainingConfig
from training.datasets import watch_events
from training.judging import TruePlayProbability, judge
from training.learning import TrainingData, fit_als_as_of, fit_ranker_on_window
from training.publishing import Trained, publish, report
from training.steps import StepRecorder
from training.windows import training_windows


def read_training_data(gateway: FeatureGateway, lake: Lake, config: TrainingConfig) -> TrainingData:
    """Read events, catalogue and members, and cut the time into windows.

    Events of titles that the catalogue does not hold are left out. Raises ``ValueError`` where there are too
    few events to split.
    """
    catalogue = read_catalogue(lake)
    events = watch_events(lake)
    events = events.take(np.isin(events.title_ids, catalogue.title_ids))
    members = read_members(lake, events.user_ids)
    windows = training_windows(events.timestamps, config.ranker_share, config.test_share)
    return TrainingData(gateway, lake, events, catalogue, members, windows)


def train(
    gateway: FeatureGateway,
    lake: Lake,
    settings: Settings,
    config: TrainingConfig,
    recorder: StepRecorder,
    *,
    now: datetime,
    dataset: str,
    truth: TruePlayProbability | None = None,
) -> str:
    """Train, judge, publish and report; return the bundle's version.

    Expects the feature tables in the lake and the definitions applied; brings features and vectors
    online before the bundle that needs them becomes champion. ``now`` stamps what is written; ``truth``
    judges against a simulated service. Same data, seed and configuration: same metrics.
    """
    with recorder.step("read events"):
        data = read_training_data(gateway, lake, config)
    with recorder.step("ALS before the ranker's window"):
        first = fit_als_as_of(data, data.windows.ranker_start, config, now)
    with recorder.step("ranker"):
        ranker, validation = fit_ranker_on_window(data, first, config)
    with recorder.step("ALS before the test window"):
        second = fit_als_as_of(data, data.windows.test_start, config, now, before=first)
    with recorder.step("evaluation"):
        judgement = judge(data, second, ranker, config, truth)
    with recorder.step("ALS on everything"):
        final = fit_als_as_of(data, data.windows.end, config, now, before=second)
    with recorder.step("materialize"):
        materialize_all(gateway, data)
    trained = Trained(final, ranker, validation, judgement)
    with recorder.step("bundle"):
        version = publish(data, trained, config, settings, now)
    report(data, trained, settings, recorder, version=version, created_at=now, dataset=dataset)
    return version


def materialize_all(gateway: FeatureGateway, data: TrainingData) -> dict[str, int]:
    """Bring every entity's newest features online, as of the end of the data."""
    # A member may have joined, or a title become known, long before the first event.
    return gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), data.windows.end)
