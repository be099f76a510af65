"""A homepage, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from feature_repo.deletion.tombstones import DeletedMembers
from feature_repo.page.assembly import Page, assemble, plain_page
from feature_repo.page.exploration import draws_of
from feature_repo.page.rules import PageRules
from feature_repo.page.shelf import Ingredients
from feature_repo.transforms import candidate_mix as mix
from feature_repo.transforms.candidate_mix import Merged, merge
from feature_repo.transforms.encoding import Arrays
from serving import fallbacks
from serving.api.models import Homepage, Row
from serving.candidates.answer import Candidates
from serving.candidates.query import PageRequest, Query
from serving.eligibility import Allowed, Visit, eligible_titles, surely_eligible_titles
from serving.members import FeatureReader, Member, member_from_features
from serving.page.ingredients import ingredients_of
from serving.page.ranked import Ranked, by_popularity, by_ranker, by_retrieval
from serving.pipeline import Run, Rung, Stage, StageObserver, between_steps
from serving.ranking import candidate_features
from serving.served_experiments import Experiments, PagePlan, ServedExperiments, traits_of
from serving.settings import ServingSettings
from serving.shown_seeds import SeedMemory
from serving.state import ServingState
from serving.steady_reader import SteadyReader
from serving.taste import vector_source, with_taste
from serving.tiles import describe

IdSource = Callable[[], str]


def unique_id() -> str:
    """Return a random UUID."""
    return str(uuid4())


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A request and the state it is answered from, unless an experiment names another."""

    state: ServingState
    request: PageRequest


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """Who asks: as the feature store has them (None: it did not answer), and as the state understands it."""

    asked: _Asked
    stored: Member | None
    understood: Member


@dataclass(frozen=True, slots=True, eq=False)
class _Dealt:
    """Who asks, as the state of their page understands them, and how the page is made."""

    member: Member
    plan: PagePlan


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
    rules: PageRules


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
    plan: PagePlan
    matrix: NDArray[np.float32] | None
    """The ranker's input, a row per candidate in the order of the merge; None where there was none."""

    @property
    def rules(self) -> PageRules:
        """The rules that the page keeps."""
        return self.plan.rules

    @property
    def held_out(self) -> bool:
        """Whether the member sees no experiment at all."""
        return self.plan.assignment.held_out


class PageObserver(StageObserver, Protocol):
    """Where pages report to: the metrics."""

    def vector_used(self, source: str) -> None:
        """A page's member had an ALS vector from there."""


