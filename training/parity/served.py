"""What servers logged of the ranker's input, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import COLUMNS_HASH, FEATURES, SERVED_FEATURES, SHOWN, TITLES_TAKEN_AT
from feature_repo.transforms.ranking import RANKING_FEATURES, RANKING_FEATURES_HASH
from training.datasets import text


@dataclass(frozen=True, slots=True, eq=False)
class ServedPages:
    """m pages with n candidates in all; arrays of pages are (m,), those of candidates (n,).

    ``instants`` and ``taken_at`` (when the server took its title snapshot) are microseconds since 1970 UTC,
    ``page_of`` is the page of each candidate, ``matrix`` (n, features) what the ranker was given and
    ``scores`` what it answered; ``shown`` says which candidates became tiles.
    """

    page_ids: NDArray[np.str_]
    user_ids: NDArray[np.str_]
    instants: NDArray[np.int64]
    device_types: NDArray[np.str_]
    taken_at: NDArray[np.int64]
    bundles: NDArray[np.str_]
    page_of: NDArray[np.int64]
    title_ids: NDArray[np.str_]
    scores: NDArray[np.float32]
    shown: NDArray[np.bool_]
    matrix: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.title_ids)

    @property
    def last_instant(self) -> datetime:
        """The instant of the latest page."""
        return datetime.fromtimestamp(int(self.instants.max()) / 1e6, UTC)

    def take(self, rows: NDArray[np.bool_]) -> ServedPages:
        """Return some of the candidates, and the pages that have any."""
        pages, page_of = np.unique(self.page_of[rows], return_inverse=True)
        return ServedPages(
            self.page_ids[pages], self.user_ids[pages], self.instants[pages], self.device_types[pages],
            self.taken_at[pages], self.bundles[pages], page_of.astype(np.int64), self.title_ids[rows],
            self.scores[rows], self.shown[rows], self.matrix[rows],
        )  # fmt: skip


def read_served(
    lake: Lake, start: datetime | None, end: datetime | None, *, most_pages: int, seed: int
) -> ServedPages:
    """Read the pages of [start, end); of more than ``most_pages`` a sample drawn with ``seed``.

    Pages logged by code with other ranking features are left out. Raises :class:`LakeError` where no page was
    ever sampled.
    """
    table = lake.read(SERVED_FEATURES, start=start, end=end)
    table = table.filter(pc.equal(table.column(COLUMNS_HASH), RANKING_FEATURES_HASH))
    pages = np.unique(text(table, s.PAGE_ID))
    if len(pages) > most_pages:
        pages = np.random.default_rng(seed).choice(pages, most_pages, replace=False)
        table = table.filter(pc.is_in(table.column(s.PAGE_ID), pa.array(pages.tolist(), pa.string())))
    table = table.sort_by([(n, "ascending") for n in (s.EVENT_TIMESTAMP, s.PAGE_ID, s.TITLE_ID)])
    return _pages(_without_copies(table))


def newest_instant(lake: Lake) -> datetime | None:
    """Return the instant of the latest page in the log; None where it is empty."""
    if not lake.exists(SERVED_FEATURES):
        return None
    latest = pc.max(lake.read(SERVED_FEATURES, columns=[s.EVENT_TIMESTAMP]).column(s.EVENT_TIMESTAMP))
    found: datetime | None = latest.as_py()
    return found


def _without_copies(table: pa.Table) -> pa.Table:
    """Keep one of each row: a compaction that broke off leaves copies."""
    if not len(table):
        return table
    keys = np.char.add(np.char.add(text(table, s.PAGE_ID), "\x00"), text(table, s.TITLE_ID))
    _, first = np.unique(keys, return_index=True)
    return table.take(pa.array(np.sort(first)))


def _pages(table: pa.Table) -> ServedPages:
    names = text(table, s.PAGE_ID)
    _, found, numbers = np.unique(names, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(found))  # pages in order of time, not of their names
    first, page_of = np.sort(found), order[numbers].astype(np.int64)
    at_first = table.take(pa.array(first))
    flat = table.column(FEATURES).combine_chunks().flatten().to_numpy()
    return ServedPages(
        names[first],
        text(at_first, s.USER_ID),
        at_first.column(s.EVENT_TIMESTAMP).cast(pa.int64()).to_numpy(),
        text(at_first, s.DEVICE_TYPE),
        at_first.column(TITLES_TAKEN_AT).cast(pa.int64()).to_numpy(),
        text(at_first, s.BUNDLE),
        page_of,
        text(table, s.TITLE_ID),
        table.column(s.RANKING_SCORE).to_numpy().astype(np.float32),
        table.column(SHOWN).to_numpy(),
        flat.reshape(-1, len(RANKING_FEATURES)).astype(np.float32, copy=False),
    )
