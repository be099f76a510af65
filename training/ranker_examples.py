"""What the ranker learns from: tiles that were shown, or candidates that would have been."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY
from feature_repo.transforms.ranking import FIRST_PLACE, ranking_features
from feature_repo.transforms.vector_solver import is_vector
from training.datasets import WatchEvents, members_as_of, text, titles_as_of
from training.interactions import InteractionMatrix
from training.page_vectors import PageVectors, VectorMaker
from training.ranker import RankingExamples, ranking_label
from training.retrieval import Retrieval

_ROWS_AT_ONCE = 50_000
LIKED_FRACTION = 0.5
"""Without impressions, a candidate counts as a hit where it was then watched at least this far."""


@dataclass(frozen=True, slots=True)
class ShownTiles:
    """Member, title and context of each example, with what came of it; parallel arrays of length n.

    ``instants``: int64 microseconds since 1970 UTC. ``pages`` numbers the page each tile stood on; rows
    are ordered by page and pages by time. ``labels``: 0 or 1. ``row_indices`` and ``positions``: where the
    tile stood, from 1; the first place where nothing was shown.
    """

    user_ids: NDArray[np.str_]
    title_ids: NDArray[np.str_]
    instants: NDArray[np.int64]
    device_types: NDArray[np.str_]
    pages: NDArray[np.int64]
    labels: NDArray[np.float32]
    row_indices: NDArray[np.float32]
    positions: NDArray[np.float32]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> ShownTiles:
        """Return some of the rows."""
        return ShownTiles(
            self.user_ids[rows], self.title_ids[rows], self.instants[rows],
            self.device_types[rows], self.pages[rows], self.labels[rows],
            self.row_indices[rows], self.positions[rows],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CandidatePlan:
    """How candidates are drawn for data without impressions.

    ``core``, ``two_tower`` and ``popular`` are how many candidates each generator proposes per page;
    ``negatives`` how many of those not watched are kept, drawn with ``seed``.
    """

    core: int = 150
    two_tower: int = 100
    popular: int = 50
    negatives: int = 40
    seed: int = 0


def tiles_from_impressions(
    lake: Lake, start: datetime, end: datetime, *, most_rows: int, seed: int
) -> ShownTiles:
    """Read the impressions in [start, end); where there are more than ``most_rows``, a sample of pages."""
    columns = [
        s.PAGE_ID, s.USER_ID, s.TITLE_ID, s.EVENT_TIMESTAMP, s.DEVICE_TYPE, s.PLAYED, s.WATCH_FRACTION,
        s.ROW_INDEX, s.POSITION,
    ]  # fmt: skip
    table = lake.read(s.IMPRESSIONS, columns=columns, start=start, end=end)
    table = table.sort_by([(n, "ascending") for n in (s.EVENT_TIMESTAMP, s.PAGE_ID, s.ROW_INDEX, s.POSITION)])
    fractions = table.column(s.WATCH_FRACTION).to_numpy()
    tiles = ShownTiles(
        text(table, s.USER_ID),
        text(table, s.TITLE_ID),
        table.column(s.EVENT_TIMESTAMP).cast("int64").to_numpy(),
        text(table, s.DEVICE_TYPE),
        _numbered(text(table, s.PAGE_ID)),
        ranking_label(table.column(s.PLAYED).to_numpy(), fractions),
        table.column(s.ROW_INDEX).to_numpy().astype(np.float32),
        table.column(s.POSITION).to_numpy().astype(np.float32),
    )
    return _sample_pages(tiles, most_rows, seed)


def tiles_from_candidates(
    events: WatchEvents,
    window: tuple[datetime, datetime],
    retrieval: Retrieval,
    vectors_of: VectorMaker,
    *,
    plan: CandidatePlan,
    most_rows: int,
) -> ShownTiles:
    """Draw the candidates that would have been proposed on each member's days of viewing.

    One page per member and day in the window, at the member's first watch of the day. Titles watched
    before that day are left out, as a page leaves them out; a candidate watched that day to at least
    LIKED_FRACTION is a hit. Pages without a hit say nothing and are left out. ``retrieval`` must be fitted
    on what was known before the window; ``vectors_of`` makes members' vectors with its models.
    """
    rng = np.random.default_rng(plan.seed)
    seen = retrieval.watched
    titles, users = seen.title_rows(events.title_ids), seen.user_rows(events.user_ids)
    history = _Histories(users, titles, events.timestamps)
    generators = _Generators(retrieval, plan)
    days = list(_member_days(events, users, window))
    first = np.array([rows[0] for rows in days], dtype=np.int64)
    vectors = vectors_of(events.user_ids[first], events.timestamps[first], events.device_types[first])
    pages = []
    for rows, core, tower in zip(days, vectors.core, vectors.tower, strict=True):
        user, now = int(users[rows[0]]), int(events.timestamps[rows[0]])
        before = np.concatenate([seen.fractions[user].indices, history.before(user, now)])
        candidates = generators.propose(core, tower, before)
        liked = titles[rows][events.watch_fractions[rows] >= LIKED_FRACTION]
        hits = np.isin(candidates, liked)
        if hits.any():
            misses = rng.permutation(candidates[~hits])[: plan.negatives]
            pages.append((rows[0], np.concatenate([candidates[hits], misses]), int(hits.sum())))
    return _sample_pages(_tiles_of(events, seen, pages), most_rows, plan.seed)


def ranking_examples(
    gateway: FeatureGateway, tiles: ShownTiles, retrieval: Retrieval, vectors_of: VectorMaker
) -> RankingExamples:
    """Return the ranker's matrix for the tiles, each row with the features of its own instant.

    ``retrieval`` must be fitted on what was known before the first tile. ``vectors_of`` makes members'
    vectors with its models: as on a page, who had none stored has one solved from what they had watched and
    picked.
    """
    _, first, page_of = np.unique(tiles.pages, return_index=True, return_inverse=True)
    pages = vectors_of(tiles.user_ids[first], tiles.instants[first], tiles.device_types[first])
    member = pages.in_members(members_as_of(gateway, tiles.user_ids, tiles.instants), page_of)
    title = titles_as_of(gateway, tiles.title_ids, tiles.instants)
    context = {
        s.REQUEST_TIMESTAMP: tiles.instants.astype(np.float64),
        s.DEVICE_TYPE: tiles.device_types,
        s.TWO_TOWER_SCORE: _two_tower_scores(tiles, page_of, pages, retrieval),
        s.ROW_INDEX: tiles.row_indices,
        s.POSITION: tiles.positions,
    }
    return RankingExamples(ranking_features(member, title, context), tiles.labels, tiles.pages)


def _two_tower_scores(
    tiles: ShownTiles, page_of: NDArray[np.int64], pages: PageVectors, retrieval: Retrieval
) -> NDArray[np.float32]:
    """Return the inner product of each tile's member and title vectors, (n,); NaN for unknown titles."""
    rows = retrieval.matrix.title_rows(tiles.title_ids)
    scores = np.empty(len(rows), dtype=np.float32)
    for part in np.array_split(np.arange(len(scores)), max(1, len(scores) // _ROWS_AT_ONCE)):
        scores[part] = (pages.tower[page_of[part]] * retrieval.title_vectors[rows[part]]).sum(axis=1)
    scores[rows < 0] = np.nan
    return scores


def _numbered(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """Number runs of equal names in their order."""
    changes = np.ones(len(names), dtype=np.int64)
    changes[1:] = names[1:] != names[:-1]
    return np.cumsum(changes) - 1


def _sample_pages(tiles: ShownTiles, most_rows: int, seed: int) -> ShownTiles:
    if len(tiles.labels) <= most_rows:
        return tiles
    pages = int(tiles.pages[-1]) + 1
    kept = np.random.default_rng(seed).random(pages) < most_rows / len(tiles.labels)
    return tiles.take(kept[tiles.pages])


def _member_days(
    events: WatchEvents, users: NDArray[np.int64], window: tuple[datetime, datetime]
) -> Iterator[NDArray[np.int64]]:
    """Yield the event rows of each known member's day in the window, earliest day first."""
    start, end = (epoch_microseconds(edge) for edge in window)
    rows = np.flatnonzero((events.timestamps >= start) & (events.timestamps < end) & (users >= 0))
    day = events.timestamps[rows] // MICROSECONDS_PER_DAY
    order = np.lexsort((rows, users[rows], day))
    rows, day = rows[order], day[order]
    edges = np.flatnonzero((np.diff(day) != 0) | (np.diff(users[rows]) != 0)) + 1
    yield from (part for part in np.split(rows, edges) if len(part))


class _Histories:
    """Each member's events by time, so that a page finds what was watched before it."""

    def __init__(
        self, users: NDArray[np.int64], titles: NDArray[np.int64], timestamps: NDArray[np.int64]
    ) -> None:
        order = np.lexsort((timestamps, users))
        self._users, self._titles, self._timestamps = users[order], titles[order], timestamps[order]

    def before(self, user: int, now: int) -> NDArray[np.int64]:
        first, end = np.searchsorted(self._users, [user, user + 1])
        until = first + np.searchsorted(self._timestamps[first:end], now)
        return self._titles[first:until]


class _Generators:
    """What the core factors, the towers and popularity propose for one page."""

    def __init__(self, retrieval: Retrieval, plan: CandidatePlan) -> None:
        self._retrieval, self._plan = retrieval, plan
        self._popularity = retrieval.matrix.title_viewers.astype(np.float32)
        self._trained = retrieval.matrix.title_viewers > 0

    def propose(
        self, core: NDArray[np.float32], tower: NDArray[np.float32], watched: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the distinct titles that are proposed to a member, without those ``watched`` (-1: none).

        ``core`` and ``tower`` are the member's vectors, the former NaN where there is none.
        """
        allowed = np.ones(len(self._popularity), dtype=bool)
        allowed[watched[watched >= 0]] = False
        proposed = [
            _best(self._popularity, allowed, self._plan.popular),
            _best(self._retrieval.title_vectors @ tower, allowed, self._plan.two_tower),
        ]
        if is_vector(core):
            scores = self._retrieval.factors.title_factors @ core
            proposed.append(_best(scores, allowed & self._trained, self._plan.core))
        return np.unique(np.concatenate(proposed))


def _best(scores: NDArray[np.float32], allowed: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    """Return the rows of the highest scores among ``allowed``; ties by row."""
    rows = np.flatnonzero(allowed)
    return rows[np.argsort(-scores[rows], kind="stable")[:most]]


def _tiles_of(
    events: WatchEvents, seen: InteractionMatrix, pages: list[tuple[np.int64, NDArray[np.int64], int]]
) -> ShownTiles:
    sizes = np.array([len(titles) for _, titles, _ in pages], dtype=np.int64)
    first = np.repeat(np.array([row for row, _, _ in pages], dtype=np.int64), sizes)
    empty = [np.empty(0, dtype=np.int64)]
    titles = np.concatenate([titles for _, titles, _ in pages] or empty)
    labels = np.concatenate([np.arange(len(t)) < hits for _, t, hits in pages] or [np.empty(0, dtype=bool)])
    return ShownTiles(
        events.user_ids[first],
        seen.title_ids[titles],
        events.timestamps[first],
        events.device_types[first],
        np.repeat(np.arange(len(pages)), sizes),
        labels.astype(np.float32),
        np.repeat(FIRST_PLACE[s.ROW_INDEX], len(labels)),
        np.repeat(FIRST_PLACE[s.POSITION], len(labels)),
    )
