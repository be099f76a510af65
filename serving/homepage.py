"""A homepage, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from feature_repo.page.assembly import Page, assemble, plain_page
from feature_repo.page.exploration import draws_of
from feature_repo.page.rules import PageRules
from feature_repo.page.shelf import Ingredients
from feature_repo.transforms import candidate_mix as mix
from feature_repo.transforms.candidate_mix import Merged, merge
from serving import fallbacks
from serving.api.models import Homepage, Row
from serving.candidates.answer import Candidates
from serving.candidates.generators import GENERATORS, CandidateGenerator
from serving.candidates.query import PageRequest, Query
from serving.eligibility import Allowed, Visit, eligible_titles, surely_eligible_titles
from serving.members import FeatureReader, Member, read_member
from serving.page.ingredients import ingredients_of
from serving.page.ranked import Ranked, by_popularity, by_ranker, by_retrieval
from serving.pipeline import Run, Stage, StageObserver
from serving.ranking import candidate_features
from serving.settings import GeneratorSettings, ServingSettings
from serving.shown_seeds import SeedMemory
from serving.state import ServingState
from serving.taste import with_taste
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
    answers: dict[str, Sequence[Candidates]]
    merged: Merged


@dataclass(frozen=True, slots=True, eq=False)
class _RankerInput:
    retrieved: _Retrieved
    matrix: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    retrieved: _Retrieved
    ranked: Ranked
    page_id: str


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """A page in places of its shelf, with the candidates it was chosen from."""

    parts: Ingredients
    page: Page
    merged: Merged
    ranked: Ranked
    rows: list[Row]
    """The page's rows, as they are answered."""


@dataclass(frozen=True, slots=True, eq=False)
class MadePage:
    """A page as it is answered, the run that made it, and all that tells why it is so."""

    homepage: Homepage
    run: Run
    query: Query
    allowed: Allowed
    answers: Mapping[str, Sequence[Candidates]]
    assembled: Assembled
    rules: PageRules
    matrix: NDArray[np.float32] | None
    """The ranker's input, a row per candidate in the order of the merge; None where there was none."""


class HomepageMaker:
    """Makes pages. Holds no state of its own: every page is made from the state it is given."""

    def __init__(
        self,
        reader: FeatureReader,
        observer: StageObserver,
        new_id: IdSource = unique_id,
        settings: ServingSettings | None = None,
        memory: SeedMemory | None = None,
    ) -> None:
        chosen = ServingSettings() if settings is None else settings
        self._observer = observer
        self._new_id = new_id
        self._rules = chosen.page
        self._reader, self._memory = reader, memory
        self._features = Stage("features", self._read_member, _no_features, 1.5)
        self._resting = Stage("shown_seeds", self._resting_seeds, lambda _: frozenset(), 0.3, self._remembers)
        self._taste = Stage("taste", with_taste, fallbacks.same_member, 0.5)
        self._eligibility: Stage[Visit, Allowed] = Stage(
            "eligibility", eligible_titles, surely_eligible_titles, 0.2
        )
        self._generators = tuple(
            _stage(generator, chosen.generators[generator.name]) for generator in GENERATORS
        )
        self._ranking_features = Stage("ranking_features", _matrix, lambda _: None, 0.5, _is_ranked)
        self._ranker = Stage("ranker", _rank, _keep_order, 3.0)
        self._page = Stage("page", self._assemble, self._plain_page, 1.5)

    def make(self, state: ServingState, request: PageRequest) -> MadePage:
        """Make one page, and tell how it went. A stage that fails is named in ``degraded``."""
        run, page_id = Run(self._observer), self._new_id()
        visit = self._visit(run, state, request)
        allowed = run.through(self._eligibility, visit)
        retrieved = self._retrieve(run, visit.query(allowed))
        matrix = run.through(self._ranking_features, retrieved)
        ranked = run.through(self._ranker, _RankerInput(retrieved, matrix))
        made = run.through(self._page, _Judged(retrieved, ranked, page_id))
        homepage = Homepage(
            user_id=request.user_id,
            page_id=page_id,
            generated_at=request.at,
            bundle=state.models.version,
            experiments={},
            degraded=run.degraded,
            relaxed=made.page.relaxed,
            rows=made.rows,
        )
        return MadePage(homepage, run, retrieved.query, allowed, retrieved.answers, made, self._rules, matrix)

    def _visit(self, run: Run, state: ServingState, request: PageRequest) -> Visit:
        member = run.through(self._features, _Asked(state, request))
        member = replace(member, resting_seeds=run.through(self._resting, request))
        visit = Visit(state, request, member)
        return replace(visit, member=run.through(self._taste, visit))

    def _read_member(self, asked: _Asked) -> Member:
        request = asked.request
        return asked.state.understood(read_member(self._reader, request.user_id, request.at))

    def _remembers(self, request: PageRequest) -> bool:
        return self._memory is not None and not request.preview

    def _resting_seeds(self, request: PageRequest) -> frozenset[str]:
        return frozenset() if self._memory is None else self._memory.resting(request.user_id)

    def _retrieve(self, run: Run, query: Query) -> _Retrieved:
        answers = {stage.name: run.through(stage, query) for stage in self._generators}
        merging: Stage[Query, Merged] = Stage(
            "merge", lambda q: _merge(q, answers), fallbacks.popular_candidates, 0.5
        )
        return _Retrieved(query, answers, run.through(merging, query))

    def _assemble(self, judged: _Judged) -> Assembled:
        found = judged.retrieved
        parts = ingredients_of(found.query, judged.ranked, found.answers, self._rules)
        page = assemble(parts, self._rules, draws_of(judged.page_id))
        rows = describe(found.query, page, found.merged, judged.ranked)
        return Assembled(parts, page, found.merged, judged.ranked, rows)

    def _plain_page(self, judged: _Judged) -> Assembled:
        query = judged.retrieved.query
        merged = fallbacks.popular_candidates(query)
        ranked = by_retrieval(merged)
        parts = ingredients_of(query, ranked, {}, self._rules)
        page = plain_page(parts, self._rules)
        return Assembled(parts, page, merged, ranked, describe(query, page, merged, ranked))


