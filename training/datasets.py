"""Training sets, asked of the feature store as they stood at an instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.progress import Progress
from feature_repo.store import HOMEPAGE_MEMBER, HOMEPAGE_TITLES, FeatureGateway
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.encoding import Arrays, encode
from feature_repo.transforms.towers import title_inputs
from feature_repo.transforms.watch_log import known_fractions
from training.interactions import InteractionMatrix

INSTANT = pa.timestamp("us", tz="UTC")
MEMBER_TABLES = (s.USER_SNAPSHOT, s.USER_SESSION, s.USER_PROFILE, s.USER_ALS_EMBEDDING)
TITLE_TABLES = (s.TITLE_METADATA, s.TITLE_STATISTICS, s.TITLE_ALS_EMBEDDING)
CONTENT_TABLES = (s.TITLE_METADATA, s.TITLE_CONTENT)
PAGE_MEMBER_TABLES = (*MEMBER_TABLES, s.USER_PICKS)


@dataclass(frozen=True, slots=True)
class RecencySampling:
    """Which interactions train a model: all recent ones, and a share of the older ones.

    ``window``: how far back at all (None: everything). ``recent``: interactions this young are all kept;
    of the others, ``older_share`` (0 to 1) drawn at random with ``seed``.
    """

    window: timedelta | None = None
    recent: timedelta = timedelta(hours=24)
    older_share: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class WatchEvents:
    """The watch events of a window as parallel arrays, ordered by time, then event id."""

    user_ids: NDArray[np.str_]
    title_ids: NDArray[np.str_]
    timestamps: NDArray[np.int64]
    device_types: NDArray[np.str_]
    watch_fractions: NDArray[np.float32]
    started: NDArray[np.bool_]

    def take(self, rows: NDArray[np.bool_]) -> WatchEvents:
        """Return some of the events."""
        return WatchEvents(
            self.user_ids[rows], self.title_ids[rows], self.timestamps[rows],
            self.device_types[rows], self.watch_fractions[rows], self.started[rows],
        )  # fmt: skip

    def play_starts(self) -> NDArray[np.bool_]:
        """Return which events begin a viewing; in a log without plays every event does."""
        return self.started if self.started.any() else np.ones(len(self.started), dtype=bool)


def watch_events(lake: Lake, start: datetime | None = None, end: datetime | None = None) -> WatchEvents:
    """Read the watch events in [start, end); ``watch_fractions`` NaN and ``device_types`` "" if unknown."""
    names = [
        s.EVENT_ID,
        s.USER_ID,
        s.TITLE_ID,
        s.EVENT_TIMESTAMP,
        s.EVENT_TYPE,
        s.DEVICE_TYPE,
        s.WATCH_FRACTION,
    ]
    table = lake.read(s.EVENTS, columns=names, start=start, end=end)
    table = table.filter(pc.is_in(table.column(s.EVENT_TYPE), pa.array(s.WATCH_EVENT_TYPES)))
    table = table.sort_by([(s.EVENT_TIMESTAMP, "ascending"), (s.EVENT_ID, "ascending")])
    return WatchEvents(
        text(table, s.USER_ID),
        text(table, s.TITLE_ID),
        table.column(s.EVENT_TIMESTAMP).cast(pa.int64()).to_numpy(),
        text(table, s.DEVICE_TYPE),
        known_fractions(table.column(s.EVENT_TYPE), table.column(s.WATCH_FRACTION)).astype(np.float32),
        pc.equal(table.column(s.EVENT_TYPE), "play").to_numpy(),
    )


def interaction_matrix(
    gateway: FeatureGateway,
    pairs: pa.Table,
    as_of: datetime,
    *,
    catalogue: NDArray[np.str_],
    members: NDArray[np.str_],
    sampling: RecencySampling | None = None,
    progress: Progress | None = None,
) -> InteractionMatrix:
    """Return the interactions of ``pairs`` (user_id, title_id) as the feature store knew them at ``as_of``.

    Pairs that had not met by then are left out, as are those outside ``sampling``.
    """
    entities = pairs.append_column(s.EVENT_TIMESTAMP, pa.array([as_of] * len(pairs), INSTANT))
    answer = gateway.historical("als", entities, progress=progress)
    answer = answer.filter(pc.is_valid(answer.column(s.WATCH_FRACTION)))
    answer = answer.filter(pa.array(_sampled(answer, as_of, sampling or RecencySampling())))
    return InteractionMatrix.build(
        text(answer, s.USER_ID), text(answer, s.TITLE_ID),
        answer.column(s.WATCH_FRACTION).to_numpy(), catalogue, members,
    )  # fmt: skip


def distinct_pairs(
    events: WatchEvents, before: datetime | None = None, since: datetime | None = None
) -> pa.Table:
    """Return the distinct (user_id, title_id) of the events in [since, before)."""
    kept = np.ones(len(events.timestamps), dtype=bool)
    if before is not None:
        kept &= events.timestamps < epoch_microseconds(before)
    if since is not None:
        kept &= events.timestamps >= epoch_microseconds(since)
    pairs = pa.table({s.USER_ID: events.user_ids[kept], s.TITLE_ID: events.title_ids[kept]})
    return pairs.group_by([s.USER_ID, s.TITLE_ID], use_threads=False).aggregate([])


def members_as_of(gateway: FeatureGateway, user_ids: NDArray[np.str_], instants: NDArray[np.int64]) -> Arrays:
    """Return the member side of the ranker's input for parallel arrays of members and instants (µs)."""
    entities = pa.table({s.USER_ID: user_ids, s.EVENT_TIMESTAMP: pa.array(instants).cast(INSTANT)})
    return _encoded(gateway.historical("ranker_members", entities), MEMBER_TABLES)


