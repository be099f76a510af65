"""How well members are served whom no model has seen, watch by watch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms import candidate_mix as mix
from feature_repo.transforms.picks import taste_history
from feature_repo.transforms.towers import context_inputs
from feature_repo.transforms.vector_solver import VectorSolver
from training.cold_start.held_out import HeldOut
from training.cold_start.newcomer_ranking import NewcomerRanking, NewcomerVisits
from training.cold_start.values import PerMember, TruePlays, metric_rows, values_of
from training.evaluation.results import MetricRow
from training.evaluation.top_k import top_k
from training.interactions import rows_of
from training.judging import TruePlayProbability
from training.popularity import EVERYWHERE, SegmentScores
from training.retrieval import Retrieval
from training.training_data import TrainingData

STAGES: Final = (0, 1, 3, 10)
"""Watches after which a new member's list is made."""
PICKS: Final = 3
MIX: Final = "mix"
MIX_AND_RANKER: Final = "mix_ranker"
_LIST: Final = 20


def gain(model: str) -> str:
    """Return the name of a model's value less popularity's, member by member."""
    return f"{model} - {mix.POPULARITY}"


def new_members(
    data: TrainingData,
    held: HeldOut,
    retrieval: Retrieval,
    popularity: SegmentScores,
    hit_rates: mix.HitRates,
    ranking: NewcomerRanking,
    seed: int,
    truth: TruePlayProbability | None = None,
) -> list[MetricRow]:
    """Return recall@20 and NDCG@10 of popularity, of the mix and of mix and ranker at each stage, and gains.

    What is to be found is the same at all stages: titles watched to half or further after the tenth, less the
    picks. The first ten titles and the picks are never listed. Picks are titles that the member will watch to
    the end, as a sign-up dialogue would find out. With ``truth`` there is TRUE_PLAYS@10 as well: the mean
    probability that the member plays a title of the first ten. No rows where no held-out member has enough to
    pick from and to be found.
    """
    rng = np.random.default_rng(seed)
    solver = _Solver(retrieval, hit_rates)
    stages = {stage: _Stage() for stage in (*(f"{n} watches" for n in STAGES), f"{PICKS} picks")}
    charts, wanted, asked = [], [], []
    for member in _members_in_order(data, held):
        later, fractions = member.titles[10:], member.fractions[10:]
        picks = rng.permutation(later[fractions >= s.COMPLETION_FRACTION])[:PICKS]
        relevant = np.setdiff1d(later[fractions >= 0.5], picks)
        if len(relevant) == 0 or len(picks) < PICKS:
            continue
        eligible = data.catalogue.available_at(data.windows.test_start) & ~held.titles
        eligible[np.concatenate([member.titles[:10], picks])] = False
        asked.append(member.user_id)
        wanted.append(np.isin(np.arange(len(eligible)), relevant))
        chart = _chart(popularity, member)
        charts.append(top_k(np.where(eligible, chart, -np.inf)[None].astype(np.float32), _LIST)[0])
        for n in STAGES:
            stages[f"{n} watches"].add(member, n, solver.find(member, n, picks[:0], chart, eligible))
        stages[f"{PICKS} picks"].add(member, 0, solver.find(member, 0, picks, chart, eligible))
    if not asked:
        return []
    plays = TruePlays(truth, data, np.array(asked)) if truth is not None else None
    by_popularity = values_of(np.array(charts), np.array(wanted), plays)
    rows = metric_rows(mix.POPULARITY, "new_members: any stage", by_popularity, seed)
    for stage, found in stages.items():
        for model, lists in found.lists(ranking).items():
            values = values_of(lists, np.array(wanted), plays)
            rows += metric_rows(model, f"new_members: {stage}", values, seed)
            rows += metric_rows(gain(model), f"new_members: {stage}", _less(values, by_popularity), seed)
    return rows


def _less(values: PerMember, others: PerMember) -> PerMember:
    return {key: value - others[key] for key, value in values.items()}


@dataclass(frozen=True)
class _Member:
    """A member's distinct titles in the order of watching, how far each was watched, and who they are.

    ``starts`` (µs) and ``devices`` are those of each title's first event.
    """

    titles: NDArray[np.int64]
    fractions: NDArray[np.float32]
    starts: NDArray[np.int64]
    devices: NDArray[np.str_]
    user_id: str
    country: str
    language: str