def query_of(state: ServingState, request: PageRequest, member: Member) -> Query:
    """Return the query of a member's request."""
    visit = Visit(state, request, member)
    visit = replace(visit, member=with_taste(visit))
    return visit.query(eligible_titles(visit))


def _no_features(asked: _Asked) -> Member:
    return fallbacks.no_features(asked.state, asked.request)


def _stage(generator: CandidateGenerator, settings: GeneratorSettings) -> Stage[Query, Sequence[Candidates]]:
    def propose(query: Query) -> Sequence[Candidates]:
        return generator.propose(query, settings.limit)

    def asked(query: Query) -> bool:
        return settings.enabled and (query.member.personal or not generator.personal)

    return Stage(generator.name, propose, fallbacks.no_candidates, generator.budget_ms, asked)


def _merge(query: Query, answers: Mapping[str, Sequence[Candidates]]) -> Merged:
    proposals = [(name, answer.rows) for name, found in answers.items() for answer in found]
    if not any(len(rows) for name, rows in proposals if name != mix.CONTINUE_WATCHING):
        proposals.append(fallbacks.popular_answer(query))
    return merge(proposals, len(query.catalogue), query.models.hit_rates)


def _is_ranked(retrieved: _Retrieved) -> bool:
    return retrieved.query.member.personal and len(retrieved.merged.rows) > 0


def _matrix(retrieved: _Retrieved) -> NDArray[np.float32] | None:
    query, rows, vector = retrieved.query, retrieved.merged.rows, retrieved.query.member.tower_vector
    scores = None if vector is None else query.models.tower_vectors[rows] @ vector
    return candidate_features(query.member, query.catalogue, rows, query.now_us, query.request.device, scores)


def _rank(asked: _RankerInput) -> Ranked:
    """Order by the model; without its input by retrieval, and by popularity for a member without taste."""
    query, merged = asked.retrieved.query, asked.retrieved.merged
    if asked.matrix is not None:
        return by_ranker(merged, query.models.ranker.score(asked.matrix))
    return by_retrieval(merged) if query.member.personal else by_popularity(query, merged)


def _keep_order(asked: _RankerInput) -> Ranked:
    return by_retrieval(asked.retrieved.merged)
