"""From 500 ranked candidates to a finished page, beside a greedy re-ranking of all, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from feature_repo.page.assembly import assemble
from feature_repo.page.exploration import draws_of
from feature_repo.page.rules import PageRules
from serving.homepage import HomepageMaker, MadePage
from serving.metrics import Unobserved
from serving.page.ingredients import ingredients_of
from serving.tiles import describe
from tests.benchmarks.results import Measurement
from tests.benchmarks.subject import Subject
from tests.benchmarks.timing import Effort, time_calls

ASSEMBLY: Final = "page of 500 candidates"
NAIVE: Final = "page of 500 candidates, naive MMR"
BUDGET_MS: Final = 1.5
_TILES: Final = 60


def measure_assembly(subject: Subject, effort: Effort) -> Iterator[Measurement]:
    """Measure rows, variety, exploration and reasons, for each kind of variety."""
    maker = HomepageMaker(subject.gateway, Unobserved())
    pages = [maker.make(subject.state, request) for request in subject.requests]
    for variety in ("mmr", "none", "dpp"):
        rules = PageRules(variety=variety)
        timing = time_calls(lambda made, rules=rules: _assembled(made, rules), pages, effort.calls)
        if variety == PageRules().variety:
            yield Measurement(ASSEMBLY, timing, NAIVE, BUDGET_MS, f"{variety}; names and reasons included")
        else:
            yield Measurement(f"{ASSEMBLY}, {variety}", timing, NAIVE)
    naive = time_calls(_naive, pages, effort.calls)
    yield Measurement(NAIVE, naive, note=f"one list of {_TILES}, no rows, no rules, no names")


def _assembled(made: MadePage, rules: PageRules) -> object:
    found = made.assembled
    parts = ingredients_of(made.query, found.ranked, made.answers, rules)
    page = assemble(parts, rules, draws_of(made.homepage.page_id))
    return describe(made.query, page, found.merged, found.ranked)


def _naive(made: MadePage) -> object:
    """Weigh every candidate against every title chosen so far, tile by tile."""
    shelf = made.assembled.parts.shelf
    vectors, relevance = shelf.vectors_of(range(len(shelf))), shelf.scaled_relevance(75)
    chosen = [0]
    left = np.ones(len(shelf), dtype=np.bool_)
    left[0] = False
    while len(chosen) < min(_TILES, len(shelf)):
        worth = 0.8 * relevance - 0.2 * (vectors @ vectors[chosen].T).max(axis=1)
        best = int(np.where(left, worth, -np.inf).argmax())
        left[best] = False
        chosen.append(best)
    return chosen
