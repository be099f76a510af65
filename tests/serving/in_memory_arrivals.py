"""Titles and members that come in, kept in the small service's features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np

from feature_repo import schema as s
from feature_repo.arrivals import NewMember, UnknownTitleError
from feature_repo.title_texts import TitleText

TOKEN = {"Authorization": "Bearer secret"}
RECORD = {
    "name": "Night Ferry",
    "genres": ["Drama"],
    "cast": ["Ana"],
    "synopsis": "a ship",
    "release_year": 2026,
}


class InMemoryArrivals:
    """Keeps titles in the features of the small service, and tells of them in order."""

    def __init__(self, small: Any) -> None:
        self.small = small
        self.told: list[str] = []
        self.members: list[NewMember] = []

    def title_ids(self) -> list[str]:
        return sorted(self.small.features.titles)

    def title_text(self, title_id: str) -> TitleText | None:
        row = self.small.features.titles.get(title_id)
        return None if row is None else TitleText(row.get(s.SYNOPSIS), tuple(row.get(s.CAST) or ()))

    def position(self) -> str:
        return str(len(self.told))

    def changes(self, after: str) -> tuple[str, tuple[str, ...]]:
        return self.position(), tuple(dict.fromkeys(self.told[int(after) :]))

    def age(self, after: str) -> float:
        return 0.25 if int(after) < len(self.told) else 0.0

    def add_titles(self, titles: Any, created_at: datetime) -> int:  # noqa: ARG002
        for row in titles.to_pylist():
            updated_at = row.pop(s.EVENT_TIMESTAMP).timestamp() * 1e6
            if updated_at <= self.small.features.titles.get(row[s.TITLE_ID], {}).get(s.UPDATED_AT, 0):
                continue  # as the online store does
            vector = np.zeros(len(s.GENRES), np.float32)
            vector[[s.GENRES.index(genre) for genre in row[s.GENRE_NAMES]]] = 1
            since = row[s.AVAILABLE_SINCE].timestamp() * 1e6
            self.small.features.titles[row[s.TITLE_ID]] = row | {
                s.GENRE_VECTOR: vector,
                s.AVAILABLE_SINCE: since,
                s.UPDATED_AT: updated_at,
            }
            self.told.append(row[s.TITLE_ID])
        return len(titles)

    def add_member(self, member: NewMember, known_titles: Sequence[str], created_at: datetime) -> None:
        strangers = set(member.selected_title_ids) - set(known_titles)
        if strangers:
            raise UnknownTitleError(sorted(strangers)[0])
        self.members.append(member)
        self.small.features.members[member.user_id] = {
            s.COUNTRY: member.country,
            s.LANGUAGE: member.language,
            s.SELECTED_TITLE_IDS: list(member.selected_title_ids),
            s.PICKED_AT: created_at.timestamp() * 1e6,
        }


@contextmanager
def opened_to_arrivals(unstarted: Any, contents: Any) -> Iterator[Any]:
    """Start a small service that takes titles and members in, and end it."""
    unstarted.arrivals = InMemoryArrivals(unstarted)
    unstarted.service._open_arrivals = lambda _: unstarted.arrivals
    unstarted.publish(contents)
    unstarted.service.start(watch=False)
    yield unstarted
    unstarted.service.stop()
