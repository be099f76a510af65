"""What fresh member vectors give over older ones: the test days replayed event by event.

Every time a member begins a title that they will like, the lists of that very instant are made: with vectors
that know everything before it, and with vectors as of the last full hour, of the last six hours, and of the
start of the test days. The titles on offer are the same in all of them: the watched filter is always fresh.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.progress import Progress
from feature_repo.transforms import candidate_mix as mix
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.decay import MICROSECONDS_PER_HOUR
from feature_repo.transforms.fold_in import fold_in, gram_matrix, updated_vector
from feature_repo.transforms.towers import context_inputs, history_weights
from training.config import TrainingConfig
from training.evaluation.results import MetricRow, with_interval
from training.generating import charts_as_of
from training.interactions import rows_of
from training.retrieval import Retrieval, retrieval_as_of
from training.training_data import TrainingData

FRESH: Final = "fresh"
OLDER: Final[dict[str, int]] = {"1 hour": 1, "6 hours": 6}
"""Age to the hours between two refreshes of the vectors, on the clock."""
TRAINED: Final = "as trained"
UPDATED: Final = "6 hours, updated"
LATEST: Final = "latest titles"
"""Solved from the RECENT_TITLES latest titles alone."""
REFERENCE: Final = "6 hours"
SEGMENTS: Final = ("all", "watched since")
"""``watched since``: instants whose member had watched something since the vectors of 6-hour age."""
_SAMPLES: Final = 500


@dataclass(frozen=True, slots=True)
class History:
    """A member's events in order: title rows, instants (µs), and the fraction that each reports (0 to 1)."""

    titles: NDArray[np.int64]
    instants: NDArray[np.int64]
    fractions: NDArray[np.float32]

    def before(self, instant: int) -> History:
        """Return what happened before an instant."""
        end = int(np.searchsorted(self.instants, instant))
        return History(self.titles[:end], self.instants[:end], self.fractions[:end])

    def watched(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return distinct titles, latest first, with the highest fraction reached."""
        latest = self.titles[::-1]
        _, first, of = np.unique(latest, return_index=True, return_inverse=True)
        highest = np.zeros(len(first), dtype=np.float32)
        np.maximum.at(highest, of, self.fractions[::-1])
        order = np.argsort(first)
        return latest[np.sort(first)], highest[order]


@dataclass(frozen=True, slots=True)
class Instant:
    """A member begins a title, row ``title``, which they go on to like."""

    at: int
    title: int


@dataclass(frozen=True, slots=True, eq=False)
class _Replay:
    retrieval: Retrieval
    gram: NDArray[np.float32]
    available: NDArray[np.bool_]
    popularity: NDArray[np.float32]
    hit_rates: mix.HitRates
    start: int


Ranks = dict[tuple[str, str], int]
"""(model, age of the vectors) to the place of the title that was begun, from 0."""


def measure_freshness(
    data: TrainingData,
    config: TrainingConfig,
    hit_rates: mix.HitRates,
    *,
    members: int = 300,
    instants: int = 20,
    progress: Progress | None = None,
) -> list[MetricRow]:
    """Train up to the test window and replay it; return recall@20, NDCG@10 and MRR and their differences.

    At most ``members`` members and ``instants`` of each are drawn with the configuration's seed; a member's
    value is the mean over their instants. Differences, ``<age> - 6 hours``, are member by member.
    """
    retrieval = retrieval_as_of(data, data.windows.test_start, config, progress=progress)
    popularity, _ = charts_as_of(data, data.windows.test_start)
    replay = _Replay(
        retrieval, gram_matrix(retrieval.factors.title_factors),
        data.catalogue.available_at(data.windows.test_start), popularity.scores[0], hit_rates,
        epoch_microseconds(data.windows.test_start),
    )  # fmt: skip
    rng = np.random.default_rng(config.seed)
    values: dict[tuple[str, str, str], list[NDArray[np.float64]]] = {}
    drawn = list(_drawn(data, config, members, instants, rng))
    for done, (history, begun) in enumerate(drawn):
        ranks = [(_watched_since(history, one.at), ranks_at(replay, history, one)) for one in begun]
        for segment in SEGMENTS:
            counted = [found for since, found in ranks if segment == "all" or since]
            for model, age in counted[0] if counted else ():
                places = np.array([found[model, age] for found in counted])
                values.setdefault((segment, model, age), []).append(_metrics(places))
        if progress is not None:
            progress("replay", done + 1, len(drawn))
    return _rows(values, config.seed)


def ranks_at(replay: _Replay, history: History, begun: Instant) -> Ranks:
    """Return where each model and age of vectors puts the title that the member is about to begin."""
    known = history.before(begun.at)
    offered = replay.available.copy()
    offered[known.titles] = False
    offered[begun.title] = True
    factors, weights = replay.retrieval.factors, {}
    for age, before in ages(begun.at, replay.start).items():
        weights[mix.ALS, age] = factors.title_factors @ _als(replay, history.before(before))
        weights[mix.TWO_TOWER, age] = _tower_scores(replay, history.before(before), begun.at)
    older = history.before(ages(begun.at, replay.start)[REFERENCE])
    weights[mix.ALS, UPDATED] = factors.title_factors @ _updated(replay, older, known)
    weights[mix.ALS, LATEST] = factors.title_factors @ _als(replay, known, s.RECENT_TITLES)
    ranks = {name: _place(scores, offered, begun.title) for name, scores in weights.items()}
    for age in (FRESH, REFERENCE, UPDATED):
        tower = FRESH if age == UPDATED else age
        orders = (weights[mix.ALS, age], weights[mix.TWO_TOWER, tower], replay.popularity)
        ranks["mix", age] = _mixed_place(replay, orders, offered, begun.title)
    return ranks


def ages(at: int, start: int) -> dict[str, int]:
    """Return up to which instant (µs) the vectors of each age know a member, for a page at ``at``."""
    older = {
        age: max(start, at // (hours * MICROSECONDS_PER_HOUR) * (hours * MICROSECONDS_PER_HOUR))
        for age, hours in OLDER.items()
    }
    return {FRESH: at, **older, TRAINED: start}


def _als(replay: _Replay, known: History, most: int | None = None) -> NDArray[np.float32]:
    factors = replay.retrieval.factors
    assert factors.confidence is not None
    rows, fractions = known.watched()
    return fold_in(rows[:most], fractions[:most], factors.title_factors, replay.gram, factors.confidence)


def _updated(replay: _Replay, older: History, known: History) -> NDArray[np.float32]:
    factors = replay.retrieval.factors
    assert factors.confidence is not None
    before, _ = older.watched()
    rows, fractions = known.watched()
    new = ~np.isin(rows, before)
    return updated_vector(
        _als(replay, older), before, rows[new], fractions[new], factors.title_factors, replay.gram,
        factors.confidence,
    )  # fmt: skip


def _tower_scores(replay: _Replay, known: History, at: int) -> NDArray[np.float32]:
    rows, fractions = known.watched()
    rows, fractions = rows[: s.RECENT_TITLES], fractions[: s.RECENT_TITLES]
    vector = replay.retrieval.tower.user_vectors(
        rows[None, :].astype(np.int32), history_weights(fractions)[None, :],
        context_inputs(np.array([float(at)]), np.array([""])),
    )[0]  # fmt: skip
    scores: NDArray[np.float32] = replay.retrieval.title_vectors @ vector
    return scores


def _place(scores: NDArray[np.float32], offered: NDArray[np.bool_], title: int) -> int:
    """Return how many of the titles on offer are scored above this one; among equals the first rows win."""
    above = scores > scores[title]
    above[:title] |= scores[:title] == scores[title]
    return int(np.count_nonzero(above & offered))


def _mixed_place(
    replay: _Replay, orders: tuple[NDArray[np.float32], ...], offered: NDArray[np.bool_], title: int
) -> int:
    allowed = np.flatnonzero(offered)
    answers = [
        (name, allowed[np.argsort(-scores[allowed], kind="stable")[: mix.LIMITS[name]]])
        for name, scores in zip((mix.ALS, mix.TWO_TOWER, mix.POPULARITY), orders, strict=True)
    ]
    found = np.flatnonzero(mix.merge(answers, len(offered), replay.hit_rates).rows == title)
    return int(found[0]) if len(found) else len(offered)


def _watched_since(history: History, at: int) -> bool:
    boundary = ages(at, 0)[REFERENCE]
    return bool(((history.instants >= boundary) & (history.instants < at)).any())


def _drawn(
    data: TrainingData, config: TrainingConfig, members: int, instants: int, rng: np.random.Generator
) -> Iterator[tuple[History, list[Instant]]]:
    """Yield members who begin titles they like in the test window, with some of those instants."""
    events = data.events
    titles = rows_of(events.title_ids, data.catalogue.title_ids)
    users = rows_of(events.user_ids, data.members.user_ids)
    order = np.argsort(users, kind="stable")
    edges = np.searchsorted(users[order], np.arange(len(data.members.user_ids) + 1))
    found = 0
    for user in rng.permutation(len(edges) - 1):
        rows = order[edges[user] : edges[user + 1]]
        fractions = np.nan_to_num(events.watch_fractions[rows]).astype(np.float32)
        history = History(titles[rows], events.timestamps[rows], fractions)
        begun = _begun(history, epoch_microseconds(data.windows.test_start), config.relevance_fraction)
        if begun and len(history.before(begun[0].at).titles):
            yield history, [begun[i] for i in np.sort(rng.permutation(len(begun))[:instants])]
            found += 1
        if found == members:
            return


def _begun(history: History, start: int, fraction: float) -> list[Instant]:
    """Return the titles first watched from ``start`` on and at some time to ``fraction`` or further."""
    rows, first = np.unique(history.titles, return_index=True)
    highest = np.zeros(len(rows), dtype=np.float32)
    np.maximum.at(highest, np.searchsorted(rows, history.titles), history.fractions)
    at = history.instants[first]
    liked = np.flatnonzero((at >= start) & (highest >= fraction))
    return [Instant(int(at[i]), int(rows[i])) for i in liked[np.argsort(at[liked], kind="stable")]]


def _metrics(places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a member's mean recall@20, NDCG@10 and reciprocal rank of one title each."""
    gain = np.where(places < 10, 1 / np.log2(places + 2.0), 0.0)
    return np.array([np.mean(places < 20), np.mean(gain), np.mean(1 / (places + 1.0))])


def _rows(values: dict[tuple[str, str, str], list[NDArray[np.float64]]], seed: int) -> list[MetricRow]:
    rows: list[MetricRow] = []
    for (segment, model, age), of_members in values.items():
        compared = [(f"{model}: {age}", np.array(of_members))]
        if age != REFERENCE:
            difference = np.array(of_members) - np.array(values[segment, model, REFERENCE])
            compared.append((f"{model}: {age} - {REFERENCE}", difference))
        for name, found in compared:
            for column, (metric, k) in enumerate((("recall", 20), ("ndcg", 10), ("mrr", None))):
                value = found[:, column]
                row = MetricRow(name, segment, metric, k, float(value.mean()), len(value))
                rows.append(with_interval(row, value, _SAMPLES, seed))
    return rows
