"""A homepage, stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from serving import fallbacks
from serving.api.models import Homepage, Row
from serving.candidates import generators as g
from serving.candidates.answer import Candidates, SeedNeighbours
from serving.candidates.merge import Merged, merge
from serving.candidates.query import PageRequest, Query, microseconds
from serving.members import FeatureReader, Member, read_member
from serving.page.assembly import Ingredients, assemble, popular_page
from serving.page.layout import Layout
from serving.page.ranked import Ranked, by_ranker, by_retrieval
from serving.pipeline import Run, Stage, StageObserver
from serving.ranking import candidate_features
from serving.state import ServingState
from serving.tiles import describe

IdSource = Callable[[], str]


def unique_id() -> str:
    """Return a random UUID."""
    return str(uuid4())


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
        self._features: Stage[PageRequest, Member] = Stage(
            "features", lambda r: read_member(reader, r.user_id, r.at), fallbacks.no_features, 1.5
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
        self._ranker = Stage("ranker", _rank, _rank_without_model, 3.0, _has_matrix)
        self._page = Stage("page", self._assemble, self._plain_page, 1.5)

    def make(self, state: ServingState, request: PageRequest) -> tuple[Homepage, Run]:
        """Make one page, and tell how it went. A stage that fails is named in ``degraded``."""
        run = Run(self._observer)
        member = run.through(self._features, request)
        retrieved = self._retrieve(run, query_of(state, request, member))
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

    def _retrieve(self, run: Run, query: Query) -> _Retrieved:
        nearest = run.through(self._als, query)
        seeds = run.through(self._similar, query)
        charts = tuple((stage.name, run.through(stage, query)) for stage in self._charts)
        answers = ((g.ALS, nearest), *((g.SIMILAR, seed.candidates) for seed in seeds), *charts)
        merging: Stage[Query, Merged] = Stage(
            "merge", lambda q: merge(answers, len(q.catalogue)), fallbacks.popular_candidates, 0.5
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
    """Work out which titles this member may be shown, here and now."""
    country = member.country if request.country is None else request.country
    eligible = state.catalogue.eligible(
        country, member.maturity_limit, microseconds(request.at), member.watched
    )
    return Query(request, member, country, eligible, state.catalogue, state.models)


def _is_ranked(retrieved: _Retrieved) -> bool:
    return retrieved.query.member.personal and len(retrieved.merged.rows) > 0


def _matrix(retrieved: _Retrieved) -> NDArray[np.float32] | None:
    query = retrieved.query
    return candidate_features(
        query.member, query.catalogue, retrieved.merged.rows, query.now_us, query.request.device
    )


def _has_matrix(asked: _RankerInput) -> bool:
    return asked.matrix is not None


def _rank(asked: _RankerInput) -> Ranked:
    if asked.matrix is None:
        raise ValueError("the ranker was asked without a matrix")
    return by_ranker(asked.retrieved.merged, asked.retrieved.query.models.ranker.score(asked.matrix))


def _rank_without_model(asked: _RankerInput) -> Ranked:
    return fallbacks.without_ranker(asked.retrieved.query, asked.retrieved.merged)