def titles_as_of(gateway: FeatureGateway, title_ids: NDArray[np.str_], instants: NDArray[np.int64]) -> Arrays:
    """Return the title side of the ranker's input for parallel arrays of titles and instants (µs)."""
    entities = pa.table({s.TITLE_ID: title_ids, s.EVENT_TIMESTAMP: pa.array(instants).cast(INSTANT)})
    return _encoded(gateway.historical("ranker_titles", entities), TITLE_TABLES)


def page_members_as_of(
    gateway: FeatureGateway, user_ids: NDArray[np.str_], instants: NDArray[np.int64]
) -> Arrays:
    """As :func:`members_as_of`, with all else that a page reads of its member and makes vectors of."""
    entities = pa.table({s.USER_ID: user_ids, s.EVENT_TIMESTAMP: pa.array(instants).cast(INSTANT)})
    return _encoded(gateway.historical(HOMEPAGE_MEMBER, entities), PAGE_MEMBER_TABLES)


def page_titles_as_of(
    gateway: FeatureGateway, title_ids: NDArray[np.str_], instants: NDArray[np.int64]
) -> Arrays:
    """As :func:`titles_as_of`, with all else that a page reads of a title, such as its vector's model."""
    entities = pa.table({s.TITLE_ID: title_ids, s.EVENT_TIMESTAMP: pa.array(instants).cast(INSTANT)})
    return _encoded(gateway.historical(HOMEPAGE_TITLES, entities), TITLE_TABLES)


def title_contents_as_of(
    gateway: FeatureGateway, title_ids: NDArray[np.str_], as_of: datetime
) -> NDArray[np.float32]:
    """Return what the item tower reads of each title, (T, TITLE_INPUT_DIMENSIONS), as known at ``as_of``."""
    instants = np.full(len(title_ids), epoch_microseconds(as_of))
    entities = pa.table({s.TITLE_ID: title_ids, s.EVENT_TIMESTAMP: pa.array(instants).cast(INSTANT)})
    return title_inputs(_encoded(gateway.historical("two_tower_titles", entities), CONTENT_TABLES))


def _encoded(answer: pa.Table, tables: Sequence[s.Table]) -> Arrays:
    asked = {s.USER_ID, s.TITLE_ID, s.EVENT_TIMESTAMP}
    columns = {name: answer.column(name) for name in answer.column_names if name not in asked}
    arrays: Arrays = {}
    for table in tables:
        arrays |= encode(table, columns)
    return arrays


def _sampled(answer: pa.Table, as_of: datetime, sampling: RecencySampling) -> NDArray[np.bool_]:
    last = answer.column(s.LAST_WATCHED_AT).to_numpy()
    now = epoch_microseconds(as_of)
    kept = np.random.default_rng(sampling.seed).random(len(last)) < sampling.older_share
    kept |= last >= now - sampling.recent // timedelta(microseconds=1)
    if sampling.window is not None:
        kept &= last >= now - sampling.window // timedelta(microseconds=1)
    return kept


def text(table: pa.Table, name: str) -> NDArray[np.str_]:
    """Return a text column as unicode, "" for null."""
    return np.asarray(pc.fill_null(table.column(name), "").to_numpy(), dtype=np.str_)
