"""Member states from history: where the stream begins."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.progress import Progress
from feature_repo.stream.arrival import LATENESS, arrive
from feature_repo.stream.batch import watching_events
from feature_repo.stream.enrichment import TitleMetadata
from feature_repo.stream.folding import settle
from feature_repo.stream.member_states import no_states
from feature_repo.stream.state_store import PREFIX, Commit, StateStore, write
from feature_repo.stream.thumbs import latest_thumbs, thumbs_of
from feature_repo.stream.title_codes import TitleCodes
from feature_repo.transforms.watch_log import blocks, distinct_events

SEEDED: Final = PREFIX + "seeded"
SEEDING: Final = PREFIX + "seeding"
"""Held by the one processor that makes the states; the others wait for it."""
_EVENTS_AT_ONCE: Final = 200_000


def seeded(store: StateStore) -> bool:
    """Say whether the stream's states have been made from history."""
    return bool(store.client.exists(SEEDED))


def forget(redis_url: str) -> None:
    """Remove what the stream knows of members and titles, as before data of another service.

    The log, and the positions up to which it has been dealt with, stay.
    """
    client = StateStore.open(redis_url).client
    for pattern in ("member:*", "thumbs:*", "plays:*", "open_hours:*"):
        _delete(client, PREFIX + pattern)
    for name in ("seeded", "outbox", "flushed", "title_codes", "plays_version"):
        client.delete(PREFIX + name)


def seed(
    store: StateStore,
    lake: Lake,
    codes: TitleCodes,
    titles: TitleMetadata,
    lateness: timedelta = LATENESS,
    progress: Progress | None = None,
) -> int:
    """Make the state of every member from the events of the lake; return how many members.

    Events that the log holds as well count once: those that are settled here are late there, and the others
    are known by their ids. Nothing may process the log meanwhile.
    """
    _delete(store.client, PREFIX + "member:*")
    events = lake.read(s.EVENTS) if lake.exists(s.EVENTS) else s.EVENTS.arrow_schema.empty_table()
    ordered = distinct_events(events).sort_by([(s.USER_ID, "ascending")]).combine_chunks()
    members = 0
    parts = list(_parts(ordered))
    for done, part in enumerate(parts):
        members += _seed_part(store, part, codes, titles, lateness)
        if progress is not None:
            progress("members' states", done + 1, len(parts))
    store.client.set(SEEDED, 1)
    return members


def _parts(ordered: pa.Table) -> list[pa.RecordBatch]:
    users = ordered[s.USER_ID].combine_chunks().dictionary_encode().indices.to_numpy()
    starts = np.append(np.flatnonzero(np.diff(users, prepend=-1)), len(users))
    batches = []
    for members in blocks(np.diff(starts), _EVENTS_AT_ONCE):
        first, end = int(starts[members.start]), int(starts[members.stop])
        batches += ordered.slice(first, end - first).combine_chunks().to_batches()
    return batches


def _seed_part(
    store: StateStore, events: pa.RecordBatch, codes: TitleCodes, titles: TitleMetadata, lateness: timedelta
) -> int:
    watched = watching_events(events, np.zeros(len(events), dtype=np.int32), codes)
    thumbs = latest_thumbs({}, thumbs_of(events))
    arrived = arrive(no_states(len(watched.users)), watched.new)
    change = Commit(users=watched.users, thumbs=thumbs)
    change.states = settle(arrived.states, watched.users, titles.current(), lateness)
    with store.client.pipeline(transaction=False) as pipeline:
        write(pipeline, change)
        pipeline.execute()
    return len(watched.users)


def _delete(client: Any, pattern: str) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for key in client.scan_iter(match=pattern, count=1_000):
            pipeline.delete(key)
        pipeline.execute()
