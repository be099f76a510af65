"""Which titles a member may be shown, here and now: filter by filter, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from serving.candidates.query import PageRequest, Query
from serving.catalogue import Mask
from serving.members import Member
from serving.state import ServingState


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A request with the member who makes it and the state it is answered from."""

    state: ServingState
    request: PageRequest
    member: Member

    @property
    def country(self) -> str:
        """The request's country, else the profile's; ``""`` where unknown."""
        return self.member.country if self.request.country is None else self.request.country

    def query(self, allowed: Allowed) -> Query:
        """Return what the generators are asked, once it is known which titles may be shown."""
        state = self.state
        return Query(
            self.request, self.member, self.country, allowed.new, allowed.begun, state.catalogue, state.models
        )


@dataclass(frozen=True, slots=True, eq=False)
class Allowed:
    """Which titles may be shown: as something ``new``, and to go on with, if they were ``begun``.

    ``removed`` says, filter by filter, which titles each would leave out of the whole catalogue.
    """

    new: Mask
    begun: Mask
    removed: dict[str, Mask] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filter:
    """A reason for which titles are not shown: its name, and (visit) to the titles it removes, (T,).

    One that ``spares_begun`` lets titles through that the member has begun.
    """

    name: str
    removes: Callable[[Visit], Mask]
    spares_begun: bool = False


FILTERS: Final = (
    Filter("not_available", lambda visit: visit.state.catalogue.unavailable(visit.request.now_us)),
    Filter("country", lambda visit: visit.state.catalogue.outside(visit.country)),
    Filter("maturity", lambda visit: visit.state.catalogue.unsuitable(visit.member.maturity_limit)),
    Filter("hidden", lambda visit: visit.state.catalogue.among(visit.member.hidden)),
    Filter("watched", lambda visit: visit.state.catalogue.among(visit.member.watched), spares_begun=True),
)


def eligible_titles(visit: Visit) -> Allowed:
    """Return the titles that no filter removes, and what each removed."""
    removed = {one.name: one.removes(visit) for one in FILTERS}
    begun = ~np.logical_or.reduce([removed[one.name] for one in FILTERS if not one.spares_begun])
    new = begun & ~np.logical_or.reduce([removed[one.name] for one in FILTERS if one.spares_begun])
    return Allowed(new, begun, removed)


def surely_eligible_titles(visit: Visit) -> Allowed:
    """Return only titles that anybody may be shown anywhere, or none where not even that can be told."""
    catalogue = visit.state.catalogue
    try:
        limit = visit.member.maturity_limit
        cautious = catalogue.cautious_limit if np.isnan(limit) else limit
        offered = catalogue.offered_to_all(cautious, visit.request.now_us)
        return Allowed(offered, offered)
    except Exception:  # the stage has logged what is wrong; showing nothing is the only safe answer left
        nothing = np.zeros(len(catalogue), dtype=np.bool_)
        return Allowed(nothing, nothing)
