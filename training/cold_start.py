"""How quickly new members and new titles are served well: measured on some that no model has seen.

Held-out members and titles are taken out of the training altogether. A held-out member's list is then made
after no watch, after three picks, and after the first, third and tenth watch; a held-out title is looked for
by its content alone, and after its first viewers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.progress import Progress
from feature_repo.transforms import candidate_mix as mix
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.fold_in import gram_matrix
from feature_repo.transforms.member_prior import MemberPrior, member_vector
from feature_repo.transforms.picks import taste_history
from feature_repo.transforms.towers import context_inputs, history_weights
from training.config import TrainingConfig
from training.content_map import map_content
from training.evaluation import metrics
from training.evaluation.results import MetricRow, with_interval
from training.evaluation.top_k import top_k
from training.generating import charts_as_of
from training.interactions import InteractionMatrix, rows_of
from training.judging import TruePlayProbability
from training.new_titles import solve_title_vectors
from training.popularity import EVERYWHERE, SegmentScores
from training.retrieval import Retrieval, retrieval_as_of
from training.training_data import TrainingData, interactions_as_of
from training.two_tower_examples import member_histories

STAGES: Final = (0, 1, 3, 10)
"""Watches after which a new member's list is made."""
PICKS: Final = 3
FIRST_VIEWERS: Final = (5, 20)
TITLE_K: Final = 100
MIX: Final = "mix"
GAIN: Final = "mix - popularity"
"""The mix's value less popularity's, member by member."""
TRUE_PLAYS: Final = "true_plays"
_SAMPLES: Final = 200


@dataclass(frozen=True)
class HeldOut:
    """Members and titles that the training must not see, as truth values over ``data``'s."""

    members: NDArray[np.bool_]
    titles: NDArray[np.bool_]

    @classmethod
    def draw(cls, data: TrainingData, whole: InteractionMatrix, share: float, seed: int) -> HeldOut:
        """Draw ``share`` of the members with over 15 titles, and of the titles with 20 viewers or more."""
        rng = np.random.default_rng(seed)
        members = (whole.user_titles > 15) & (rng.random(len(data.members.user_ids)) < share)
        titles = (whole.title_viewers >= 20) & (rng.random(len(data.catalogue.title_ids)) < share)
        return cls(members, titles)


def measure_cold_start(
    data: TrainingData,
    config: TrainingConfig,
    hit_rates: mix.HitRates,
    share: float = 0.1,
    progress: Progress | None = None,
    truth: TruePlayProbability | None = None,
) -> list[MetricRow]:
    """Train without the held-out members and titles up to the test window; measure both.

    Rows have the segments ``new_members: <stage>`` and ``new_titles: <how>``. ``hit_rates`` are those of a
    training, which weigh the generators of the mix; ``progress`` follows the towers' training; ``truth`` also
    judges new members' lists by how probable it truly is that they play what is on them.
    """
    whole = interactions_as_of(data, data.windows.end)
    held = HeldOut.draw(data, whole, share, config.seed)
    events = data.events
    unseen = held.members[rows_of(events.user_ids, data.members.user_ids)]
    unseen |= held.titles[rows_of(events.title_ids, data.catalogue.title_ids)]
    rest = replace(data, events=events.take(~unseen))
    retrieval = retrieval_as_of(rest, data.windows.test_start, config, progress=progress)
    popularity, _ = charts_as_of(rest, data.windows.test_start)
    return [
        *new_members(data, held, retrieval, popularity, hit_rates, config.seed, truth),
        *new_titles(data, held, whole, retrieval, config.seed),
    ]


def new_members(
    data: TrainingData,
    held: HeldOut,
    retrieval: Retrieval,
    popularity: SegmentScores,
    hit_rates: mix.HitRates,
    seed: int,
    truth: TruePlayProbability | None = None,
) -> list[MetricRow]:
    """Return recall@20 and NDCG@10 of popularity, of the personal mix at each stage, and their difference.

    What is to be found is the same at all stages: titles watched to half or further after the tenth, less the
    picks. The first ten titles and the picks are never ranked. Picks are titles that the member will watch to
    the end, as a sign-up dialogue would find out. With ``truth`` there is TRUE_PLAYS@10 as well: the mean
    probability that the member plays a title of the first ten.
    """
    rng = np.random.default_rng(seed)
    gram = gram_matrix(retrieval.factors.title_factors)
    prior = MemberPrior.of(retrieval.factors.user_factors)
    lists: dict[str, list[NDArray[np.int64]]] = {}
    wanted, asked = [], []
    for member in _members_in_order(data, held):
        later, fractions = member.titles[10:], member.fractions[10:]
        liked = later[fractions >= s.COMPLETION_FRACTION]
        picks = rng.permutation(liked)[:PICKS]
        relevant = np.setdiff1d(later[fractions >= 0.5], picks)
        if len(relevant) == 0 or len(picks) < PICKS:
            continue
        eligible = data.catalogue.available_at(data.windows.test_start) & ~held.titles
        eligible[np.concatenate([member.titles[:10], picks])] = False
        asked.append(member.user_id)
        wanted.append(np.isin(np.arange(len(eligible)), relevant))
        stages = {f"{n} watches": (member.first(n), member.titles[:0]) for n in STAGES}
        stages[f"{PICKS} picks"] = (member.first(0), picks)
        chart = _chart(popularity, member)
        for stage, (watched, picked) in stages.items():
            found = _personal(retrieval, member, watched, picked, chart, eligible, hit_rates, gram, prior)
            lists.setdefault(f"{MIX}|{stage}", []).append(found)
        best = top_k(np.where(eligible, chart, -np.inf)[None].astype(np.float32), 20)[0]
        lists.setdefault(f"{mix.POPULARITY}|any stage", []).append(best)
    relevant_rows = np.array(wanted)
    rows: list[MetricRow] = []
    plays = _TruePlays(truth, data, np.array(asked)) if truth is not None else None
    by_popularity = _values(np.array(lists[f"{mix.POPULARITY}|any stage"]), relevant_rows, plays)
    for name, ranked in lists.items():
        model, stage = name.split("|")
        values = _values(np.array(ranked), relevant_rows, plays)
        rows += _rows(model, f"new_members: {stage}", values, seed)
        if model == MIX:
            gain = {key: value - by_popularity[key] for key, value in values.items()}
            rows += _rows(GAIN, f"new_members: {stage}", gain, seed)
    return rows


