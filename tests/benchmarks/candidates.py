"""Every candidate generator by itself, the merge, and all of them together, as a page asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.candidate_mix import merge
from serving.candidates.generators import GENERATORS, CandidateGenerator
from serving.candidates.query import Query
from serving.settings import ServingSettings
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import WARM_UP_CALLS, Effort, summarise, time_calls

ALL: Final = "all generators and merge"
IN_TURN: Final = "all on: generator "
MERGE: Final = "merge"
_LIMITS: Final = {name: chosen.limit for name, chosen in ServingSettings().generators.items()}


def measure_candidates(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Measure each generator by itself and among the others, the merge of their answers, and the whole."""
    queries = [one.query for one in subject.candidates]
    for generator in GENERATORS:
        yield Measurement(
            f"generator {generator.name}",
            time_calls(_asked(generator), queries, effort.calls),
            budget_ms=generator.budget_ms,
        )
    yield from _in_turn(queries, effort.calls)
    answered = [(query, _proposals(query)) for query in queries]
    proposals = np.mean([sum(len(rows) for _, rows in found) for _, found in answered])
    yield Measurement(
        MERGE,
        time_calls(lambda one: _merged(*one), answered, effort.calls),
        note=f"{proposals:.0f} proposals",
    )
    yield Measurement(ALL, time_calls(lambda query: _merged(query, _proposals(query)), queries, effort.calls))


def _in_turn(queries: Sequence[Query], calls: int) -> Iterator[Measurement]:
    """Measure each generator among the others, which use the cache for vectors and charts of their own."""
    times: dict[str, list[float]] = {generator.name: [] for generator in GENERATORS}
    for turn in range(WARM_UP_CALLS + calls):
        for generator in GENERATORS:
            begin = perf_counter()
            generator.propose(queries[turn % len(queries)], _LIMITS[generator.name])
            times[generator.name].append((perf_counter() - begin) * 1e3)
    for generator in GENERATORS:
        timing = summarise(times[generator.name][WARM_UP_CALLS:])
        yield Measurement(f"{IN_TURN}{generator.name}", timing, budget_ms=generator.budget_ms)


def _asked(generator: CandidateGenerator) -> Callable[[Query], object]:
    return lambda query: generator.propose(query, _LIMITS[generator.name])


def _proposals(query: Query) -> list[tuple[str, NDArray[np.intp]]]:
    return [
        (generator.name, answer.rows)
        for generator in GENERATORS
        for answer in generator.propose(query, _LIMITS[generator.name])
    ]


def _merged(query: Query, proposals: list[tuple[str, NDArray[np.intp]]]) -> object:
    return merge(proposals, len(query.catalogue), query.models.hit_rates)
