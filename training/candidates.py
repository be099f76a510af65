"""The candidate generators over the whole catalogue at once, as evaluation asks them.

Serving answers one member from indexes; here the same lists come from whole score matrices, and are merged
by the same function with the same limits and quotas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.schema import COMPLETION_FRACTION
from feature_repo.transforms import candidate_mix as mix
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY
from feature_repo.transforms.towers import history_weights
from training.content_map import map_content
from training.evaluation.cases import EvaluationSet
from training.popularity import EVERYWHERE, SegmentScores
from training.retrieval import Retrieval

SEEDS: Final = 2
"""Latest completed titles whose neighbours are proposed."""
NEW_FOR_DAYS: Final = 365.0

Answer = tuple[str, NDArray[np.int64]]


@dataclass(frozen=True)
class MemberSide:
    """What the generators know of U members at one instant.

    ``vectors`` float32 (U, 256) are the user tower's; ``history`` int32 (U, 50) and ``mask`` float32 (U, 50)
    are as in :func:`training.two_tower_examples.member_histories`; ``countries`` and ``languages`` are ""
    where unknown.
    """

    vectors: NDArray[np.float32]
    history: NDArray[np.int32]
    mask: NDArray[np.float32]
    countries: NDArray[np.str_]
    languages: NDArray[np.str_]

    @property
    def personal(self) -> NDArray[np.bool_]:
        """Who has watched anything, (U,)."""
        filled: NDArray[np.bool_] = np.asarray(self.mask.any(axis=1))
        return filled


@dataclass(frozen=True)
class Generators:
    """All generators as of one instant; ``cases`` says what may be proposed to whom."""

    cases: EvaluationSet
    retrieval: Retrieval
    members: MemberSide
    popularity: SegmentScores
    trending: SegmentScores
    available_since: NDArray[np.int64]
    now_us: int
    hit_rates: mix.HitRates = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=lambda: mix.LIMITS)

    def answers(self, user: int, eligible: NDArray[np.bool_], only: str | None = None) -> list[Answer]:
        """Return each generator's proposals to a member, rows best first; those without any are left out.

        ``only`` asks a single generator.
        """
        ask: dict[str, Callable[[int, NDArray[np.bool_]], list[Answer]]] = {
            mix.ALS: self._als, mix.TWO_TOWER: self._two_tower, mix.SIMILAR: self._similar,
            mix.TRENDING: self._trending, mix.TRENDING_IN_COUNTRY: self._trending_in_country,
            mix.POPULARITY: self._popular, mix.NEW_TITLES: self._new,
        }  # fmt: skip
        names = ask if only is None else [only]
        return [answer for name in names for answer in ask[name](user, eligible) if len(answer[1])]

    def merged(self, user: int, eligible: NDArray[np.bool_]) -> mix.Merged:
        """Return the candidates of a member."""
        return mix.merge(self.answers(user, eligible), len(eligible), self.hit_rates)

    def similar(self, user: int, eligible: NDArray[np.bool_]) -> list[tuple[int, NDArray[np.int64]]]:
        """Return the titles like each of the member's seeds: (seed, rows best first)."""
        return [(seed, self._like(seed, eligible)[1]) for seed in self._seeds(user)]

    def _als(self, user: int, eligible: NDArray[np.bool_]) -> list[Answer]:
        vector = self.retrieval.factors.user_factors[user]
        if not vector.any():
            return []
        return [self._top(mix.ALS, self._title_factors @ vector, eligible)]

    def _two_tower(self, user: int, eligible: NDArray[np.bool_]) -> list[Answer]:
        if not self.members.personal[user]:
            return []
        scores = self.retrieval.title_vectors @ self.members.vectors[user]
        return [self._top(mix.TWO_TOWER, scores, eligible)]

    def _similar(self, user: int, eligible: NDArray[np.bool_]) -> list[Answer]:
        return [(mix.SIMILAR, rows) for _, rows in self.similar(user, eligible)]

    def _trending(self, _: int, eligible: NDArray[np.bool_]) -> list[Answer]:
        scores = self.trending.scores[0]
        return [self._top(mix.TRENDING, scores, eligible & (scores > 0))]

    def _trending_in_country(self, user: int, eligible: NDArray[np.bool_]) -> list[Answer]:
        country = str(self.members.countries[user])
        if country == EVERYWHERE or country not in self._countries:
            return []
        scores = self.trending.scores[self._countries[country]]
        return [self._top(mix.TRENDING_IN_COUNTRY, scores, eligible & (scores > 0))]

    def _popular(self, user: int, eligible: NDArray[np.bool_]) -> list[Answer]:
        segments = mix.segments_of(str(self.members.countries[user]), str(self.members.languages[user]))
        segment = next((name for name in segments if name in self._segments), EVERYWHERE)
        return [self._top(mix.POPULARITY, self.popularity.scores[self._segments[segment]], eligible)]

    def _new(self, _: int, eligible: NDArray[np.bool_]) -> list[Answer]:
        age_days = (self.now_us - self.available_since) / MICROSECONDS_PER_DAY
        return [self._top(mix.NEW_TITLES, -age_days, eligible & (age_days <= NEW_FOR_DAYS))]

    def _like(self, seed: int, eligible: NDArray[np.bool_]) -> Answer:
        """Titles like ``seed``: by who watched them where both have factors, else by what they are about."""
        collaborative = np.asarray(self.retrieval.factors.title_factors.any(axis=1))
        if collaborative[seed]:
            cosines = np.where(collaborative, self._units @ self._units[seed], -np.inf)
        else:
            cosines = self.retrieval.title_vectors @ self.retrieval.title_vectors[seed]
        cosines[seed] = -np.inf
        return self._top(mix.SIMILAR, cosines, eligible & np.isfinite(cosines))

    def _seeds(self, user: int) -> list[int]:
        enough = float(history_weights(np.array([COMPLETION_FRACTION]))[0])
        titles, weights = self.members.history[user].tolist(), self.members.mask[user].tolist()
        weighed = zip(titles, weights, strict=True)
        return [int(title) for title, weight in weighed if weight >= enough][:SEEDS]

    def _top(self, name: str, scores: NDArray[np.floating], eligible: NDArray[np.bool_]) -> Answer:
        rows = np.flatnonzero(eligible & np.isfinite(scores))
        limit = self.limits[name]
        if len(rows) > limit:
            rows = rows[np.argpartition(-scores[rows], limit - 1)[:limit]]
        return name, rows[np.argsort(-scores[rows], kind="stable")]

    def __post_init__(self) -> None:
        for name, chart in (("_countries", self.trending), ("_segments", self.popularity)):
            rows = {segment: row for row, segment in enumerate(chart.segments.tolist())}
            object.__setattr__(self, name, rows)
        factors = self.retrieval.factors.title_factors
        stand_in = map_content(self.retrieval.title_vectors, self.retrieval.content_to_als)
        lengths = np.linalg.norm(factors, axis=1, keepdims=True)
        object.__setattr__(self, "_units", factors / np.where(lengths > 0, lengths, 1))
        object.__setattr__(self, "_title_factors", np.where(lengths > 0, factors, stand_in))

    _countries: dict[str, int] = field(init=False)
    _segments: dict[str, int] = field(init=False)
    _units: NDArray[np.float32] = field(init=False)
    _title_factors: NDArray[np.float32] = field(init=False)


class GeneratorScorer:
    """One generator alone, as a model: what it proposes in its order, everything else -inf."""

    def __init__(self, generators: Generators, name: str) -> None:
        self._generators, self._name = generators, name

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 (len(user_rows), T): minus the rank; of several answers the better one counts."""
        eligible = self._generators.cases.eligible(user_rows)
        scores = np.full(eligible.shape, -np.inf, dtype=np.float32)
        for place, user in enumerate(user_rows.tolist()):
            for _, rows in self._generators.answers(user, eligible[place], self._name):
                scores[place, rows] = np.maximum(scores[place, rows], -np.arange(len(rows)))
        return scores


class MixScorer:
    """The merged candidates in their order, everything else -inf."""

    def __init__(self, generators: Generators) -> None:
        self._generators = generators

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32 (len(user_rows), T): the fused scores."""
        eligible = self._generators.cases.eligible(user_rows)
        scores = np.full(eligible.shape, -np.inf, dtype=np.float32)
        for place, user in enumerate(user_rows.tolist()):
            merged = self._generators.merged(user, eligible[place])
            scores[place, merged.rows] = merged.scores
        return scores
