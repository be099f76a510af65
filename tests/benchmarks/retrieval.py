"""The top 500 of the catalogue for a member's ALS vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.app import create_app
from serving.catalogue import Rows
from serving.index import VectorIndex
from serving.models import with_stand_ins
from tests.benchmarks.pages import homepage_path
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import CANDIDATES, Candidates, Subject
from tests.benchmarks.timing import WARM_UP_CALLS, Effort, summarise, time_calls

SERVED: Final = "retrieval, top 500"
UNFILTERED: Final = "retrieval, top 500, whole catalogue"
GRAPH: Final = "retrieval, top 500, HNSW"
SORTED: Final = "retrieval, top 500, numpy full sort"
AFTER_A_PAGE: Final = "retrieval, top 500, after a page"
SORTED_AFTER_A_PAGE: Final = "retrieval, top 500, numpy full sort, after a page"
_RECALLED_MEMBERS: Final = 50


@dataclass(frozen=True, slots=True, eq=False)
class _Searches:
    """The index in service, and what it is held against."""

    served: VectorIndex
    factors: NDArray[np.float32]
    interacted: NDArray[np.bool_]

    @classmethod
    def of(cls, subject: Subject) -> _Searches:
        models = subject.state.models
        factors = with_stand_ins(models.title_factors, models.tower_vectors, models.content_to_als)
        return cls(models.als_index, factors, factors.any(axis=1))

    def by_full_sort(self, asked: Candidates) -> Rows:
        rows = np.flatnonzero(asked.query.eligible & self.interacted)
        scores = (self.factors @ asked.vector)[rows]
        return rows[np.argsort(-scores, kind="stable")[:CANDIDATES]]

    def by_index(self, asked: Candidates, index: VectorIndex | None = None) -> Rows:
        return (index or self.served).search(asked.vector, CANDIDATES, asked.query.eligible)[0]

    def recall(self, sampled: Sequence[Candidates], index: VectorIndex | None = None) -> str:
        shares = [np.isin(self.by_full_sort(one), self.by_index(one, index)).mean() for one in sampled]
        return f"recall {np.mean(shares):.4f}"


def measure_retrieval(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Measure the index in service, a graph over the same vectors, and an exact search by full sort."""
    searches = _Searches.of(subject)
    graph = VectorIndex(searches.factors, exact_up_to=0)
    asked, calls = subject.candidates, effort.calls
    few = asked[:_RECALLED_MEMBERS]
    of = f"{int(searches.interacted.sum()):,} × {searches.factors.shape[1]}, eligible titles only"
    yield Measurement(
        SERVED, time_calls(searches.by_index, asked, calls), SORTED, budget_ms=0.5,
        note=f"{searches.recall(few)} of {of}",
    )  # fmt: skip
    yield Measurement(
        UNFILTERED, time_calls(lambda one: searches.served.search(one.vector, CANDIDATES), asked, calls),
        note="without the check of country, maturity and history",
    )  # fmt: skip
    yield Measurement(
        GRAPH, time_calls(lambda one: searches.by_index(one, graph), asked, calls), SORTED,
        note=searches.recall(few, graph),
    )  # fmt: skip
    yield Measurement(SORTED, time_calls(searches.by_full_sort, asked, calls), note="exact")
    yield from _after_pages(subject, searches, calls)


def _after_pages(subject: Subject, searches: _Searches, calls: int) -> Iterator[Measurement]:
    """Measure the same right after a whole page, when the vectors must come from memory again."""
    client = create_app(subject.service).test_client()
    times: dict[str, list[float]] = {AFTER_A_PAGE: [], SORTED_AFTER_A_PAGE: []}
    ways = ((AFTER_A_PAGE, searches.by_index), (SORTED_AFTER_A_PAGE, searches.by_full_sort))
    for turn in range(WARM_UP_CALLS + 2 * calls):  # each after pages of its own: one would warm the other's
        client.get(homepage_path(subject.requests[turn % len(subject.requests)])).close()
        name, search = ways[turn % len(ways)]
        asked = subject.candidates[(turn // len(ways)) % len(subject.candidates)]
        begin = perf_counter()
        search(asked)
        if turn >= WARM_UP_CALLS:
            times[name].append((perf_counter() - begin) * 1e3)
    yield Measurement(
        AFTER_A_PAGE, summarise(times[AFTER_A_PAGE]), SORTED_AFTER_A_PAGE,
        note="each after a whole page, which uses the cache for other things",
    )  # fmt: skip
    yield Measurement(SORTED_AFTER_A_PAGE, summarise(times[SORTED_AFTER_A_PAGE]), note="exact")