class HomepageMaker:
    """Makes pages. Holds no state of its own: every page is made from the state it is given.

    ``experiments`` says what runs at the moment; without it the ``settings`` hold for everybody.
    ``deleted`` knows who has been deleted; it is asked anew for features that were read, not for those kept.
    """

    def __init__(
        self,
        reader: FeatureReader,
        observer: PageObserver,
        new_id: IdSource = unique_id,
        settings: ServingSettings | None = None,
        memory: SeedMemory | None = None,
        experiments: Experiments | None = None,
        steady: SteadyReader | None = None,
        deleted: DeletedMembers | None = None,
    ) -> None:
        settings = ServingSettings() if settings is None else settings
        nothing_runs = ServedExperiments.none(settings)
        self._limits = settings.limits
        self._observer = observer
        self._new_id = new_id
        self._experiments: Experiments = (lambda: nothing_runs) if experiments is None else experiments
        self._memory, self._deleted = memory, deleted
        read_features = reader.member_features if steady is None else steady.read
        cached = () if steady is None else (Rung("cached", partial(self._remembered, steady.last_known)),)
        read = partial(self._read, read_features)
        self._features = Stage("features", read, _no_features, 1.5, rungs=cached)
        self._arms = Stage("arms", self._deal, self._control, 0.2)
        self._resting: Stage[PageRequest, frozenset[str]] = Stage(
            "shown_seeds", self._resting_seeds, lambda _: frozenset(), 0.3, self._remembers
        )
        self._taste = Stage("taste", with_taste, fallbacks.same_member, 0.5)
        self._eligibility: Stage[Visit, Allowed] = Stage(
            "eligibility", eligible_titles, surely_eligible_titles, 0.2
        )
        self._ranking_features = Stage("ranking_features", _matrix, lambda _: None, 0.5, _is_ranked)
        self._ranker = Stage("ranker", _rank, _keep_order, 3.0)
        self._page = Stage("page", self._assemble, self._plain_page, 1.5)

    def make(self, state: ServingState, request: PageRequest, lean: bool = False) -> MadePage:
        """Make one page, without its costly stages where it must be ``lean``, and tell how it went.

        What was missing is named in ``degraded``. Raises only where even the last resort of a stage fails.
        """
        limits, page_id = self._limits, self._new_id()
        run = Run(self._observer, lean, limits.page_ms, limits.stage_ms)
        visit, plan = self._visit(run, _Asked(state, request))
        allowed = run.through(self._eligibility, visit)
        retrieved = self._retrieve(run, visit.query(allowed), plan)
        matrix = run.through(self._ranking_features, retrieved)
        ranked = run.through(self._ranker, _RankerInput(retrieved, matrix))
        plan = _in_hurry(run, plan)
        made = run.through(self._page, _Judged(retrieved, ranked, page_id, plan.rules))
        homepage = Homepage(
            user_id=request.user_id,
            page_id=page_id,
            generated_at=request.at,
            bundle=plan.state.models.version,
            experiments=plan.assignment.labels,
            ui_variant=plan.variant,
            degraded=run.degraded,
            relaxed=made.page.relaxed,
            rows=made.rows,
        )
        return MadePage(homepage, run, retrieved.query, allowed, retrieved.answers, made, plan, matrix)

    def _visit(self, run: Run, asked: _Asked) -> tuple[Visit, PagePlan]:
        known = run.through(self._features, asked)
        answered = not run.degraded
        dealt = run.through(self._arms, known)
        # The seeds lie in the same store: one that just failed to answer is not waited for a second time.
        seeds: frozenset[str] = run.through(self._resting, asked.request) if answered else frozenset()
        member = replace(dealt.member, resting_seeds=seeds)
        visit = Visit(dealt.plan.state, asked.request, member)
        member = run.through(self._taste, visit)
        self._observer.vector_used(vector_source(visit, member))
        return replace(visit, member=member), dealt.plan

    def _read(self, read: Callable[[str, datetime], Arrays], asked: _Asked) -> _Known:
        return self._known_by(read, asked, lambda deleted, user_id: deleted.is_deleted(user_id))

    def _remembered(self, read: Callable[[str, datetime], Arrays], asked: _Asked) -> _Known:
        """The store is away, and with it the tombstones: those known here must do, without a wait."""
        return self._known_by(read, asked, lambda deleted, user_id: deleted.deleted_at(user_id) is not None)

    def _known_by(
        self,
        read: Callable[[str, datetime], Arrays],
        asked: _Asked,
        is_deleted: Callable[[DeletedMembers, str], bool],
    ) -> _Known:
        request = asked.request
        stored = member_from_features(request.user_id, read(request.user_id, request.at))
        # Only where the bundle's vector may stand in for the stored one can it be one of before a deletion.
        stands_in = stored.model_version not in asked.state.vector_versions
        if stands_in and self._deleted is not None and is_deleted(self._deleted, stored.user_id):
            stored = replace(stored, forgotten=True)
        return _Known(asked, stored, asked.state.understood(stored))

    def _deal(self, known: _Known) -> _Dealt:
        request, champion, stored = known.asked.request, known.asked.state, known.stored
        traits = None if stored is None else traits_of(stored, request.device)
        plan = self._experiments().plan(
            champion, request.user_id, traits, request.device, request.arms, request.own_bundle
        )
        if plan.state is champion:
            return _Dealt(known.understood, plan)
        if stored is None:
            return _Dealt(fallbacks.no_features(plan.state, request), plan)
        return _Dealt(plan.state.understood(stored), plan)

    def _control(self, known: _Known) -> _Dealt:
        return _Dealt(known.understood, self._experiments().everybodys(known.asked.state))

    def _remembers(self, request: PageRequest) -> bool:
        return self._memory is not None and not request.preview

    def _resting_seeds(self, request: PageRequest) -> frozenset[str]:
        return frozenset() if self._memory is None else self._memory.resting(request.user_id)

    def _retrieve(self, run: Run, query: Query, plan: PagePlan) -> _Retrieved:
        answers = {stage.name: run.through(stage, query) for stage in plan.generators}
        merging: Stage[Query, Merged] = Stage(
            "merge", lambda q: _merge(q, answers), fallbacks.popular_candidates, 0.5
        )
        return _Retrieved(query, answers, run.through(merging, query))

    @staticmethod
    def _assemble(judged: _Judged) -> Assembled:
        found, rules = judged.retrieved, judged.rules
        parts = ingredients_of(found.query, judged.ranked, found.answers, rules)
        page = assemble(parts, rules, draws_of(judged.page_id), between_steps)
        rows = describe(found.query, page, found.merged, judged.ranked)
        return Assembled(parts, page, found.merged, judged.ranked, rows)

    @staticmethod
    def _plain_page(judged: _Judged) -> Assembled:
        query = judged.retrieved.query
        merged = fallbacks.popular_candidates(query)
        ranked = by_retrieval(merged)
        parts = ingredients_of(query, ranked, {}, judged.rules)
        page = plain_page(parts, judged.rules)
        return Assembled(parts, page, merged, ranked, describe(query, page, merged, ranked))


def query_of(state: ServingState, request: PageRequest, member: Member) -> Query:
    """Return the query of a member's request."""
    visit = Visit(state, request, member)
    visit = replace(visit, member=with_taste(visit))
    return visit.query(eligible_titles(visit))


def _in_hurry(run: Run, plan: PagePlan) -> PagePlan:
    """Leave variety out of a page in a hurry."""
    why = run.hurry
    if not why or plan.rules.variety == "none":
        return plan
    run.degrade(f"variety:{why}")
    return replace(plan, rules=plan.rules.model_copy(update={"variety": "none"}))


def _no_features(asked: _Asked) -> _Known:
    return _Known(asked, None, fallbacks.no_features(asked.state, asked.request))


def _merge(query: Query, answers: Mapping[str, Sequence[Candidates]]) -> Merged:
    proposals = [(name, answer.rows) for name, found in answers.items() for answer in found]
    if not any(len(rows) for name, rows in proposals if name != mix.CONTINUE_WATCHING):
        proposals.append(fallbacks.popular_answer(query))
    return merge(proposals, len(query.catalogue), query.models.hit_rates)


def _is_ranked(retrieved: _Retrieved) -> bool:
    query = retrieved.query
    return query.models.ranker_decides and query.member.personal and len(retrieved.merged.rows) > 0


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
