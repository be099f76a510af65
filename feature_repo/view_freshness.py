"""Of when the newest rows of each feature view are, as the online store has them.

The store notes it at every write, whoever writes: a materialization, the stream, an arrival, a retrain. The
instants lie beside the rows in Redis, so that a store that loses the ones loses the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from feature_repo import schema as s

SELDOM: Final = frozenset(
    table.name for table in (s.USER_PROFILE, s.USER_PICKS, s.USER_HIDDEN, s.TITLE_METADATA, s.TITLE_CONTENT)
)
"""Views whose newest row may be of long ago though all is online: nobody signed up, nothing came out."""
NEWEST: Final = "marquee:view_newest"
"""A sorted set: views, scored by seconds since 1970 UTC."""


def note_newest(client: Any, view: str, instant: datetime) -> None:
    """Remember that a view has rows as of ``instant`` (aware), unless it has newer ones."""
    client.zadd(NEWEST, {view: instant.timestamp()}, gt=True)


def note_materialized(client: Any, views: Iterable[str]) -> None:
    """Take note of views that were materialized together: those of SELDOM are as of the titles' statistics.

    These have rows of every hour with viewing, made by a build of all features, and by nothing else.
    """
    built = client.zscore(NEWEST, s.TITLE_STATISTICS.name)
    seldom = dict.fromkeys(SELDOM.intersection(views), built)
    if built is not None and seldom:
        client.zadd(NEWEST, seldom, gt=True)


def newest_rows(client: Any) -> Mapping[str, datetime]:
    """Return, by view, of when its newest rows are; views without rows are left out."""
    found = client.zrange(NEWEST, 0, -1, withscores=True)
    return {view.decode(): datetime.fromtimestamp(at, UTC) for view, at in found}


def forget_newest(client: Any) -> None:
    """Forget all of it, as when the store is emptied for other data."""
    client.delete(NEWEST)
