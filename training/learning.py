"""The ranker, fitted on a window that the retrieval models it ranks for have not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.ranking import at_place
from training.config import TrainingConfig
from training.page_vectors import page_vectors
from training.ranker import Ranker, RankingExamples, fit_ranker
from training.ranker_examples import (
    CandidatePlan,
    ShownTiles,
    ranking_examples,
    tiles_from_candidates,
    tiles_from_impressions,
)
from training.reference import reference
from training.retrieval import Retrieval
from training.training_data import TrainingData

VALIDATION_SHARE = 0.2
"""The latest share of the ranker's pages, which stop its training early."""


@dataclass(frozen=True, slots=True)
class FittedRanker:
    """A ranker with the examples that stopped its training, the latest pages, each tile where it stood.

    They are those of ``validated_from`` and later. ``from_impressions``: it learned from what members were
    shown, not from candidates that were drawn. ``not_told``: one fitted on the same tiles without knowing
    where they stood, to compare; None where that was not asked for, or nothing was shown. ``reference``: see
    :func:`training.reference.reference`, of all its examples.
    """

    ranker: Ranker
    validation: RankingExamples
    validated_from: datetime
    from_impressions: bool
    not_told: Ranker | None = None
    reference: Mapping[str, Any] = field(default_factory=dict)


def fit_ranker_on_window(
    data: TrainingData,
    retrieval: Retrieval,
    config: TrainingConfig,
    left_out: NDArray[np.str_] | None = None,
    *,
    compare: bool = False,
) -> FittedRanker:
    """Fit the ranker on its window; with ``compare`` also one that is not told where the tiles stood.

    Learns from impressions where the lake holds them, else from candidates drawn as the generators
    would have drawn them. ``retrieval`` must be fitted as of the window's start; of members ``left_out``
    nothing is learned. Raises ``ValueError`` where there is nothing to learn from.
    """
    tiles, from_impressions = _tiles(data, retrieval, config)
    if left_out is not None:
        tiles = tiles.take(~np.isin(tiles.user_ids, left_out))
    if not len(tiles.labels):
        raise ValueError(
            f"nothing to learn a ranker from between {data.windows.ranker_start} and "
            f"{data.windows.test_start}: no impressions, and no candidate was watched; "
            "lower ranker_share or bring more events"
        )
    cut = tiles.pages[int(len(tiles.pages) * (1 - VALIDATION_SHARE))]
    vectors_of = partial(page_vectors, data.gateway, retrieval)
    examples = ranking_examples(data.gateway, tiles, retrieval, vectors_of)
    early, late = tiles.pages < cut, tiles.pages >= cut
    training, validation = _part(examples, early), _part(examples, late)
    ranker = _fit(training, validation, config)
    validated_from = datetime.fromtimestamp(int(tiles.instants[late].min()) / 1e6, UTC)
    fitted = FittedRanker(
        ranker, validation, validated_from, from_impressions,
        reference=reference(examples.matrix, ranker.score(at_place(examples.matrix))),
    )  # fmt: skip
    if not compare or (tiles.row_indices.max() == 1 and tiles.positions.max() == 1):
        return fitted
    return replace(fitted, not_told=_fit(_at_first(training), _at_first(validation), config))


def _fit(training: RankingExamples, validation: RankingExamples, config: TrainingConfig) -> Ranker:
    return fit_ranker(training.matrix, training.labels, training.groups, validation, config.ranker)


def _at_first(examples: RankingExamples) -> RankingExamples:
    return replace(examples, matrix=at_place(examples.matrix))


def _tiles(data: TrainingData, retrieval: Retrieval, config: TrainingConfig) -> tuple[ShownTiles, bool]:
    """Return the tiles to learn from, and whether members were shown them."""
    start, end = data.windows.ranker_start, data.windows.test_start
    if data.lake.exists(s.IMPRESSIONS):
        shown = tiles_from_impressions(data.lake, start, end, most_rows=config.ranker_rows, seed=config.seed)
        if len(shown.labels):
            return shown, True
    drawn = tiles_from_candidates(
        data.events, (start, end), retrieval, partial(page_vectors, data.gateway, retrieval),
        plan=CandidatePlan(seed=config.seed), most_rows=config.ranker_rows,
    )  # fmt: skip
    return drawn, False


def _part(examples: RankingExamples, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> RankingExamples:
    groups = None if examples.groups is None else examples.groups[rows]
    return RankingExamples(examples.matrix[rows], examples.labels[rows], groups)
