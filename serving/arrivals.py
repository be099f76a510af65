"""Titles that changed, or came after the bundle, laid into the catalogue without a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.arrivals import NewMember
from feature_repo.store import TitleSnapshot
from feature_repo.transforms.towers import TITLE_INPUT_DIMENSIONS, title_inputs
from serving.members import FeatureReader


class ArrivalSource(Protocol):
    """Where titles and members come in; ``feature_repo.arrivals.Arrivals`` is one."""

    def title_ids(self) -> list[str]:
        """Return every title of the lake."""

    def position(self) -> str:
        """Return where the feed of changes stands."""

    def changes(self, after: str) -> tuple[str, tuple[str, ...]]:
        """Return the position now, and the titles that changed since."""

    def add_titles(self, titles: Any, created_at: datetime) -> int:
        """Take in rows of the TITLES table."""

    def add_member(self, member: NewMember, known_titles: Sequence[str], created_at: datetime) -> None:
        """Take in a member with what they picked."""


def with_changes(old: TitleSnapshot, fresh: TitleSnapshot) -> TitleSnapshot:
    """Return ``old`` with the rows of ``fresh`` in place of theirs, and new titles in new rows at the end.

    A new title without a name is not taken in: the feature store does not know it.
    """
    named = fresh.columns[s.NAME] != ""
    known = len(old.title_ids)
    source = np.arange(known)
    row_of = dict(old.row_of)
    added: list[int] = []
    for place, title_id in enumerate(fresh.title_ids.tolist()):
        if title_id in row_of:
            source[row_of[title_id]] = known + place
        elif named[place]:
            row_of[title_id] = known + len(added)
            added.append(known + place)
    rows = np.concatenate([source, np.array(added, dtype=source.dtype)])
    columns = {
        name: np.concatenate([column, fresh.columns[name]])[rows] for name, column in old.columns.items()
    }
    title_ids = np.concatenate([old.title_ids, fresh.title_ids])[rows]
    return TitleSnapshot(title_ids, row_of, columns, fresh.taken_at)


def content_inputs(reader: FeatureReader, title_ids: Sequence[str], now: datetime) -> NDArray[np.float32]:
    """Return what the item tower reads of these titles, (n, TITLE_INPUT_DIMENSIONS)."""
    if not title_ids:
        return np.empty((0, TITLE_INPUT_DIMENSIONS), dtype=np.float32)
    return title_inputs(reader.title_contents(title_ids, now))
