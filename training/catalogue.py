"""The titles and members that a training knows of, from the lake."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.transforms.calendar import epoch_microseconds
from training.datasets import text


@dataclass(frozen=True, slots=True)
class Catalogue:
    """``title_ids`` unicode [T], sorted; ``available_since`` int64 [T], microseconds since 1970 UTC.

    ``franchise_ids`` unicode [T], "" for none.
    """

    title_ids: NDArray[np.str_]
    available_since: NDArray[np.int64]
    franchise_ids: NDArray[np.str_]

    def available_at(self, instant: datetime) -> NDArray[np.bool_]:
        """Return which titles were on the service by then, [T]."""
        return self.available_since <= epoch_microseconds(instant)


@dataclass(frozen=True, slots=True)
class Members:
    """``user_ids`` unicode [U], sorted; ``countries`` and ``languages`` unicode [U], "" where unknown."""

    user_ids: NDArray[np.str_]
    countries: NDArray[np.str_]
    languages: NDArray[np.str_]


def read_catalogue(lake: Lake) -> Catalogue:
    """Read every title's newest version; raises ``ValueError`` for a lake without titles."""
    columns = [s.TITLE_ID, s.AVAILABLE_SINCE, s.FRANCHISE_ID, s.EVENT_TIMESTAMP]
    table = _newest(lake.read(s.TITLES, columns=columns), s.TITLE_ID)
    if len(table) == 0:
        raise ValueError("the lake holds no titles: run `python -m feature_repo simulate` or `ingest` first")
    since = table.column(s.AVAILABLE_SINCE).cast(pa.int64()).to_numpy()
    return Catalogue(text(table, s.TITLE_ID), since, text(table, s.FRANCHISE_ID))


def read_members(lake: Lake, watching: NDArray[np.str_]) -> Members:
    """Read every member's newest profile, and add those of ``watching`` who have none."""
    columns = [s.USER_ID, s.COUNTRY, s.LANGUAGE, s.EVENT_TIMESTAMP]
    table = _newest(lake.read(s.MEMBERS, columns=columns), s.USER_ID)
    known = text(table, s.USER_ID)
    strangers = np.setdiff1d(watching, known)
    user_ids = np.concatenate([known, strangers])
    order = np.argsort(user_ids)
    nothing = np.full(len(strangers), "")
    countries, languages = (
        np.concatenate([text(table, name), nothing])[order] for name in (s.COUNTRY, s.LANGUAGE)
    )
    return Members(user_ids[order], countries, languages)


def _newest(table: pa.Table, key: str) -> pa.Table:
    """Keep each key's row with the latest timestamp; order by key."""
    table = table.sort_by([(key, "ascending"), (s.EVENT_TIMESTAMP, "ascending")])
    keys = text(table, key)
    last = np.ones(len(keys), dtype=bool)
    last[:-1] = keys[1:] != keys[:-1]
    return table.filter(pa.array(last))
