"""Served pages made anew from Feast's point-in-time retrieval, as of their instant or an earlier one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.store import FeatureGateway
from feature_repo.transforms.decay import MICROSECONDS_PER_HOUR
from feature_repo.transforms.encoding import Arrays, encode
from feature_repo.transforms.ranking import FIRST_PLACE, MEMBER_INPUTS, TITLE_INPUTS, ranking_features
from feature_repo.transforms.towers import item_tower
from feature_repo.transforms.user_session import SESSION_HOURS
from training.bundle import BundleContents
from training.datasets import page_members_as_of, page_titles_as_of, title_contents_as_of
from training.parity.bundle_taste import BundleTaste
from training.parity.served import ServedPages

MEMBER_SOURCES: Final = (s.USER_SNAPSHOT, s.USER_SESSION, s.USER_PROFILE, s.USER_PICKS, s.USER_ALS_EMBEDDING)
TITLE_SOURCES: Final = (s.TITLE_METADATA, s.TITLE_STATISTICS, s.TITLE_ALS_EMBEDDING)


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What pages read: a row per page in ``members``, a row per candidate in ``titles``."""

    members: Arrays
    titles: Arrays

    def with_tables(self, other: Inputs, tables: Collection[s.Table]) -> Inputs:
        """Return these inputs with some tables as they are in ``other``."""
        members, titles = dict(self.members), dict(self.titles)
        for table in tables:
            (members if table in MEMBER_SOURCES else titles).update(other.of_table(table))
        return Inputs(members, titles)

    def of_table(self, table: s.Table) -> Arrays:
        """Return the columns that came from one table."""
        side = self.members if table in MEMBER_SOURCES else self.titles
        return {column.name: side[column.name] for column in table.columns if column.name in side}


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Makes the ranker's input of ``served`` pages; ``present`` is what was known at their instants.

    ``versions`` says, by bundle, which vectors of the store are its own; ``towers`` (n, 256) are the item
    tower's vectors of the candidates.
    """

    gateway: FeatureGateway
    served: ServedPages
    tastes: Mapping[str, BundleTaste]
    present: Inputs
    versions: Mapping[str, frozenset[str]]
    towers: NDArray[np.float32]

    @classmethod
    def of(
        cls, gateway: FeatureGateway, served: ServedPages, bundles: Mapping[str, BundleContents]
    ) -> Replay:
        """Retrieve what the pages ought to have read.

        Raises ``KeyError`` where ``bundles`` lacks one that a page names.
        """
        tastes = {name: BundleTaste(bundles[name]) for name in np.unique(served.bundles).tolist()}
        present = inputs_as_of(gateway, served)
        versions = {}
        towers = np.full((len(served), s.TWO_TOWER_DIMENSIONS), np.nan, dtype=np.float32)
        for name, taste in tastes.items():
            rows = _rows_of(served, name)
            titles = {column: values[rows] for column, values in present.titles.items()}
            versions[name] = taste.versions_in(served.title_ids[rows], titles)
            towers[rows] = _tower_vectors(gateway, served, taste, rows)
        return cls(gateway, served, tastes, present, versions, towers)

    def take(self, rows: NDArray[np.bool_]) -> Replay:
        """Return the replay of some of the candidates."""
        pages = np.unique(self.served.page_of[rows])
        present = Inputs(
            {name: values[pages] for name, values in self.present.members.items()},
            {name: values[rows] for name, values in self.present.titles.items()},
        )
        served = self.served.take(rows)
        return Replay(self.gateway, served, self.tastes, present, self.versions, self.towers[rows])

    def matrix(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return ``ranking_features`` of every candidate (n, features), by the clock of its page."""
        served = self.served
        embeddings, towers = self._member_vectors(inputs.members)
        members = {name: inputs.members[name][served.page_of] for name in MEMBER_INPUTS}
        members[s.USER_EMBEDDING] = embeddings[served.page_of]
        titles = {name: inputs.titles[name] for name in TITLE_INPUTS}
        titles[s.TITLE_EMBEDDING] = self._title_embeddings(inputs.titles)
        context: Arrays = {
            s.REQUEST_TIMESTAMP: served.instants[served.page_of].astype(np.float64),
            s.DEVICE_TYPE: served.device_types[served.page_of],
            s.TWO_TOWER_SCORE: (towers[served.page_of] * self.towers).sum(axis=1),
            **FIRST_PLACE,
        }
        return ranking_features(members, titles, context)

    def _member_vectors(self, members: Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        served, made = self.served, []
        for page, bundle in enumerate(served.bundles.tolist()):
            stored = {name: values[page : page + 1] for name, values in members.items()}
            made.append(
                self.tastes[bundle].member(
                    str(served.user_ids[page]), stored, self.versions[bundle],
                    float(served.instants[page]), str(served.device_types[page]),
                )
            )  # fmt: skip
        return np.stack([vector for vector, _ in made]), np.stack([tower for _, tower in made])

    def _title_embeddings(self, titles: Arrays) -> NDArray[np.float32]:
        """Return the stored vectors, and the bundle's own where they are of another model."""
        stored = titles[s.TITLE_EMBEDDING].copy()
        known = np.asarray(np.isfinite(stored).all(axis=1))
        versions = titles[s.MODEL_VERSION]
        for name, taste in self.tastes.items():
            rows = _rows_of(self.served, name)
            foreign = rows[known[rows] & ~np.isin(versions[rows], sorted(self.versions[name]))]
            stored[foreign] = taste.title_vectors(self.served.title_ids[foreign])
        return stored


def inputs_as_of(gateway: FeatureGateway, served: ServedPages, age_us: int | NDArray[np.int64] = 0) -> Inputs:
    """Return what was known ``age_us`` microseconds (one number, or one per page) before each page."""
    instants = served.instants - age_us
    members = page_members_as_of(gateway, served.user_ids, instants)
    members = _without_expired(members, served.instants)
    titles = page_titles_as_of(gateway, served.title_ids, instants[served.page_of])
    return Inputs(members, titles)


def _without_expired(members: Arrays, instants: NDArray[np.int64]) -> Arrays:
    """Forget sessions that are over at the page's instant, however early they were read."""
    since = instants - members[s.SESSION_WATCHED_AT]
    expired = since > SESSION_HOURS * MICROSECONDS_PER_HOUR  # False for NaN
    if not expired.any():
        return members
    names = [c.name for c in s.USER_SESSION.columns if c.name in members]
    unknown = encode(s.USER_SESSION, {name: [None] for name in names})
    kept = {name: members[name].copy() for name in names}
    for name in names:
        for row in np.flatnonzero(expired):
            kept[name][row] = unknown[name][0]
    return members | kept


def _rows_of(served: ServedPages, bundle: str) -> NDArray[np.int64]:
    return np.flatnonzero((served.bundles == bundle)[served.page_of])


def _tower_vectors(
    gateway: FeatureGateway, served: ServedPages, taste: BundleTaste, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the item tower's vectors; those of titles that came later from what they are about."""
    title_ids = served.title_ids[rows]
    vectors = taste.tower_title_vectors(title_ids)
    later = np.flatnonzero(taste.rows(title_ids) < 0)
    if len(later):
        names, places = np.unique(title_ids[later], return_inverse=True)
        contents = title_contents_as_of(gateway, names, served.last_instant)
        vectors[later] = item_tower(taste.contents.tower_weights, contents)[places]
    return vectors
