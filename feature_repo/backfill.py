"""All features from the raw tables of the lake, in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

import pyarrow as pa

from feature_repo import encoder_tables as tables, schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.progress import Progress
from feature_repo.transforms.interactions import interactions
from feature_repo.transforms.title_content import ContentEncoder, title_content
from feature_repo.transforms.title_metadata import (
    GenreVersions,
    title_metadata,
    user_picks,
    user_profile,
)
from feature_repo.transforms.title_statistics import title_statistics
from feature_repo.transforms.user_hidden import user_hidden
from feature_repo.transforms.user_history import user_histories
from feature_repo.transforms.user_session import user_sessions
from feature_repo.transforms.user_snapshot import user_snapshots
from feature_repo.transforms.viewings import viewings
from feature_repo.transforms.watch_log import watch_log

_Rows = Callable[[], Iterator[pa.RecordBatch]]

_LEARNED: Final = (s.USER_ALS_EMBEDDING, s.TITLE_ALS_EMBEDDING)
IMPRESSION_COLUMNS: Final = (s.PAGE_ID, s.TITLE_ID, s.EVENT_TIMESTAMP, s.PLAYED)


def backfill(
    lake: Lake,
    created_at: datetime,
    seed: int,
    progress: Progress | None = None,
    encoder: ContentEncoder | None = None,
) -> dict[str, int]:
    """Compute every feature table but the embeddings, and the content encoder; return rows per table.

    All tables appear together at the end, or none. Embeddings come with a training: until then their tables
    are there without rows. Needs events and titles; members and impressions may be missing. ``created_at``
    (aware) stamps every row; ``seed`` fixes the axes of the cast and synopsis vectors; with an ``encoder``
    these stay what they were, and its words and people. Raises ``LakeError`` where a needed table is
    missing, ``ValueError`` for a naive ``created_at``.
    """
    if created_at.tzinfo is None:
        raise ValueError(f"created_at {created_at!r} has no time zone; pass an aware datetime, such as UTC")
    written: dict[str, int] = {}
    steps = _steps(lake, created_at, seed, encoder)
    with lake.transaction() as transaction:
        for done, (table, rows) in enumerate(steps):
            if progress is not None:
                progress(table.name, done, len(steps))
            written[table.name] = transaction.replace(table, rows())
        # `feast materialize` reads the table of every view, and fails where one is not there.
        for table in _LEARNED:
            transaction.create(table)
    return written


def stored_encoder(lake: Lake) -> ContentEncoder | None:
    """Return the content encoder of the features that are there; None where there are none yet."""
    if not (lake.exists(tables.CONTENT_WORDS) and lake.exists(tables.CONTENT_PEOPLE)):
        return None
    return ContentEncoder.from_tables(lake.read(tables.CONTENT_WORDS), lake.read(tables.CONTENT_PEOPLE))


def refresh_interactions(lake: Lake, created_at: datetime) -> int:
    """Compute the interactions alone anew, which is quick; return their number.

    Raises ``LakeError`` for a lake without events.
    """
    viewed = viewings(watch_log(lake.read(s.EVENTS)))
    return lake.replace(s.INTERACTIONS, iter([interactions(viewed, created_at)]))


def _steps(
    lake: Lake, created_at: datetime, seed: int, encoder: ContentEncoder | None
) -> list[tuple[s.Table, _Rows]]:
    titles, events = lake.read(s.TITLES), lake.read(s.EVENTS)
    log = watch_log(events)
    viewed = viewings(log)
    genres = GenreVersions.of(titles, log.titles)
    encoder = encoder or ContentEncoder.fit(titles, seed)
    return [
        (s.TITLE_METADATA, lambda: iter([title_metadata(titles, created_at)])),
        (s.TITLE_CONTENT, lambda: iter([title_content(titles, encoder, created_at)])),
        (tables.CONTENT_WORDS, lambda: iter(encoder.words_table(created_at).to_batches())),
        (tables.CONTENT_PEOPLE, lambda: iter(encoder.people_table(created_at).to_batches())),
        (s.USER_PROFILE, lambda: iter([user_profile(_read_if_there(lake, s.MEMBERS), created_at)])),
        (s.USER_PICKS, lambda: iter([user_picks(_read_if_there(lake, s.SIGN_UPS), created_at)])),
        (s.USER_SNAPSHOT, lambda: user_snapshots(log, genres, created_at)),
        (s.USER_SESSION, lambda: user_sessions(log, genres, created_at)),
        (s.USER_HISTORY, lambda: user_histories(log, created_at)),
        (s.USER_HIDDEN, lambda: iter([user_hidden(events, created_at)])),
        (s.INTERACTIONS, lambda: iter([interactions(viewed, created_at)])),
        (s.TITLE_STATISTICS, lambda: iter([title_statistics(viewed, _impressions(lake), created_at)])),
    ]


def _impressions(lake: Lake) -> pa.Table:
    return _read_if_there(lake, s.IMPRESSIONS, IMPRESSION_COLUMNS)


def _read_if_there(lake: Lake, table: s.Table, columns: tuple[str, ...] | None = None) -> pa.Table:
    if lake.exists(table):
        return lake.read(table, columns)
    empty = table.arrow_schema.empty_table()
    return empty.select(columns) if columns else empty
