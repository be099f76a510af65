"""What a stage answers where it failed or was switched off: the next best page, never none.

A fallback must not fail itself: it asks as little as it can of whatever may be broken.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from serving.candidates import generators as g
from serving.candidates.answer import Candidates, SeedNeighbours
from serving.candidates.merge import Merged, merge
from serving.candidates.query import PageRequest, Query
from serving.members import Member, unknown_member
from serving.state import ServingState


def no_features(state: ServingState, request: PageRequest) -> Member:
    """Without the feature store everybody is somebody unknown, who may be a child."""
    return replace(unknown_member(request.user_id), maturity_limit=state.catalogue.cautious_limit)


def no_candidates(_: Query) -> Candidates:
    """The other generators fill the page."""
    return Candidates.none()


def no_neighbours(_: Query) -> tuple[SeedNeighbours, ...]:
    """A page without rows for seeds."""
    return ()


def popular_candidates(query: Query) -> Merged:
    """Without a merge, or with nothing to merge, the popular titles; without those, any that may be shown."""
    try:
        answer = (g.POPULARITY, g.popularity(query))
    except Exception:  # the generator's own stage has logged it
        answer = (g.CATALOGUE, _any_titles(query))
    return merge([answer], len(query.catalogue))


def _any_titles(query: Query) -> Candidates:
    order = query.catalogue.newest_first
    rows = order[query.eligible[order]][: g.POPULARITY_CANDIDATES]
    return Candidates(rows, np.zeros(len(rows), dtype=np.float32))
