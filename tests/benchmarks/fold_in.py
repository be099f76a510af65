"""One member's vector solved from the title factors, as when they have just watched something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from feature_repo.transforms.fold_in import MOST_WATCHED, fold_in, gram_matrix, updated_vector
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import Candidates, Subject
from tests.benchmarks.timing import Effort, time_calls
from training.als import AlsConfig, confidence_of, signed_confidences

FOLD_IN: Final = "fold-in of one member"
UPDATED: Final = "update of one member's vector"
RECALCULATED: Final = "fold-in of one member, implicit's recalculate_user"
_CONFIG: Final = AlsConfig(regularization=10.0)
"""The time does not depend on the weight, which the bundle does not tell."""


def measure_fold_in(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Measure ours and the library's on the members' latest viewings."""
    factors = subject.bundle.contents.title_factors
    gram = gram_matrix(factors)
    viewings = [_viewings(one) for one in subject.candidates]
    rows = [
        signed_confidences(csr_matrix((fractions, titles, [0, len(titles)]), (1, len(factors))), _CONFIG)
        for titles, fractions in viewings
    ]
    model = AlternatingLeastSquares(
        factors=factors.shape[1], regularization=_CONFIG.regularization, alpha=1.0, num_threads=1
    )
    model.item_factors = factors

    def solve(viewing: tuple[NDArray[np.int64], NDArray[np.float32]]) -> NDArray[np.float32]:
        return fold_in(*viewing, factors, gram, confidence_of(_CONFIG))

    def recalculate(row: csr_matrix) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = model.recalculate_user(0, row)
        return vector

    watched = np.random.default_rng(0).permutation(len(factors))[:MOST_WATCHED]

    def update(viewing: tuple[NDArray[np.int64], NDArray[np.float32]]) -> NDArray[np.float32]:
        titles, fractions = viewing
        return updated_vector(
            factors[0], watched, titles[:5], fractions[:5], factors, gram, confidence_of(_CONFIG)
        )

    apart = max(
        np.abs(solve(viewing) - recalculate(row)).max() for viewing, row in zip(viewings, rows, strict=True)
    )
    yield Measurement(
        FOLD_IN, time_calls(solve, viewings, effort.calls), RECALCULATED, budget_ms=0.5,
        note=f"up to 50 viewings; the two differ by {apart:.1g} at most",
    )  # fmt: skip
    yield Measurement(
        UPDATED, time_calls(update, viewings, effort.calls), RECALCULATED, budget_ms=0.5,
        note="a stored vector with five viewings more, 500 before",
    )  # fmt: skip
    yield Measurement(RECALCULATED, time_calls(recalculate, rows, effort.calls), note="its Gram matrix kept")


def _viewings(asked: Candidates) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    row_of = asked.query.catalogue.row_of
    recent = {row_of[title]: fraction for title, fraction in asked.query.member.recent if title in row_of}
    return np.array(list(recent), np.int64), np.array(list(recent.values()), np.float32)
