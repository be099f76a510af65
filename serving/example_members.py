"""Some members that a bundle knows, with what tells them apart: for whoever wants to look at pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from serving.members import FeatureReader
from serving.state import ServingState

FAVOURITES = 3


@dataclass(frozen=True, slots=True)
class ExampleMember:
    """A member: country and language ("" where unknown), viewings started, favourite genres, best first."""

    user_id: str
    country: str
    language: str
    watch_count: int
    genres: list[str]


def example_members(
    reader: FeatureReader, state: ServingState, limit: int, is_deleted: Callable[[str], bool]
) -> list[ExampleMember]:
    """Return up to ``limit`` members, evenly spread over those the bundle was trained on.

    Members that were deleted since are left out. Raises what the feature store does.
    """
    user_ids = list(state.models.vectors.row_of_user)
    places = np.unique(np.linspace(0, len(user_ids) - 1, min(limit, len(user_ids))).astype(int)).tolist()
    now = state.clock()
    return [_known(reader, user_ids[n], now) for n in places if not is_deleted(user_ids[n])]


def _known(reader: FeatureReader, user_id: str, now: datetime) -> ExampleMember:
    features = reader.member_features(user_id, now)
    watched = float(features[s.WATCH_COUNT][0])
    return ExampleMember(
        user_id=user_id,
        country=str(features[s.COUNTRY][0]),
        language=str(features[s.LANGUAGE][0]),
        watch_count=0 if np.isnan(watched) else int(watched),
        genres=_favourites(features[s.GENRE_PREFERENCE][0]),
    )


def _favourites(preference: NDArray[np.floating[Any]]) -> list[str]:
    shares = np.nan_to_num(preference)
    order = np.argsort(-shares, kind="stable")[:FAVOURITES]
    return [s.GENRES[genre] for genre in order if shares[genre] > 0]
