"""What members hide and show again: of each title the latest thumb counts, in whatever order they come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import pyarrow as pa

from feature_repo import schema as s
from feature_repo.transforms.user_hidden import HIDDEN_TITLES, HIDES, SHOWS

THUMBS: Final = (HIDES, SHOWS)
_SEPARATOR: Final = "\x1f"

Thumb = tuple[str, str, int, str, str]
"""(user_id, title_id, microseconds since 1970 UTC, event_id, event_type)."""


def latest_thumbs(
    known: Mapping[str, Mapping[str, str]], thumbs: Iterable[Thumb]
) -> dict[str, dict[str, str]]:
    """Return those thumbs, per member and title, that are later than the ``known`` ones."""
    changed: dict[str, dict[str, str]] = {}
    for user_id, title_id, at, event_id, kind in thumbs:
        given = _encode(at, event_id, kind)
        before = changed.get(user_id, {}).get(title_id) or known.get(user_id, {}).get(title_id)
        if before is None or given > before:
            changed.setdefault(user_id, {})[title_id] = given
    return changed


def hidden_titles(thumbs: Mapping[str, str]) -> tuple[list[str], int]:
    """Return the titles hidden by these thumbs, latest first, and the instant of the latest thumb."""
    by_time = sorted(thumbs.items(), key=lambda thumb: thumb[1], reverse=True)
    hidden = [title for title, thumb in by_time if thumb.endswith(_SEPARATOR + HIDES)]
    return hidden[:HIDDEN_TITLES], int(by_time[0][1].partition(_SEPARATOR)[0])


def thumbs_of(events: pa.RecordBatch) -> list[Thumb]:
    """Return the thumbs among rows of EVENTS."""
    columns = (s.USER_ID, s.TITLE_ID, s.EVENT_TIMESTAMP, s.EVENT_ID, s.EVENT_TYPE)
    user_ids, titles, instants, ids, kinds = (
        (events[name].cast(pa.int64()) if name == s.EVENT_TIMESTAMP else events[name]).to_pylist()
        for name in columns
    )
    rows = zip(user_ids, titles, instants, ids, kinds, strict=True)
    return [row for row in rows if row[4] in THUMBS]


def _encode(at: int, event_id: str, kind: str) -> str:
    """Text that sorts as thumbs count: by instant, then by event id."""
    return _SEPARATOR.join((f"{at:020d}", event_id, kind))
