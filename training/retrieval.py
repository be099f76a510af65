"""The retrieval models of one instant: core factors and two towers, fitted on what was known by then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from feature_repo.progress import Progress
from feature_repo.transforms.member_prior import with_prior
from training.als import fit_als
from training.bpr import fit_bpr
from training.config import TrainingConfig
from training.content_map import fit_content_map
from training.datasets import title_contents_as_of
from training.embeddings import store_embeddings
from training.factors import Factors
from training.interactions import InteractionMatrix
from training.training_data import TrainingData, interactions_as_of, watched_as_of
from training.two_tower import TwoTower
from training.two_tower_examples import tower_examples

CoreModel = Literal["als", "bpr"]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What candidates come from, as of one instant; T titles in the order of ``matrix.title_ids``.

    ``matrix`` is what the models were fitted on, within the window and sampled; ``watched``, with the same
    members and titles, is all that had been watched: what a page shows no more.
    ``title_vectors`` float32 (T, 256) are the item tower's, of unit length; ``content_to_als`` (257, 128)
    takes them to stand-ins for factors.
    """

    as_of: datetime
    matrix: InteractionMatrix
    watched: InteractionMatrix
    factors: Factors
    tower: TwoTower
    title_vectors: NDArray[np.float32]
    content_to_als: NDArray[np.float32]


def fit_retrieval(
    data: TrainingData,
    as_of: datetime,
    config: TrainingConfig,
    created_at: datetime,
    before: Retrieval | None = None,
    progress: Progress | None = None,
    factors: Factors | None = None,
) -> Retrieval:
    """Fit the core model and the towers on what was known at ``as_of``; store the factors as features.

    ``before``, an earlier fit, gives the first factors and weights; without it, stored factors of former
    trainings are dropped. ``factors``, where given, are begun with instead of those of ``before``.
    """
    retrieval = retrieval_as_of(data, as_of, config, before, progress, factors)
    store_embeddings(
        data.lake, retrieval.factors, retrieval.matrix,
        trained_at=as_of, created_at=created_at, model_version=model_version(config, as_of, created_at),
        replace=before is None,
    )  # fmt: skip
    return retrieval


def model_version(config: TrainingConfig, as_of: datetime, created_at: datetime) -> str:
    """Return the name that the vectors of one fit bear, and those of no other training."""
    return f"{config.core_model}-{as_of:%Y%m%dT%H%M%SZ}-{created_at:%Y%m%dT%H%M%SZ}"


def retrieval_as_of(
    data: TrainingData,
    as_of: datetime,
    config: TrainingConfig,
    before: Retrieval | None = None,
    progress: Progress | None = None,
    factors: Factors | None = None,
) -> Retrieval:
    """Fit as :func:`fit_retrieval` does, and store nothing."""
    matrix = interactions_as_of(data, as_of, config)
    watched = matrix if config.learns_from_all else watched_as_of(data, as_of)
    first = factors or (before.factors if before else None)
    factors = fit_core(config.core_model, matrix, config, first)
    inputs = title_contents_as_of(data.gateway, matrix.title_ids, as_of)
    tower = fit_towers(data, as_of, config, inputs, before, progress)
    title_vectors = tower.title_vectors(inputs)
    content_map = fit_content_map(title_vectors, factors.title_factors, matrix.title_viewers)
    return Retrieval(as_of, matrix, watched, factors, tower, title_vectors, content_map)


def fit_core(
    model: CoreModel, matrix: InteractionMatrix, config: TrainingConfig, warm_start: Factors | None = None
) -> Factors:
    """Fit ALS or BPR; with a warm start in ``warm_iterations``.

    ALS vectors of members with few titles have the other members as a prior, as in serving.
    """
    if model == "bpr":
        return fit_bpr(matrix, config.bpr, warm_start)
    als = config.als
    if warm_start is not None:
        als = als.model_copy(update={"iterations": config.warm_iterations})
    factors = fit_als(matrix, als, warm_start=warm_start)
    assert factors.confidence is not None
    users = with_prior(factors.user_factors, matrix.fractions, factors.title_factors, factors.confidence)
    return replace(factors, user_factors=users)


def fit_towers(
    data: TrainingData,
    as_of: datetime,
    config: TrainingConfig,
    inputs: NDArray[np.float32],
    before: Retrieval | None,
    progress: Progress | None,
) -> TwoTower:
    """Fit the towers on the positives before ``as_of``, each with its history as it stood then."""
    from training.two_tower_fit import fit_two_tower  # noqa: PLC0415  (torch: only who trains waits for it)

    examples = tower_examples(
        data.gateway, data.events, data.catalogue.title_ids,
        start=data.windows.start, end=as_of, minimum_fraction=config.two_tower.minimum_fraction,
        empty_share=config.two_tower.empty_share, seed=config.two_tower.seed,
    )  # fmt: skip
    return fit_two_tower(
        examples, data.catalogue.title_ids, inputs, config.two_tower,
        warm_start=before.tower if before else None, progress=progress,
    )  # fmt: skip
