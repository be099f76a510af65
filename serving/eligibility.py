"""Which titles a member may be shown, here and now."""

from __future__ import annotations

from dataclasses import dataclass

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
    """Which titles may be shown: as something ``new``, and to go on with, if they were ``begun``."""

    new: Mask
    begun: Mask


def eligible_titles(visit: Visit) -> Allowed:
    """Return the titles offered in the country, suitable and available: all, and those not watched."""
    catalogue = visit.state.catalogue
    limit, now_us = visit.member.maturity_limit, visit.request.now_us
    begun = catalogue.eligible(visit.country, limit, now_us, ())
    return Allowed(catalogue.without(begun, visit.member.watched), begun)


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
