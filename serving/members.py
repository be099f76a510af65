"""One member as a page sees them: features from the store, or the defaults of somebody unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.store import TitleSnapshot
from feature_repo.transforms.encoding import Arrays, encode
from feature_repo.transforms.latest_titles import latest_titles
from feature_repo.transforms.picks import first_watch
from feature_repo.transforms.ranking import MEMBER_INPUTS
from feature_repo.transforms.vector_solver import is_vector

_TABLES = (
    s.USER_SNAPSHOT, s.USER_SESSION, s.USER_PROFILE, s.USER_PICKS, s.USER_HISTORY, s.USER_HIDDEN,
    s.USER_ALS_EMBEDDING,
)  # fmt: skip


class FeatureReader(Protocol):
    """What serving asks of the feature store; ``feature_repo.store.FeatureGateway`` is one."""

    def member_features(self, user_id: str, now: datetime) -> Arrays:
        """Return one row of every member column, null-encoded where unknown or expired."""

    def title_snapshot(self, title_ids: Sequence[str], now: datetime) -> TitleSnapshot:
        """Return the title columns, row i for ``title_ids[i]``."""

    def title_contents(self, title_ids: Sequence[str], now: datetime) -> Arrays:
        """Return what the item tower reads of the titles, row i for ``title_ids[i]``."""

    def newest_rows(self) -> Mapping[str, datetime]:
        """Return, by feature view, of when its newest rows are online; views without rows are left out."""

    def healthy(self) -> bool:
        """Say whether the online store answers."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member at the instant of a request.

    ``features`` holds MEMBER_INPUTS with one row; ``country`` and ``language`` are ``""`` where
    unknown;
    ``maturity_limit`` in years, NaN for none; ``recent`` pairs the latest titles with the fraction
    watched (0 to 1), latest first; ``watched`` holds every title ever started, ``hidden`` those
    the member wants to see no more;
    ``picks`` the titles chosen at sign-up; ``first_watched_at`` is in microseconds since 1970 UTC, NaN before
    the first watch, ``session_watched_at`` the latest watch of the last 24 hours;
    ``model_version`` names the model of the member's ALS vector, ``""`` where there is none;
    ``history`` holds, latest first, what they had watched when features were last built from all events;
    ``als_vector`` is the ALS vector with what came since (128,), None where nothing did;
    ``tower_vector`` is the user tower's (256,), None before it was asked; ``resting_seeds`` were seeds of
    rows of the member's last pages, and are not to be again at once;
    ``forgotten`` members were deleted: what a bundle learned of them before is not theirs any more.
    """

    user_id: str
    features: Arrays
    country: str
    language: str
    maturity_limit: float
    recent: tuple[tuple[str, float], ...]
    watched: frozenset[str]
    hidden: frozenset[str]
    picks: tuple[str, ...]
    first_watched_at: float
    model_version: str
    session_watched_at: float = float("nan")
    history: tuple[str, ...] = ()
    als_vector: NDArray[np.float32] | None = None
    tower_vector: NDArray[np.float32] | None = None
    resting_seeds: frozenset[str] = frozenset()
    forgotten: bool = False

    @property
    def embedding(self) -> NDArray[np.float32] | None:
        """The member's ALS vector (128,) of this moment, or None where there is none to search with.

        The ranker reads the stored one among ``features``, as it did in training.
        """
        if self.als_vector is not None:
            return self.als_vector
        vector: NDArray[np.float32] = self.features[s.USER_EMBEDDING][0]
        return vector if is_vector(vector) else None

    @property
    def personal(self) -> bool:
        """Whether anything is known of this member's taste."""
        return bool(self.recent or self.watched or self.picks) or self.embedding is not None


def read_member(reader: FeatureReader, user_id: str, now: datetime) -> Member:
    """Read one member; somebody the store does not know comes back with the defaults."""
    return member_from_features(user_id, reader.member_features(user_id, now))


def member_from_features(user_id: str, features: Arrays) -> Member:
    """Build a member from one encoded row; raises ``KeyError`` naming a column that is missing."""
    recent_ids, session_ids = (
        _texts(features[name][0]) for name in (s.RECENT_TITLE_IDS, s.SESSION_TITLE_IDS)
    )
    recent = latest_titles(
        session_ids, features[s.SESSION_WATCH_FRACTIONS][0], recent_ids, features[s.RECENT_WATCH_FRACTIONS][0]
    )
    return Member(
        user_id=user_id,
        features={name: features[name] for name in MEMBER_INPUTS},
        country=str(features[s.COUNTRY][0]),
        language=str(features[s.LANGUAGE][0]),
        maturity_limit=float(features[s.MATURITY_LIMIT][0]),
        recent=tuple(recent),
        watched=frozenset(_texts(features[s.WATCHED_TITLE_IDS][0])).union(recent_ids, session_ids),
        hidden=frozenset(_texts(features[s.HIDDEN_TITLE_IDS][0])),
        picks=_texts(features[s.SELECTED_TITLE_IDS][0]),
        history=_texts(features[s.WATCHED_TITLE_IDS][0]),
        first_watched_at=float(first_watch(features[s.FIRST_WATCHED_AT], features[s.SESSION_WATCHED_AT])[0]),
        session_watched_at=float(features[s.SESSION_WATCHED_AT][0]),
        model_version=str(features[s.MODEL_VERSION][0]),
    )


def unknown_member(user_id: str) -> Member:
    """Return a member of whom nothing is known: every feature null."""
    features: Arrays = {}
    for table in _TABLES:
        features |= encode(table, {c.name: [None] for c in table.columns if c.name not in table.keys})
    return member_from_features(user_id, features)


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, values))
