"""Titles that changed, or came after the bundle, laid into the catalogue without a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.arrivals import NewMember
from feature_repo.store import TitleSnapshot
from feature_repo.title_texts import TitleText
from feature_repo.transforms.towers import TITLE_INPUT_DIMENSIONS, TowerWeights, item_tower, title_inputs
from serving.catalogue import Mask
from serving.members import FeatureReader

_LARGEST_FACTOR: Final = 1e6
"""Factors are of the order of 1; their products with others' must stay within float32."""


class ArrivalSource(Protocol):
    """Where titles and members come in; ``feature_repo.arrivals.Arrivals`` is one."""

    def title_ids(self) -> list[str]:
        """Return every title of the lake."""

    def position(self) -> str:
        """Return where the feed of changes stands."""

    def changes(self, after: str) -> tuple[str, tuple[str, ...]]:
        """Return the position now, and the titles that changed since."""

    def age(self, after: str) -> float:
        """Return how long ago, in seconds, the first change after ``after`` was published."""

    def title_text(self, title_id: str) -> TitleText | None:
        """Return the synopsis and cast of a title, None for one that the lake does not hold."""

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


def selected(snapshot: TitleSnapshot, keep: Mask) -> TitleSnapshot:
    """Return the rows of a snapshot where ``keep`` (n,) holds, in their order."""
    columns = {name: column[keep] for name, column in snapshot.columns.items()}
    title_ids = snapshot.title_ids[keep]
    row_of = {title_id: row for row, title_id in enumerate(title_ids.tolist())}
    return TitleSnapshot(title_ids, row_of, columns, snapshot.taken_at)


def sound_vectors(snapshot: TitleSnapshot) -> Mask:
    """Return (n,) which titles' collaborative vectors may be served: whole, or none at all.

    One vector with a hole or of absurd length would spoil what is computed of all of them, such as the Gram
    matrix that members are folded in with.
    """
    vectors = snapshot.columns[s.TITLE_EMBEDDING]
    missing = np.isnan(vectors).all(axis=1)
    # abs before the comparison: NaN and infinity are not below any bound
    return np.asarray(missing | (np.abs(vectors) < _LARGEST_FACTOR).all(axis=1), dtype=np.bool_)


def sound_content(weights: TowerWeights, inputs: NDArray[np.float32]) -> Mask:
    """Return (n,) for which ``inputs`` (n, TITLE_INPUT_DIMENSIONS) the item tower has a vector to show."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.isfinite(item_tower(weights, inputs)).all(axis=1), dtype=np.bool_)


def content_inputs(reader: FeatureReader, title_ids: Sequence[str], now: datetime) -> NDArray[np.float32]:
    """Return what the item tower reads of these titles, (n, TITLE_INPUT_DIMENSIONS)."""
    if not title_ids:
        return np.empty((0, TITLE_INPUT_DIMENSIONS), dtype=np.float32)
    return title_inputs(reader.title_contents(title_ids, now))
