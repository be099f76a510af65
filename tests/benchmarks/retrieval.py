"""The top 500 of the catalogue for a member's ALS vector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from serving.catalogue import Rows
from serving.index import VectorIndex
from serving.models import with_stand_ins
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import CANDIDATES, Candidates, Subject
from tests.benchmarks.timing import Effort, time_calls

SERVED: Final = "retrieval, top 500"
UNFILTERED: Final = "retrieval, top 500, whole catalogue"
GRAPH: Final = "retrieval, top 500, HNSW"
SORTED: Final = "retrieval, top 500, numpy full sort"
_RECALLED_MEMBERS: Final = 50


def measure_retrieval(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Measure the index in service, a graph over the same vectors, and an exact search by full sort."""
    models = subject.state.models
    factors = with_stand_ins(models.title_factors, models.tower_vectors, models.content_to_als)
    served = models.als_index
    graph = VectorIndex(factors, exact_up_to=0)
    interacted = factors.any(axis=1)

    def by_full_sort(asked: Candidates) -> Rows:
        rows = np.flatnonzero(asked.query.eligible & interacted)
        scores = (factors @ asked.vector)[rows]
        return rows[np.argsort(-scores, kind="stable")[:CANDIDATES]]

    def by_index(index: VectorIndex, asked: Candidates) -> Rows:
        return index.search(asked.vector, CANDIDATES, asked.query.eligible)[0]

    def recall(index: VectorIndex) -> str:
        sampled = subject.candidates[:_RECALLED_MEMBERS]
        shares = [np.isin(by_full_sort(one), by_index(index, one)).mean() for one in sampled]
        return f"recall {np.mean(shares):.4f}"

    asked, calls = subject.candidates, effort.calls
    of = f"{int(interacted.sum()):,} × {factors.shape[1]}, eligible titles only"
    yield Measurement(
        SERVED, time_calls(lambda one: by_index(served, one), asked, calls), SORTED, budget_ms=0.5,
        note=f"{recall(served)} of {of}",
    )  # fmt: skip
    yield Measurement(
        UNFILTERED, time_calls(lambda one: served.search(one.vector, CANDIDATES), asked, calls),
        note="without the check of country, maturity and history",
    )  # fmt: skip
    yield Measurement(
        GRAPH, time_calls(lambda one: by_index(graph, one), asked, calls), SORTED, note=recall(graph)
    )
    yield Measurement(SORTED, time_calls(by_full_sort, asked, calls), note="exact")
