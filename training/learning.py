"""The ranker, fitted on a window that the retrieval models it ranks for have not seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from feature_repo import schema as s
from feature_repo.transforms.ranking import at_place
from training.config import TrainingConfig
from training.ranker import Ranker, RankingExamples, fit_ranker
from training.ranker_examples import (
    CandidatePlan,
    ShownTiles,
    ranking_examples,
    tiles_from_candidates,
    tiles_from_impressions,
)
from training.retrieval import Retrieval
from training.training_data import TrainingData

VALIDATION_SHARE = 0.2
"""The latest share of the ranker's pages, which stop its training early."""


@dataclass(frozen=True, slots=True)
class FittedRanker:
    """A ranker with the validation examples, the latest pages, each tile where it stood.

    ``not_told``: one fitted on the same tiles without knowing where they stood, to compare; None where that
    was not asked for, or nothing was shown.
    """

    ranker: Ranker
    validation: RankingExamples
    not_told: Ranker | None = None


def fit_ranker_on_window(
    data: TrainingData, retrieval: Retrieval, config: TrainingConfig, *, compare: bool = False
) -> FittedRanker:
    """Fit the ranker on its window; with ``compare`` also one that is not told where the tiles stood.

    Learns from impressions where the lake holds them, else from candidates drawn as the generators
    would have drawn them. ``retrieval`` must be fitted as of the window's start. Raises ``ValueError`` where
    there is nothing to learn from.
    """
    tiles = _tiles(data, retrieval, config)
    if not len(tiles.labels):
        raise ValueError(
            f"nothing to learn a ranker from between {data.windows.ranker_start} and "
            f"{data.windows.test_start}: no impressions, and no candidate was watched; "
            "lower ranker_share or bring more events"
        )
    cut = tiles.pages[int(len(tiles.pages) * (1 - VALIDATION_SHARE))]
    examples = ranking_examples(
        data.gateway, tiles, retrieval, partial(retrieval.member_vectors, data.gateway)
    )
    early, late = tiles.pages < cut, tiles.pages >= cut
    training, validation = _part(examples, early), _part(examples, late)
    ranker = _fit(training, validation, config)
    if not compare or (tiles.row_indices.max() == 1 and tiles.positions.max() == 1):
        return FittedRanker(ranker, validation)
    return FittedRanker(ranker, validation, _fit(_at_first(training), _at_first(validation), config))


def _fit(training: RankingExamples, validation: RankingExamples, config: TrainingConfig) -> Ranker:
    return fit_ranker(training.matrix, training.labels, training.groups, validation, config.ranker)


def _at_first(examples: RankingExamples) -> RankingExamples:
    return replace(examples, matrix=at_place(examples.matrix))


def _tiles(data: TrainingData, retrieval: Retrieval, config: TrainingConfig) -> ShownTiles:
    start, end = data.windows.ranker_start, data.windows.test_start
    if data.lake.exists(s.IMPRESSIONS):
        shown = tiles_from_impressions(data.lake, start, end, most_rows=config.ranker_rows, seed=config.seed)
        if len(shown.labels):
            return shown
    return tiles_from_candidates(
        data.events, (start, end), retrieval, partial(retrieval.member_vectors, data.gateway),
        plan=CandidatePlan(seed=config.seed), most_rows=config.ranker_rows,
    )  # fmt: skip


def _part(examples: RankingExamples, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> RankingExamples:
    groups = None if examples.groups is None else examples.groups[rows]
    return RankingExamples(examples.matrix[rows], examples.labels[rows], groups)
