"""Alternating least squares for implicit feedback (Hu, Koren, Volinsky 2008), through ``implicit``.

Member u watched the fraction f of title i. The model minimises, over all pairs (their eq. 3),

    sum over (u, i) of c_ui (p_ui - x_u . y_i)**2  +  regularization (|X|**2 + |Y|**2)

    c_ui = 1 + alpha f  where u started i, else 1        confidence
    p_ui = 1            where f >= minimum_fraction, else 0        preference

A title left early is therefore a weak negative; were every start a like, 5 % watched would be one of
confidence 3 at alpha = 40. ``implicit`` reads stored values as confidences, not as fractions, and
a negative value as "preference 0 with this confidence"; its own ``alpha`` multiplies them and stays 1.

Deterministic for a seed on one machine, whatever the number of threads: each row of a half-step is
solved by one thread from factors nobody writes, and BLAS, which makes the Gram matrices, is held to one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from feature_repo.schema import ALS_DIMENSIONS
from feature_repo.transforms.confidence import Confidence, signed_confidence
from training.factors import Factors, overwrite_known
from training.interactions import InteractionMatrix


class AlsConfig(BaseModel):
    """What ALS is fitted with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimensions: int = Field(default=ALS_DIMENSIONS, ge=1, description="length of a vector")
    alpha: float = Field(default=10.0, ge=0, description="confidence gained by a fully watched title")
    regularization: float | None = Field(
        default=None, gt=0, description="weight of the squared factors; None: relative_regularization decides"
    )
    relative_regularization: float = Field(
        default=0.08, gt=0, lt=1, description="as a share of the weight that would leave nothing but zeros"
    )
    iterations: int = Field(default=15, ge=1, description="pairs of half-steps")
    minimum_fraction: float = Field(default=0.1, ge=0, le=1, description="below it, a weak negative")
    seed: int = Field(default=0, ge=0, description="of the initial factors")
    threads: int = Field(default=0, ge=0, description="0: one per core; does not change the result")


def fit_als(
    matrix: InteractionMatrix,
    config: AlsConfig,
    warm_start: Factors | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Factors:
    """Fit on all observations of ``matrix``.

    ``warm_start`` gives the first factors of those members and titles that it knows, by id; the others
    begin at random. ``progress(done, total)`` is called after each iteration. The half-steps
    use three conjugate gradient steps (Takács, Pilászy, Tikk 2011); the members' factors are at last
    solved exactly from the final title factors, so that folding in gives the same vectors.
    Raises ``ValueError`` where the warm start has another number of dimensions.
    """
    confidences = signed_confidences(matrix.fractions, config)
    config = with_regularization(config, confidences)
    with threadpool_limits(limits=1, user_api="blas"):
        model = AlternatingLeastSquares(
            factors=config.dimensions,
            regularization=config.regularization,
            alpha=1.0,
            dtype=np.float32,
            iterations=config.iterations,
            num_threads=config.threads,
        )
        model.user_factors, model.item_factors = _initial_factors(matrix, config, warm_start)
        model.fit(confidences, show_progress=False, callback=_iteration_callback(config, progress))
        user_factors = model.recalculate_user(np.arange(len(matrix.user_ids)), confidences)
    return Factors(matrix.user_ids, matrix.title_ids, user_factors, model.item_factors, confidence_of(config))


def confidence_of(config: AlsConfig) -> Confidence:
    """Return what vectors are folded in with; raises ``ValueError`` while the regularization is None."""
    if config.regularization is None:
        raise ValueError("regularization is None: with_regularization settles it")
    return Confidence(config.alpha, config.regularization, config.minimum_fraction)


def signed_confidences(fractions: csr_matrix, config: AlsConfig) -> csr_matrix:
    """Return the matrix that ``implicit`` reads: ``1 + alpha f``, negated below ``minimum_fraction``."""
    confidences = fractions.copy()
    confidences.data = signed_confidence(fractions.data, config.alpha, config.minimum_fraction)
    return confidences


def with_regularization(config: AlsConfig, confidences: csr_matrix) -> AlsConfig:
    """Return ``config`` with ``regularization`` a number, scaled to the data where it was None.

    The right weight grows with members, titles and alpha: one number that suits a million viewings
    erases a small service. With |X|² + |Y|² as penalty the model is a matrix under a nuclear norm
    (Srebro, Rennie, Jaakkola 2004), which is all zeros from the spectral norm of C∘P upwards:
    ``relative_regularization`` is a share of that.
    """
    if config.regularization is not None:
        return config
    weighted = confidences.maximum(0).astype(np.float64)
    vector = np.ones(weighted.shape[1])
    # Power iteration; all entries are positive, so that ones are never orthogonal to the solution.
    for _ in range(30):
        vector = weighted.T @ (weighted @ vector)
        vector /= np.linalg.norm(vector) or 1.0
    critical = float(np.linalg.norm(weighted @ vector)) or 1.0
    return config.model_copy(update={"regularization": config.relative_regularization * critical})


def _initial_factors(
    matrix: InteractionMatrix, config: AlsConfig, warm_start: Factors | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(config.seed)
    sides = []
    for ids in (matrix.user_ids, matrix.title_ids):
        sides.append(rng.random((len(ids), config.dimensions), dtype=np.float32) * np.float32(0.01))
    users, titles = sides
    if warm_start is not None:
        overwrite_known(users, matrix.user_ids, warm_start.user_ids, warm_start.user_factors)
        overwrite_known(titles, matrix.title_ids, warm_start.title_ids, warm_start.title_factors)
    return users, titles


def _iteration_callback(
    config: AlsConfig, progress: Callable[[int, int], None] | None
) -> Callable[[int, float, float | None], None] | None:
    if progress is None:
        return None
    report = progress
    return lambda iteration, _seconds, _loss: report(iteration + 1, config.iterations)