def new_titles(
    data: TrainingData, held: HeldOut, whole: InteractionMatrix, retrieval: Retrieval, seed: int
) -> list[MetricRow]:
    """Return recall@100 of held-out titles among everything their viewers had not seen.

    By the towers, by the content's stand-in for ALS factors, by factors solved from the first viewers, and
    for a random order.
    """
    seen = retrieval.matrix
    users = np.flatnonzero((seen.user_titles > 0) & ~held.members)
    users = np.random.default_rng(seed).permutation(users)[:2_000]
    relevant = (whole.positives(0.5)[users].toarray() > 0) & held.titles
    users, relevant = users[relevant.any(axis=1)], relevant[relevant.any(axis=1)]
    eligible = np.tile(data.catalogue.available_at(data.windows.end), (len(users), 1))
    eligible &= ~(seen.fractions[users].toarray() > 0)
    factors = retrieval.factors
    stand_in = np.where(
        factors.title_factors.any(axis=1, keepdims=True), factors.title_factors,
        map_content(retrieval.title_vectors, retrieval.content_to_als),
    )  # fmt: skip
    scores = {
        "two_tower": _tower_vectors(data, held, retrieval, users) @ retrieval.title_vectors.T,
        "als": factors.user_factors[users] @ stand_in.T,
        "random": np.random.default_rng(seed).random(relevant.shape),
        "popularity": np.tile(seen.title_viewers.astype(np.float32), (len(users), 1)),
    }
    rows: list[MetricRow] = []
    for name, values in scores.items():
        rows.append(_title_row(name, "content only", values, eligible, relevant, seed))
    for viewers in FIRST_VIEWERS:
        first = _first_viewers(data, held, whole, viewers)
        solved = stand_in.copy()
        titles = np.flatnonzero(held.titles)
        assert factors.confidence is not None
        solved[titles] = solve_title_vectors(first, titles, factors.user_factors, factors.confidence)
        later = relevant & ~(first.fractions[users].toarray() > 0)
        values = factors.user_factors[users] @ solved.T
        rows.append(_title_row("als", f"{viewers} viewers", values, eligible, later, seed))
    return rows


