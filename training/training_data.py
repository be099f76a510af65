"""What every step of a training reads: events, catalogue, members, and the windows that time is cut into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from feature_repo import schema as s
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
    """What every step of a training reads.

    ``earlier``: the distinct (user_id, title_id) of events before the configured window. Nothing is learned
    from them, but the members have watched these titles.
    """

    gateway: FeatureGateway
    lake: Lake
    events: WatchEvents
    earlier: pa.Table
    catalogue: Catalogue
    members: Members
    windows: Windows


def read_training_data(gateway: FeatureGateway, lake: Lake, config: TrainingConfig) -> TrainingData:
    """Read events, catalogue and members, and cut the time into windows.

    Events of titles that the catalogue does not hold are left out; of those before the configured window only
    the pairs are kept, apart.
    Raises ``ValueError`` where there are too few events to split.
    """
    catalogue = read_catalogue(lake)
    events = watch_events(lake)
    events = events.take(np.isin(events.title_ids, catalogue.title_ids))
    within = np.ones(len(events.timestamps), dtype=bool)
    if config.window_days is not None and len(events.timestamps):
        window = timedelta(days=config.window_days) // timedelta(microseconds=1)
        within = events.timestamps > events.timestamps[-1] - window
    before, events = events.take(~within), events.take(within)
    members = read_members(lake, events.user_ids)
    earlier = distinct_pairs(before.take(np.isin(before.user_ids, members.user_ids)))
    windows = training_windows(events.timestamps, config.ranker_share, config.test_share)
    return TrainingData(gateway, lake, events, earlier, catalogue, members, windows)


def interactions_as_of(
    data: TrainingData,
    as_of: datetime,
    config: TrainingConfig | None = None,
    since: datetime | None = None,
) -> InteractionMatrix:
    """Return the interactions within the window that were known at ``as_of``, sampled as ``config`` says.

    With ``since``, of pairs with events from then on only.
    """
    pairs = distinct_pairs(data.events, before=as_of, since=since)
    sampling = None
    if config is not None:
        window = timedelta(days=config.window_days) if config.window_days is not None else None
        sampling = RecencySampling(window, older_share=config.older_share, seed=config.seed)
    return interaction_matrix(
        data.gateway, pairs, as_of,
        catalogue=data.catalogue.title_ids, members=data.members.user_ids, sampling=sampling,
    )  # fmt: skip


def watched_as_of(data: TrainingData, as_of: datetime) -> InteractionMatrix:
    """Return all that members had watched by ``as_of``, with what window and sampling keep from training."""
    pairs = pa.concat_tables([data.earlier, distinct_pairs(data.events, before=as_of)])
    pairs = pairs.group_by([s.USER_ID, s.TITLE_ID], use_threads=False).aggregate([])
    return interaction_matrix(
        data.gateway, pairs, as_of, catalogue=data.catalogue.title_ids, members=data.members.user_ids
    )
