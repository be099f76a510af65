"""What members had watched, and what a model should have found, on a later window.

Members take part who have at least one relevant title: watched to ``relevance_fraction`` or further in
the later window, not started before, and available. Titles watched before are not ranked: no page shows
them, whether the model was fitted on them or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from feature_repo.schema import COMPLETION_FRACTION
from training.evaluation.scoring import Scorer
from training.evaluation.top_k import top_k
from training.interactions import InteractionMatrix


@dataclass(frozen=True)
class EvaluationSet:
    """What had been watched, and what was to be found.

    ``relevant``: bool csr (U, T), rows and columns as in ``watched``. ``available``: bool [T].
    ``user_rows``: rows with at least one relevant title, ascending.
    """

    watched: InteractionMatrix
    relevant: csr_matrix
    available: NDArray[np.bool_]
    user_rows: NDArray[np.int64]

    @classmethod
    def build(
        cls,
        watched: InteractionMatrix,
        test: InteractionMatrix,
        relevance_fraction: float = COMPLETION_FRACTION,
        available: NDArray[np.bool_] | None = None,
    ) -> EvaluationSet:
        """Take the relevant titles from ``test``; ``available`` (default: all) may be ranked.

        Raises ``ValueError`` where the matrices do not share members and titles: give members who are
        only in the test window an empty row in ``watched``.
        """
        same = np.array_equal(watched.user_ids, test.user_ids) and np.array_equal(
            watched.title_ids, test.title_ids
        )
        if not same:
            raise ValueError(
                "watched and test differ in user_ids or title_ids: build both with the same ones"
            )
        allowed = np.ones(len(watched.title_ids), dtype=bool) if available is None else available
        liked = test.positives(relevance_fraction)
        relevant = csr_matrix((liked - liked.multiply(watched.positives(0.0))).multiply(allowed)).astype(bool)
        relevant.eliminate_zeros()
        return cls(watched, relevant, allowed, np.flatnonzero(np.diff(relevant.indptr)))

    def eligible(self, user_rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return bool (len(user_rows), T): available and not watched before."""
        mask = np.tile(self.available, (len(user_rows), 1))
        seen = self.watched.fractions[user_rows]
        rows = np.repeat(np.arange(len(user_rows)), np.diff(seen.indptr))
        mask[rows, seen.indices] = False
        return mask

    def masked_scores(self, scorer: Scorer, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the scores, float32 (len(user_rows), T), with -inf where a title is not eligible."""
        return np.where(self.eligible(user_rows), scorer.scores(user_rows), np.float32(-np.inf))

    def batches(self, size: int) -> Iterator[NDArray[np.int64]]:
        """Yield ``user_rows`` in slices of at most ``size``."""
        for start in range(0, len(self.user_rows), size):
            yield self.user_rows[start : start + size]


def ranked_lists(
    scorer: Scorer, cases: EvaluationSet, k: int, users_per_batch: int = 256
) -> NDArray[np.int64]:
    """Return the first k eligible titles for each of ``cases.user_rows``, int64 (users, k).

    -1 stands where there are fewer.
    """
    lists = [top_k(cases.masked_scores(scorer, rows), k) for rows in cases.batches(users_per_batch)]
    return np.concatenate(lists) if lists else np.empty((0, k), dtype=np.int64)
