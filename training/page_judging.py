"""Whole pages judged: what variety costs and what it brings, setting by setting.

Pages are assembled from the candidates and the ranker's scores by the very function that serves them.
Continue Watching is left out: what a member has begun is no recommendation to be found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.page.assembly import assemble
from feature_repo.page.exploration import draws_of
from feature_repo.page.row_plans import row_plans
from feature_repo.page.rules import PageRules
from feature_repo.page.shelf import (
    NO_FRANCHISE,
    UNKNOWN_LANGUAGE,
    Ingredients,
    PlaceFinder,
    SeedList,
    Shelf,
    favourite_genres,
    household_languages,
    numbered,
)
from feature_repo.transforms import candidate_mix as mix
from feature_repo.transforms.encoding import Arrays
from training.candidates import Generators
from training.evaluation import metrics, pages as p
from training.evaluation.protocol import ALL
from training.evaluation.results import MetricRow, with_interval

APART: Final = "rows apart"
"""Every row filled by itself, from the same candidates: no rule of the page holds."""
DEFAULT: Final = "default"
_NO_EXPLORATION: Final = PageRules(exploration_share=0)
SETTINGS: Final[dict[str, PageRules]] = {
    DEFAULT: PageRules(),
    "no variety": PageRules(variety="none", exploration_share=0, crowding_penalty=0),
    **{
        f"{variety.upper()} {weight}": PageRules(variety=variety, variety_weight=weight, exploration_share=0)
        for variety, weights in (("mmr", (0.1, 0.2, 0.4, 0.6)), ("dpp", (0.02, 0.05, 0.1, 0.2)))
        for weight in weights
    },
}  # fmt: skip
"""What is compared. All but the default do without exploration, so that only variety differs."""

UserTruth = Callable[[int], NDArray[np.float64]]
"""A member's row to the true probability with which they play each title, (T,)."""


