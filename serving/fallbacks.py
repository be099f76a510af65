"""What a stage answers where it failed or was switched off: the next best page, never none."""

from __future__ import annotations

from serving.candidates import generators as g
from serving.candidates.answer import Candidates, SeedNeighbours
from serving.candidates.merge import Merged, merge
from serving.candidates.query import PageRequest, Query
from serving.members import Member, unknown_member
from serving.page.ranked import Ranked, by_popularity, by_retrieval


def no_features(request: PageRequest) -> Member:
    """Without the feature store everybody is somebody unknown."""
    return unknown_member(request.user_id)


def no_candidates(_: Query) -> Candidates:
    """The other generators fill the page."""
    return Candidates.none()


def no_neighbours(_: Query) -> tuple[SeedNeighbours, ...]:
    """A page without rows for seeds."""
    return ()


def popular_candidates(query: Query) -> Merged:
    """Without a merge, the popular titles alone."""
    return merge([(g.POPULARITY, g.popularity(query))], len(query.catalogue))


def without_ranker(query: Query, merged: Merged) -> Ranked:
    """The order of retrieval for a member with taste, popularity for one without."""
    return by_retrieval(merged) if query.member.personal else by_popularity(query, merged)
