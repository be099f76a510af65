"""The models of one training, fitted window by window so that none sees what it is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from training.als import AlsFactors, fit_als
from training.catalogue import Catalogue, Members
from training.config import TrainingConfig
from training.datasets import RecencySampling, WatchEvents, distinct_pairs, interaction_matrix
from training.embeddings import store_embeddings
from training.interactions import InteractionMatrix
from training.ranker import Ranker, RankingExamples, fit_ranker
from training.ranker_examples import (
    CandidatePlan,
    ShownTiles,
    ranking_examples,
    tiles_from_candidates,
    tiles_from_impressions,
)
from training.windows import Windows

VALIDATION_SHARE = 0.2
"""The latest share of the ranker's pages, which stop its training early."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What every step of a training reads."""

    gateway: FeatureGateway
    lake: Lake
    events: WatchEvents
    catalogue: Catalogue
    members: Members
    windows: Windows


@dataclass(frozen=True, slots=True)
class FittedAls:
    """ALS factors with the interactions they were fitted on, as of one instant."""

    matrix: InteractionMatrix
    factors: AlsFactors


def fit_als_as_of(
    data: TrainingData,
    as_of: datetime,
    config: TrainingConfig,
    created_at: datetime,
    before: FittedAls | None = None,
) -> FittedAls:
    """Fit ALS on what was known at ``as_of`` and store its vectors as features of that instant.

    ``before``, an earlier fit, gives the first factors; without it, vectors of former trainings are dropped.
    """
    matrix = interactions_as_of(data, as_of, config)
    als = config.als
    if before is not None:
        als = als.model_copy(update={"iterations": config.warm_iterations})
    factors = fit_als(matrix, als, warm_start=before.factors if before else None)
    store_embeddings(
        data.lake, factors, matrix,
        trained_at=as_of, created_at=created_at, model_version=f"als-{as_of:%Y%m%dT%H%M%SZ}",
        replace=before is None,
    )  # fmt: skip
    return FittedAls(matrix, factors)


def interactions_as_of(
    data: TrainingData,
    as_of: datetime,
    config: TrainingConfig | None = None,
    since: datetime | None = None,
) -> InteractionMatrix:
    """Return the interactions known at ``as_of``; with ``since``, of pairs with events from then on only."""
    pairs = distinct_pairs(data.events, before=as_of, since=since)
    sampling = None
    if config is not None:
        window = timedelta(days=config.window_days) if config.window_days is not None else None
        sampling = RecencySampling(window, older_share=config.older_share, seed=config.seed)
    return interaction_matrix(
        data.gateway, pairs, as_of,
        catalogue=data.catalogue.title_ids, members=data.members.user_ids, sampling=sampling,
    )  # fmt: skip


def fit_ranker_on_window(
    data: TrainingData, als: FittedAls, config: TrainingConfig
) -> tuple[Ranker, RankingExamples]:
    """Fit the ranker on its window; return it with the validation examples, the latest pages.

    Learns from impressions where the lake holds them, else from candidates drawn as the generators
    would have drawn them. ``als`` must be fitted as of the window's start. Raises ``ValueError`` where
    there is nothing to learn from.
    """
    tiles = _tiles(data, als, config)
    if not len(tiles.labels):
        raise ValueError(
            f"nothing to learn a ranker from between {data.windows.ranker_start} and "
            f"{data.windows.test_start}: no impressions, and no candidate was watched; "
            "lower ranker_share or bring more events"
        )
    cut = tiles.pages[int(len(tiles.pages) * (1 - VALIDATION_SHARE))]
    examples = ranking_examples(data.gateway, tiles)
    early, late = tiles.pages < cut, tiles.pages >= cut
    training, validation = _part(examples, early), _part(examples, late)
    ranker = fit_ranker(training.matrix, training.labels, training.groups, validation, config.ranker)
    return ranker, validation


def _tiles(data: TrainingData, als: FittedAls, config: TrainingConfig) -> ShownTiles:
    start, end = data.windows.ranker_start, data.windows.test_start
    if data.lake.exists(s.IMPRESSIONS):
        shown = tiles_from_impressions(data.lake, start, end, most_rows=config.ranker_rows, seed=config.seed)
        if len(shown.labels):
            return shown
    return tiles_from_candidates(
        data.events, (start, end), als.factors, als.matrix,
        plan=CandidatePlan(seed=config.seed), most_rows=config.ranker_rows,
    )  # fmt: skip


def _part(examples: RankingExamples, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> RankingExamples:
    groups = None if examples.groups is None else examples.groups[rows]
    return RankingExamples(examples.matrix[rows], examples.labels[rows], groups)
