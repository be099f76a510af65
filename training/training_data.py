"""What every step of a training reads: events, catalogue, members, and the windows that time is cut into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from training.catalogue import Catalogue, Members, read_catalogue, read_members
from training.config import TrainingConfig
from training.datasets import (
    RecencySampling,
    WatchEvents,
    distinct_pairs,
    interaction_matrix,
    watch_events,
)
from training.interactions import InteractionMatrix
from training.windows import Windows, training_windows


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What every step of a training reads."""

    gateway: FeatureGateway
    lake: Lake
    events: WatchEvents
    catalogue: Catalogue
    members: Members
    windows: Windows


def read_training_data(gateway: FeatureGateway, lake: Lake, config: TrainingConfig) -> TrainingData:
    """Read events, catalogue and members, and cut the time into windows.

    Events of titles that the catalogue does not hold are left out, as are those before the configured window.
    Raises ``ValueError`` where there are too few events to split.
    """
    catalogue = read_catalogue(lake)
    events = watch_events(lake)
    events = events.take(np.isin(events.title_ids, catalogue.title_ids))
    if config.window_days is not None and len(events.timestamps):
        window = timedelta(days=config.window_days) // timedelta(microseconds=1)
        events = events.take(events.timestamps > events.timestamps[-1] - window)
    members = read_members(lake, events.user_ids)
    windows = training_windows(events.timestamps, config.ranker_share, config.test_share)
    return TrainingData(gateway, lake, events, catalogue, members, windows)


def interactions_as_of(
    data: TrainingData,
    as_of: datetime,
    config: TrainingConfig | None = None,
    since: datetime | None = None,
) -> InteractionMatrix:
    """Return the interactions known at ``as_of``; with ``since``, of pairs with events from then on only."""
    pairs = distinct_pairs(data.events, before=as_of, since=since)
    sampling = None
    if config is not None:
        window = timedelta(days=config.window_days) if config.window_days is not None else None
        sampling = RecencySampling(window, older_share=config.older_share, seed=config.seed)
    return interaction_matrix(
        data.gateway, pairs, as_of,
        catalogue=data.catalogue.title_ids, members=data.members.user_ids, sampling=sampling,
    )  # fmt: skip
