"""A homepage, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from serving import fallbacks
from serving.api.models import Homepage, Row
from serving.candidates import generators as g
from serving.candidates.answer import Candidates, SeedNeighbours
from serving.candidates.merge import Merged, merge
from serving.candidates.query import PageRequest, Query
from serving.catalogue import Mask
from serving.eligibility import Visit, eligible_titles, surely_eligible_titles
from serving.members import FeatureReader, Member, read_member
from serving.page.assembly import Ingredients, assemble, popular_page
from serving.page.layout import Layout
from serving.page.ranked import Ranked, by_popularity, by_ranker, by_retrieval
from serving.pipeline import Run, Stage, StageObserver
from serving.ranking import candidate_features
from serving.state import ServingState
from serving.tiles import describe

IdSource = Callable[[], str]


def unique_id() -> str:
    """Return a random UUID."""
    return str(uuid4())


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A request and the state it is answered from."""

    state: ServingState
    request: PageRequest


@dataclass(frozen=True, slots=True, eq=False)
class _Retrieved:
    """A query with its candidates."""

    query: Query
    answers: tuple[tuple[str, Candidates], ...]
    seeds: tuple[SeedNeighbours, ...]
    merged: Merged

    def answer_of(self, source: str) -> Candidates:
        return next(candidates for name, candidates in self.answers if name == source)


@dataclass(frozen=True, slots=True, eq=False)
class _RankerInput:
    retrieved: _Retrieved
    matrix: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    retrieved: _Retrieved
    ranked: Ranked


def _is_personal(query: Query) -> bool:
    return query.member.personal


class HomepageMaker:
    """Makes pages. Holds no state of its own: every page is made from the state it is given."""

    def __init__(
        self,
        reader: FeatureReader,
        observer: StageObserver,
        layout: Layout | None = None,
        new_id: IdSource = unique_id,
    ) -> None:
        self._observer = observer
        self._new_id = new_id
        self._layout = Layout() if layout is None else layout
        self._reader = reader
        self._features = Stage("features", self._read_member, _no_features, 1.5)
        self._eligibility: Stage[Visit, Mask] = Stage(
            "eligibility", eligible_titles, surely_eligible_titles, 0.2
        )
        self._als = Stage(g.ALS, g.als, fallbacks.no_candidates, 0.5, _is_personal)
        self._similar = Stage(g.SIMILAR, g.similar, fallbacks.no_neighbours, 0.5, _is_personal)
        self._charts = (
            Stage(g.TRENDING_IN_COUNTRY, g.trending_in_country, fallbacks.no_candidates, 0.1),
            Stage(g.TRENDING, g.trending, fallbacks.no_candidates, 0.1),
            Stage(g.POPULARITY, g.popularity, fallbacks.no_candidates, 0.1),
            Stage(g.NEW_TITLES, g.new_titles, fallbacks.no_candidates, 0.1),
        )
        self._ranking_features = Stage("ranking_features", _matrix, lambda _: None, 0.5, _is_ranked)
        self._ranker = Stage("ranker", _rank, _keep_order, 3.0)
        self._page = Stage("page", self._assemble, self._plain_page, 1.5)

    def make(self, state: ServingState, request: PageRequest) -> tuple[Homepage, Run]:
        """Make one page, and tell how it went. A stage that fails is named in ``degraded``."""
        run = Run(self._observer)
        visit = Visit(state, request, run.through(self._features, _Asked(state, request)))
        retrieved = self._retrieve(run, visit.query(run.through(self._eligibility, visit)))
        matrix = run.through(self._ranking_features, retrieved)
        ranked = run.through(self._ranker, _RankerInput(retrieved, matrix))
        rows = run.through(self._page, _Judged(retrieved, ranked))
        page = Homepage(
            user_id=request.user_id,
            page_id=self._new_id(),
            generated_at=request.at,
            bundle=state.models.version,
            experiments={},
            degraded=run.degraded,
            rows=rows,
        )
        return page, run

    def _read_member(self, asked: _Asked) -> Member:
        request = asked.request
        return asked.state.understood(read_member(self._reader, request.user_id, request.at))

    def _retrieve(self, run: Run, query: Query) -> _Retrieved:
        nearest = run.through(self._als, query)
        seeds = run.through(self._similar, query)
        charts = tuple((stage.name, run.through(stage, query)) for stage in self._charts)
        answers = ((g.ALS, nearest), *((g.SIMILAR, seed.candidates) for seed in seeds), *charts)
        merging: Stage[Query, Merged] = Stage(
            "merge", lambda q: _merge(q, answers), fallbacks.popular_candidates, 0.5
        )
        return _Retrieved(query, answers, seeds, run.through(merging, query))

    def _assemble(self, judged: _Judged) -> list[Row]:
        retrieved = judged.retrieved
        trending = (retrieved.answer_of(g.TRENDING_IN_COUNTRY), retrieved.answer_of(g.TRENDING))
        parts = Ingredients(
            retrieved.query, judged.ranked, retrieved.seeds, trending, retrieved.answer_of(g.NEW_TITLES)
        )
        page = assemble(parts, self._layout)
        return describe(retrieved.query, page, retrieved.merged, judged.ranked)

    def _plain_page(self, judged: _Judged) -> list[Row]:
        query = judged.retrieved.query
        merged = fallbacks.popular_candidates(query)
        ranked = by_retrieval(merged)
        return describe(query, popular_page(query, ranked, self._layout), merged, ranked)


def query_of(state: ServingState, request: PageRequest, member: Member) -> Query:
    """Return the query of a member's request."""
    visit = Visit(state, request, member)
    return visit.query(eligible_titles(visit))


def _no_features(asked: _Asked) -> Member:
    return fallbacks.no_features(asked.state, asked.request)


def _merge(query: Query, answers: Sequence[tuple[str, Candidates]]) -> Merged:
    merged = merge(answers, len(query.catalogue))
    return merged if len(merged.rows) else fallbacks.popular_candidates(query)


def _is_ranked(retrieved: _Retrieved) -> bool:
    return retrieved.query.member.personal and len(retrieved.merged.rows) > 0


def _matrix(retrieved: _Retrieved) -> NDArray[np.float32] | None:
    query = retrieved.query
    return candidate_features(
        query.member, query.catalogue, retrieved.merged.rows, query.now_us, query.request.device
    )


def _rank(asked: _RankerInput) -> Ranked:
    """Order by the model; without its input by retrieval, and by popularity for a member without taste."""
    query, merged = asked.retrieved.query, asked.retrieved.merged
    if asked.matrix is not None:
        return by_ranker(merged, query.models.ranker.score(asked.matrix))
    return by_retrieval(merged) if query.member.personal else by_popularity(query, merged)


def _keep_order(asked: _RankerInput) -> Ranked:
    return by_retrieval(asked.retrieved.merged)
