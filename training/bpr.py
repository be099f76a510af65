"""Bayesian personalised ranking (Rendle et al., UAI 2009), through ``implicit``: the watched first.

Maximises, over triples of a member u, a title i they watched and one j they did not,
``log sigmoid(x_u . y_i - x_u . y_j)`` less the squared factors (their section 4.3). ``implicit`` keeps a
bias per title as a last dimension, which is 1 on the members' side: inner products hold it.
"""

from __future__ import annotations

import numpy as np
from implicit.cpu.bpr import BayesianPersonalizedRanking
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from threadpoolctl import threadpool_limits

from feature_repo.schema import ALS_DIMENSIONS
from training.factors import Factors, overwrite_known
from training.interactions import InteractionMatrix


class BprConfig(BaseModel):
    """What BPR is fitted with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(ALS_DIMENSIONS, ge=2, description="length of a vector, the bias included")
    iterations: int = Field(30, ge=1, description="passes over as many triples as there are observations")
    learning_rate: float = Field(0.02, gt=0, description="of stochastic gradient descent")
    regularization: float = Field(0.02, ge=0, description="weight of the squared factors")
    minimum_fraction: float = Field(
        0.1, ge=0, le=1, description="watched this far, a title counts as watched"
    )
    seed: int = Field(0, ge=0, description="of the first factors and the triples")
    threads: int = Field(1, ge=0, description="0: one per core; more than one is not repeatable")


def fit_bpr(matrix: InteractionMatrix, config: BprConfig, warm_start: Factors | None = None) -> Factors:
    """Fit on the titles watched to ``minimum_fraction``; ``warm_start`` as for ALS.

    Repeatable for a seed with one thread: several write the same rows without waiting for each other.
    """
    watched = matrix.positives(config.minimum_fraction)
    with threadpool_limits(limits=1, user_api="blas"):
        model = BayesianPersonalizedRanking(
            factors=config.dimensions - 1,
            learning_rate=config.learning_rate,
            regularization=config.regularization,
            dtype=np.float32,
            iterations=config.iterations,
            num_threads=config.threads,
            random_state=config.seed,
        )
        if warm_start is not None:
            model.user_factors, model.item_factors = _first_factors(matrix, config, warm_start)
        model.fit(watched, show_progress=False)
    users, titles = np.array(model.user_factors), np.array(model.item_factors)
    users[np.diff(watched.indptr) == 0] = 0.0
    titles[np.diff(watched.tocsc().indptr) == 0] = 0.0
    return Factors(matrix.user_ids, matrix.title_ids, users, titles, None)


def _first_factors(
    matrix: InteractionMatrix, config: BprConfig, warm_start: Factors
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(config.seed)
    sides = []
    for ids in (matrix.user_ids, matrix.title_ids):
        centred = rng.random((len(ids), config.dimensions), dtype=np.float32) - np.float32(0.5)
        sides.append(centred / np.float32(config.dimensions))
    users, titles = sides
    users[:, -1], titles[:, -1] = 1.0, 0.0
    overwrite_known(users, matrix.user_ids, warm_start.user_ids, warm_start.user_factors)
    overwrite_known(titles, matrix.title_ids, warm_start.title_ids, warm_start.title_factors)
    return users, titles
