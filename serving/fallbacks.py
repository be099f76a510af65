"""What a stage answers where it failed or was switched off: the next best page, never none.

A fallback must not fail itself: it asks as little as it can of whatever may be broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from feature_repo.transforms.candidate_mix import LIMITS, POPULARITY, Merged, merge
from serving.candidates import generators as g
from serving.candidates.answer import Candidates
from serving.candidates.query import PageRequest, Query
from serving.catalogue import Rows
from serving.eligibility import Visit
from serving.members import Member, unknown_member
from serving.state import ServingState


def no_features(state: ServingState, request: PageRequest) -> Member:
    """Without the feature store everybody is somebody unknown, who may be a child."""
    return replace(unknown_member(request.user_id), maturity_limit=state.catalogue.cautious_limit)


def no_candidates(_: Query) -> Sequence[Candidates]:
    """The other generators fill the page."""
    return ()


def same_member(visit: Visit) -> Member:
    """Without vectors of their own, the member gets what needs none."""
    return visit.member


def popular_candidates(query: Query) -> Merged:
    """Without a merge, the popular titles."""
    return merge([popular_answer(query)], len(query.catalogue), {})


def popular_answer(query: Query) -> tuple[str, Rows]:
    """With nothing new to merge, the popular titles; without those, any that may be shown."""
    try:
        return POPULARITY, g.popularity(query, LIMITS[POPULARITY])[0].rows
    except Exception:  # the generator's own stage has logged it
        return g.CATALOGUE, _any_titles(query)


def _any_titles(query: Query) -> Rows:
    order = query.catalogue.newest_first
    return order[query.eligible[order]][: LIMITS[POPULARITY]]
