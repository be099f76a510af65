"""The candidates in the order in which the page takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.candidate_mix import Merged
from serving.candidates.charts import EVERYWHERE
from serving.candidates.query import Query
from serving.catalogue import Rows


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Candidates, best first; ``relevance`` is what they were ordered by, ``retrieval`` the merge's score.

    ``scores`` are the ranker's, ``order`` says which row of its input each candidate was; both are None where
    it did not decide. All are (n,).
    """

    rows: Rows
    relevance: NDArray[np.float32]
    retrieval: NDArray[np.float32]
    scores: NDArray[np.float32] | None = None
    order: NDArray[np.intp] | None = None


def by_ranker(merged: Merged, scores: NDArray[np.float32]) -> Ranked:
    """Order by the ranker's scores; ties keep the order of retrieval."""
    order = np.argsort(-scores, kind="stable")
    return Ranked(merged.rows[order], scores[order], merged.scores[order], scores[order], order)


def by_retrieval(merged: Merged) -> Ranked:
    """Keep the order of the merge."""
    return Ranked(merged.rows, merged.scores, merged.scores)


def by_popularity(query: Query, merged: Merged) -> Ranked:
    """Order by popularity in the country, ties by popularity everywhere."""
    charts = query.models.popularity
    everywhere = charts.scores[EVERYWHERE][merged.rows]
    here = charts.scores[charts.narrowest(query.segments)][merged.rows]
    order = np.lexsort((-everywhere, -here))
    return Ranked(merged.rows[order], here[order], merged.scores[order])
