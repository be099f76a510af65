"""New titles and new members, at once: durable in the lake, then online, then announced.

Whoever is told that a title or member was accepted can rely on it: the lake holds it before anything else
is done, and the next training and the next rebuild of the features begin there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo import encoder_tables as tables, schema as s
from feature_repo.ingest.lake import Lake, Transaction
from feature_repo.store import FeatureGateway
from feature_repo.title_feed import TitleFeed
from feature_repo.title_texts import TitleText, read_title_text
from feature_repo.transforms.title_content import ContentEncoder, title_content
from feature_repo.transforms.title_metadata import title_metadata, user_picks, user_profile

_INSTANT = pa.timestamp("us", tz="UTC")


class UnknownTitleError(ValueError):
    """A picked title that the catalogue does not hold."""

    def __init__(self, title_id: str) -> None:
        super().__init__(
            f"selected_title_ids holds {title_id!r}, which is not in the catalogue: choose among its titles"
        )
        self.title_id = title_id


class NotTakenInError(RuntimeError):
    """The lake could not be written, so that nothing was taken in; the message names the remedy."""

    def __init__(self, cause: OSError) -> None:
        # Without the path, which is nobody's business who sends titles.
        reason = type(cause).__name__ if cause.errno is None else os.strerror(cause.errno)
        super().__init__(
            f"the lake cannot be written ({reason}), so that nothing was taken in: make room on its disk, or "
            "let the server write to it, and send it again"
        )


@dataclass(frozen=True, slots=True)
class NewMember:
    """What somebody told at sign-up; ``selected_title_ids`` are distinct and may be none."""

    user_id: str
    country: str | None
    language: str | None
    selected_title_ids: tuple[str, ...] = ()


class Arrivals:
    """Takes in titles and members. Holds the content encoder, so that a title's vectors take milliseconds."""

    def __init__(self, lake: Lake, gateway: FeatureGateway, feed: TitleFeed, encoder: ContentEncoder) -> None:
        self._lake, self._gateway, self._feed, self._encoder = lake, gateway, feed, encoder

    @classmethod
    def open(cls, lake: Lake, gateway: FeatureGateway, feed: TitleFeed) -> Arrivals:
        """Load the encoder that the features were built with; raises ``LakeError`` where there is none."""
        encoder = ContentEncoder.from_tables(
            lake.read(tables.CONTENT_WORDS), lake.read(tables.CONTENT_PEOPLE)
        )
        return cls(lake, gateway, feed, encoder)

    def title_ids(self) -> list[str]:
        """Return every title the lake holds, sorted."""
        return sorted(pc.unique(self._lake.read(s.TITLES, columns=[s.TITLE_ID])[s.TITLE_ID]).to_pylist())

    def title_text(self, title_id: str) -> TitleText | None:
        """Return the synopsis and cast of a title, None for one that the lake does not hold."""
        return read_title_text(self._lake, title_id)

    def position(self) -> str:
        """Return where the feed of changed titles stands."""
        return self._feed.position()

    def changes(self, after: str) -> tuple[str, tuple[str, ...]]:
        """Return the position now, and the titles that changed since ``after``."""
        return self._feed.changes(after)

    def age(self, after: str) -> float:
        """Return how long ago, in seconds, the first change after ``after`` was published."""
        return self._feed.age(after)

    def add_titles(self, titles: pa.Table, created_at: datetime) -> int:
        """Take in rows of the TITLES table, new or changed; return how many.

        Each row's EVENT_TIMESTAMP says since when its metadata is known; ``created_at`` (aware) stamps the
        features made of it. Raises :class:`NotTakenInError` where the lake takes nothing.
        """
        return self._bring_online(titles, created_at, [(s.TITLES, titles)])

    def announce_titles(self, titles: pa.Table, created_at: datetime) -> int:
        """Do what :meth:`add_titles` does for rows that an import has put into the lake's TITLES."""
        return self._bring_online(titles, created_at, [])

    def _bring_online(
        self, titles: pa.Table, created_at: datetime, raw: list[tuple[s.Table, pa.Table]]
    ) -> int:
        metadata = pa.Table.from_batches([title_metadata(titles, created_at)])
        content = pa.Table.from_batches([title_content(titles, self._encoder, created_at)])
        with _taking_in(self._lake) as transaction:
            for table, rows in (*raw, (s.TITLE_METADATA, metadata), (s.TITLE_CONTENT, content)):
                transaction.append(table, rows)
        self._gateway.write_online(s.TITLE_METADATA, metadata)
        self._gateway.write_online(s.TITLE_CONTENT, content)
        self._feed.publish(titles[s.TITLE_ID].to_pylist())
        return len(titles)

    def add_member(self, member: NewMember, known_titles: Sequence[str], created_at: datetime) -> None:
        """Take in a member with what they picked.

        Raises :class:`UnknownTitleError` naming a pick that is not among ``known_titles``, and
        :class:`NotTakenInError` where the lake takes nothing; then nothing is stored.
        """
        strangers = set(member.selected_title_ids).difference(known_titles)
        if strangers:
            raise UnknownTitleError(sorted(strangers)[0])
        at = pa.array([created_at], _INSTANT)
        profile = {
            s.USER_ID: [member.user_id], s.COUNTRY: [member.country], s.LANGUAGE: [member.language],
            s.MATURITY_LIMIT: [None], s.EVENT_TIMESTAMP: at,
        }  # fmt: skip
        picked = [list(member.selected_title_ids)]
        sign_up = {s.USER_ID: [member.user_id], s.SELECTED_TITLE_IDS: picked, s.EVENT_TIMESTAMP: at}
        members = pa.table(profile, schema=s.MEMBERS.arrow_schema)
        sign_ups = pa.table(sign_up, schema=s.SIGN_UPS.arrow_schema)
        profiles = pa.Table.from_batches([user_profile(members, created_at)])
        picks = pa.Table.from_batches([user_picks(sign_ups, created_at)])
        with _taking_in(self._lake) as transaction:
            transaction.append(s.MEMBERS, members)
            transaction.append(s.SIGN_UPS, sign_ups)
            transaction.append(s.USER_PROFILE, profiles)
            transaction.append(s.USER_PICKS, picks)
        self._gateway.write_online(s.USER_PROFILE, profiles)
        self._gateway.write_online(s.USER_PICKS, picks)


@contextmanager
def _taking_in(lake: Lake) -> Iterator[Transaction]:
    try:
        with lake.transaction() as transaction:
            yield transaction
    except OSError as error:
        raise NotTakenInError(error) from error
