"""What the stream adds to an event: its title's genres, its member's country."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from feature_repo.stream.folding import Catalogue
from feature_repo.stream.title_codes import TitleCodes
from feature_repo.title_feed import TitleFeed
from feature_repo.transforms.title_metadata import GenreVersions

_COLUMNS = (s.TITLE_ID, s.EVENT_TIMESTAMP, s.GENRE_NAMES)
_MOST_COUNTRIES = 1_000_000


class TitleMetadata:
    """The catalogue of the lake, read again when titles change."""

    def __init__(self, lake: Lake, feed: TitleFeed, codes: TitleCodes) -> None:
        self._lake, self._feed, self._codes = lake, feed, codes
        self._position = feed.position()
        self._titles = lake.read(s.TITLES, _COLUMNS)
        self._catalogue = self._prepare()

    def current(self) -> Catalogue:
        """Return the catalogue with every title that has a code by now."""
        if len(self._catalogue.vocabulary) != len(self._codes.vocabulary):
            self._catalogue = self._prepare()
        return self._catalogue

    def refresh(self) -> None:
        """Take in what the feed of changed titles has announced since the last time."""
        position, changed = self._feed.changes(self._position)
        if changed:
            self._titles = self._lake.read(s.TITLES, _COLUMNS)
            self._catalogue = self._prepare()
        self._position = position

    def _prepare(self) -> Catalogue:
        vocabulary: pa.StringArray = self._codes.vocabulary
        return Catalogue(vocabulary, GenreVersions.of(self._titles, vocabulary))


class MemberCountries:
    """Countries of members as the online store knows them, asked for once each."""

    def __init__(self, gateway: FeatureGateway) -> None:
        self._gateway = gateway
        self._known: dict[str, str] = {}

    def of(self, user_ids: Sequence[str]) -> list[str]:
        """Return the members' countries, ``""`` where unknown; those are asked for again the next time."""
        strangers = list(dict.fromkeys(u for u in user_ids if u not in self._known))
        if len(self._known) + len(strangers) > _MOST_COUNTRIES:
            self._known.clear()
        found = self._gateway.countries(strangers)
        self._known |= {u: country for u, country in zip(strangers, found, strict=True) if country}
        return [self._known.get(user_id, "") for user_id in user_ids]