class CandidateScorer(Protocol):
    """Ranks candidates; :class:`training.two_stage.TwoStageScorer` does."""

    def candidate_scores(self, user: int, candidates: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the scores of some titles for a member, (len(candidates),)."""


@dataclass(frozen=True)
class PageJudge:
    """Assembles and measures the pages of ``generators.cases``.

    ``scorer`` ranks the candidates, None leaves them in the order of the mix; ``preferences`` (U, G) are the
    members' decayed shares of viewing per genre; ``franchises`` and ``languages`` int (T,) are as on a
    :class:`Shelf`; ``information`` (T,) is each title's self-information in bits.
    """

    generators: Generators
    scorer: CandidateScorer | None
    genres: NDArray[np.bool_]
    franchises: NDArray[np.int64]
    languages: NDArray[np.int64]
    preferences: NDArray[np.float32]
    information: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        generators: Generators,
        scorer: CandidateScorer | None,
        members: Arrays,
        titles: Arrays,
        franchise_ids: NDArray[np.str_],
    ) -> PageJudge:
        """Build from the ranker's inputs of members and titles, a row each, and the titles' franchises."""
        watched = generators.cases.watched
        return cls(
            generators=generators,
            scorer=scorer,
            genres=np.asarray(np.nan_to_num(titles[s.GENRE_VECTOR]) > 0),
            franchises=numbered(franchise_ids, NO_FRANCHISE),
            languages=numbered(titles[s.ORIGINAL_LANGUAGE], UNKNOWN_LANGUAGE),
            preferences=np.nan_to_num(members[s.GENRE_PREFERENCE]),
            information=metrics.self_information(watched.title_viewers, len(watched.user_ids)),
        )

    def judge(self, truth: UserTruth | None, samples: int, seed: int) -> list[MetricRow]:
        """Return the metrics of each setting's pages: means over members, with 95 % intervals."""
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in (*SETTINGS, APART)}
        shown: dict[str, set[int]] = {name: set() for name in measured}
        for user in self.generators.cases.user_rows.tolist():
            probabilities = truth(user) if truth is not None else None
            for name, page in self._pages(user):
                measured[name].append(self._measure(user, page, probabilities))
                shown[name].update(np.concatenate([np.empty(0, np.int64), *page]).tolist())
        available = int(self.generators.cases.available.sum())
        rows: list[MetricRow] = []
        for name, values in measured.items():
            rows += _means(name, values, samples, seed)
            coverage = len(shown[name]) / max(available, 1)
            rows.append(MetricRow(name, ALL, "page_coverage", None, coverage, len(values)))
        return rows

    def _pages(self, user: int) -> Iterator[tuple[str, list[NDArray[np.int64]]]]:
        parts = self._ingredients(user)
        rows = parts.shelf.rows.astype(np.int64)
        for name, rules in SETTINGS.items():
            page = assemble(parts, rules, draws_of(f"{name}/{user}"))
            yield name, [rows[row.places] for row in page.rows]
        plans = row_plans(parts, _NO_EXPLORATION)
        top = rows[: _NO_EXPLORATION.top_picks]
        apart = [rows[plan.places[: plan.length]] for plan in plans][: 4 + _NO_EXPLORATION.genre_rows]
        yield APART, [top, *(row for row in apart if len(row) >= _NO_EXPLORATION.shortest_row)]

    def _ingredients(self, user: int) -> Ingredients:
        generators = self.generators
        eligible = generators.cases.eligible(np.array([user]))[0]
        answers = generators.answers(user, eligible)
        merged = mix.merge(answers, len(eligible), generators.hit_rates)
        scores = merged.scores if self.scorer is None else self.scorer.candidate_scores(user, merged.rows)
        order = np.argsort(-scores, kind="stable")
        rows = merged.rows[order]
        shelf = Shelf(
            rows, scores[order], self.genres[rows], self.franchises[rows], self.languages[rows],
            generators.retrieval.title_vectors,
        )  # fmt: skip
        finder = PlaceFinder(rows, len(eligible))
        watched = generators.members.history[user][generators.members.mask[user] > 0]
        return Ingredients(
            shelf,
            begun=[],
            seeds=[
                SeedList(seed, finder.places_of(found)) for seed, found in generators.similar(user, eligible)
            ],
            trending=finder.places_of(*_of(answers, mix.TRENDING_IN_COUNTRY), *_of(answers, mix.TRENDING)),
            new_titles=finder.places_of(*_of(answers, mix.NEW_TITLES)),
            favourite_genres=favourite_genres(self.preferences[user], shelf.genres[: _NO_EXPLORATION.ranked]),
            household_languages=household_languages(self.languages[watched], _NO_EXPLORATION.household_share),
        )

    def _measure(
        self, user: int, page: list[NDArray[np.int64]], probabilities: NDArray[np.float64] | None
    ) -> dict[str, float]:
        cases = self.generators.cases
        titles = p.seen_titles(page)[0]
        values = {
            "page_ndcg": p.page_ndcg(page, cases.relevant[[user]].toarray()[0] > 0),
            "page_diversity": p.page_diversity(page, self.generators.retrieval.title_vectors),
            "page_genre_entropy": p.genre_entropy(page, self.genres),
            "page_novelty": float(self.information[titles].mean()) if len(titles) else float("nan"),
            "page_duplicates": p.duplicate_share(page),
            "page_tiles": float(sum(len(row) for row in page)),
        }
        if probabilities is not None:
            values["page_expected_plays"] = p.expected_plays(page, probabilities)
        return values


def _of(answers: list[tuple[str, NDArray[np.int64]]], name: str) -> list[NDArray[np.int64]]:
    return [rows for source, rows in answers if source == name]


def _means(name: str, values: list[dict[str, float]], samples: int, seed: int) -> list[MetricRow]:
    rows = []
    for metric in values[0] if values else ():
        column = np.array([value[metric] for value in values])
        column = column[~np.isnan(column)]
        if len(column):
            row = MetricRow(name, ALL, metric, None, float(column.mean()), len(column))
            rows.append(with_interval(row, column, samples, seed))
    return rows