def _members_in_order(data: TrainingData, held: HeldOut) -> Iterator[_Member]:
    events = data.events
    titles = rows_of(events.title_ids, data.catalogue.title_ids)
    users = rows_of(events.user_ids, data.members.user_ids)
    fractions = np.nan_to_num(events.watch_fractions)
    for user in np.flatnonzero(held.members):
        rows = np.flatnonzero(users == user)
        distinct, first = np.unique(titles[rows], return_index=True)
        furthest = np.zeros(len(data.catalogue.title_ids), dtype=np.float32)
        np.maximum.at(furthest, titles[rows], fractions[rows])
        first = np.sort(first[~held.titles[distinct]])
        order = titles[rows[first]]
        if len(order) > 15:
            yield _Member(
                order, furthest[order], events.timestamps[rows[first]], events.device_types[rows[first]],
                str(data.members.user_ids[user]), str(data.members.countries[user]),
                str(data.members.languages[user]),
            )  # fmt: skip


def _chart(popularity: SegmentScores, member: _Member) -> NDArray[np.float32]:
    rows = {name: row for row, name in enumerate(popularity.segments.tolist())}
    fitting = [name for name in mix.segments_of(member.country, member.language) if name in rows]
    chart: NDArray[np.float32] = popularity.scores[rows[fitting[0] if fitting else EVERYWHERE]]
    return chart


@dataclass(frozen=True, slots=True)
class _Found:
    """A member's candidates, best first, with their vectors; None where nothing is known of their taste."""

    rows: NDArray[np.intp]
    als_vector: NDArray[np.float32] | None
    tower_vector: NDArray[np.float32] | None


class _Solver:
    """Makes the mix of ALS, the towers and popularity, as serving would for somebody who is in no model."""

    def __init__(self, retrieval: Retrieval, hit_rates: mix.HitRates) -> None:
        self._retrieval, self._hit_rates = retrieval, hit_rates
        factors = retrieval.factors
        self._solver = VectorSolver.of(factors.title_factors, factors.user_factors, factors.confidence)
        self._trained = factors.title_factors.any(axis=1)

    def find(
        self,
        member: _Member,
        watches: int,
        picked: NDArray[np.int64],
        chart: NDArray[np.float32],
        eligible: NDArray[np.bool_],
    ) -> _Found:
        """Return the candidates after the first ``watches`` and with ``picked`` titles."""
        retrieval, tower_vector = self._retrieval, None
        taste = taste_history(member.titles[:watches], member.fractions[:watches], picked, 1.0)
        orders = {mix.POPULARITY: chart}
        als_vector = self._solver.solved(None, taste, picks_count=len(picked) > 0)
        if als_vector is not None:
            orders[mix.ALS] = retrieval.factors.title_factors @ als_vector
            context = context_inputs(member.starts[:1].astype(np.float64), np.array([""]))
            rows, weights = taste.rows[None, :].astype(np.int32), taste.history_weights[None, :]
            tower_vector = retrieval.tower.user_vectors(rows, weights, context)[0]
            orders[mix.TWO_TOWER] = retrieval.title_vectors @ tower_vector
        allowed = np.flatnonzero(eligible & self._trained)
        answers = [
            (name, allowed[np.argsort(-scores[allowed], kind="stable")[: mix.LIMITS[name]]])
            for name, scores in orders.items()
        ]
        return _Found(mix.merge(answers, len(chart), self._hit_rates).rows, als_vector, tower_vector)


@dataclass(slots=True)
class _Stage:
    """All members after so many watches; their next watch is the visit that the ranker is asked for."""

    members: list[_Member] = field(default_factory=list)
    watches: list[int] = field(default_factory=list)
    found: list[_Found] = field(default_factory=list)

    def add(self, member: _Member, watches: int, found: _Found) -> None:
        """Add what was found for a member."""
        self.members.append(member)
        self.watches.append(watches)
        self.found.append(found)

    def lists(self, ranking: NewcomerRanking) -> dict[str, NDArray[np.int64]]:
        """Return model to lists (n, 20), -1 for an empty place.

        The ranker is not asked for members of whose taste nothing is known: they get the mix.
        """
        merged = [found.rows for found in self.found]
        known = [found for found in self.found if found.als_vector is not None]
        ordered = merged
        if len(known) == len(self.found) > 0:
            ordered = ranking.order(self._visits(known), merged)
        return {MIX: _padded(merged), MIX_AND_RANKER: _padded(ordered)}

    def _visits(self, known: list[_Found]) -> NewcomerVisits:
        return NewcomerVisits(
            np.array([member.user_id for member in self.members]),
            np.array([m.starts[n] - 1 for m, n in zip(self.members, self.watches, strict=True)]),
            np.array([m.devices[n] for m, n in zip(self.members, self.watches, strict=True)]),
            np.array([found.als_vector for found in known]),
            np.array([found.tower_vector for found in known]),
        )


def _padded(lists: list[NDArray[np.intp]]) -> NDArray[np.int64]:
    padded = np.full((len(lists), _LIST), -1, dtype=np.int64)
    for row, found in enumerate(lists):
        padded[row, : len(found[:_LIST])] = found[:_LIST]
    return padded