@dataclass(frozen=True)
class _Member:
    """A member's distinct titles in the order of watching, how far each was watched, and who they are."""

    titles: NDArray[np.int64]
    fractions: NDArray[np.float32]
    user_id: str
    country: str
    language: str
    now_us: float

    def first(self, n: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        return self.titles[:n], self.fractions[:n]


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
        order = distinct[np.argsort(first)]
        order = order[~held.titles[order]]
        if len(order) > 15:
            yield _Member(
                order, furthest[order], str(data.members.user_ids[user]), str(data.members.countries[user]),
                str(data.members.languages[user]), float(events.timestamps[rows[0]]),
            )  # fmt: skip


def _chart(popularity: SegmentScores, member: _Member) -> NDArray[np.float32]:
    rows = {name: row for row, name in enumerate(popularity.segments.tolist())}
    fitting = [name for name in mix.segments_of(member.country, member.language) if name in rows]
    chart: NDArray[np.float32] = popularity.scores[rows[fitting[0] if fitting else EVERYWHERE]]
    return chart


def _personal(
    retrieval: Retrieval,
    member: _Member,
    watched: tuple[NDArray[np.int64], NDArray[np.float32]],
    picked: NDArray[np.int64],
    chart: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    hit_rates: mix.HitRates,
    gram: NDArray[np.float32],
    prior: MemberPrior,
) -> NDArray[np.int64]:
    """Return the first 20 of the mix of ALS, the towers and popularity, as serving would fold them in."""
    factors, confidence = retrieval.factors, retrieval.factors.confidence
    rows, fractions = taste_history(*watched, picked, 1.0)
    orders = {mix.POPULARITY: chart}
    if len(rows) and confidence is not None:
        vector = member_vector(rows, fractions, factors.title_factors, gram, confidence, prior)
        orders[mix.ALS] = factors.title_factors @ vector
        context = context_inputs(np.array([member.now_us]), np.array([""]))
        mask = history_weights(fractions)[None, :]
        towers = retrieval.tower.user_vectors(rows[None, :].astype(np.int32), mask, context)[0]
        orders[mix.TWO_TOWER] = retrieval.title_vectors @ towers
    trained = retrieval.factors.title_factors.any(axis=1)
    answers = []
    for name, scores in orders.items():
        allowed = np.flatnonzero(eligible & trained)
        answers.append((name, allowed[np.argsort(-scores[allowed], kind="stable")[: mix.LIMITS[name]]]))
    found = np.full(20, -1, dtype=np.int64)
    best = mix.merge(answers, len(chart), hit_rates).rows[:20]
    found[: len(best)] = best
    return found


def _tower_vectors(
    data: TrainingData, held: HeldOut, retrieval: Retrieval, users: NDArray[np.int64]
) -> NDArray[np.float32]:
    now = epoch_microseconds(data.windows.test_start)
    instants = np.full(len(users), now)
    history, mask = member_histories(
        data.gateway, data.members.user_ids[users], instants, retrieval.tower.title_ids
    )
    mask = np.where(held.titles[history], np.float32(0), mask)
    context = context_inputs(instants.astype(np.float64), np.full(len(users), ""))
    return retrieval.tower.user_vectors(history, mask, context)


def _first_viewers(
    data: TrainingData, held: HeldOut, whole: InteractionMatrix, viewers: int
) -> InteractionMatrix:
    """Return the interactions of each held-out title's first viewers, members held out aside."""
    events = data.events
    titles = rows_of(events.title_ids, whole.title_ids)
    users = rows_of(events.user_ids, whole.user_ids)
    rows = np.flatnonzero(held.titles[titles] & ~held.members[users])
    _, first = np.unique(np.stack([titles[rows], users[rows]]), axis=1, return_index=True)
    rows = rows[np.sort(first)]
    rank = np.zeros(len(rows), dtype=np.int64)
    order = np.argsort(titles[rows], kind="stable")
    starts = np.r_[0, np.flatnonzero(np.diff(titles[rows][order])) + 1]
    rank[order] = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
    kept = rows[rank < viewers]
    fractions = np.asarray(whole.fractions[users[kept], titles[kept]]).ravel()
    return InteractionMatrix.build(
        events.user_ids[kept], events.title_ids[kept], fractions, whole.title_ids, whole.user_ids
    )


PerMember = dict[tuple[str, int], NDArray[np.float64]]
"""(metric, k) to one value for each member."""


@dataclass(frozen=True, slots=True)
class _TruePlays:
    """How probable it is that ``user_ids`` (n,) play what is on their lists, as the test window begins."""

    truth: TruePlayProbability
    data: TrainingData
    user_ids: NDArray[np.str_]

    def of(self, ranked: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return each member's mean over their list (n, k); an empty place is never played."""
        when = np.array([float(epoch_microseconds(self.data.windows.test_start))])
        titles = self.data.catalogue.title_ids[np.maximum(ranked, 0)]
        probability = self.truth(self.user_ids[:, None], titles, when, np.array([""]))
        means: NDArray[np.float64] = np.where(ranked >= 0, probability, 0.0).mean(axis=1)
        return means


def _values(
    ranked: NDArray[np.int64], relevant: NDArray[np.bool_], plays: _TruePlays | None = None
) -> PerMember:
    hit, count = metrics.hits(ranked, relevant), relevant.sum(axis=1)
    values = {("recall", 20): metrics.recall(hit, count), ("ndcg", 10): metrics.ndcg(hit[:, :10], count)}
    if plays is not None:
        values[TRUE_PLAYS, 10] = plays.of(ranked[:, :10])
    return values


def _rows(model: str, segment: str, values: PerMember, seed: int) -> list[MetricRow]:
    return [
        with_interval(
            MetricRow(model, segment, metric, k, float(value.mean()), len(value)), value, _SAMPLES, seed
        )
        for (metric, k), value in values.items()
    ]


def _title_row(
    model: str,
    how: str,
    scores: NDArray[np.floating],
    eligible: NDArray[np.bool_],
    relevant: NDArray[np.bool_],
    seed: int,
) -> MetricRow:
    ranked = top_k(np.where(eligible, scores, -np.inf).astype(np.float32), TITLE_K)
    value = metrics.recall(metrics.hits(ranked, relevant), relevant.sum(axis=1))
    value = value[~np.isnan(value)]
    row = MetricRow(model, f"new_titles: {how}", "recall", TITLE_K, float(value.mean()), len(value))
    return with_interval(row, value, _SAMPLES, seed)
