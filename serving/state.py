"""Everything that pages are made from, in one object that is swapped by one assignment."""

from __future__ import annotations

from dataclasses import dataclass

from serving.catalogue import Catalogue
from serving.clock import Clock
from serving.members import Member
from serving.models import Models


@dataclass(frozen=True, slots=True, eq=False)
class ServingState:
    """Models, the catalogue they index, and the clock that fits their data. Never changed, only replaced."""

    models: Models
    catalogue: Catalogue
    clock: Clock
    example_user_id: str
    """A member known to the models, for a first request."""
    vector_versions: frozenset[str]
    """The versions that the feature store's vectors of this very model bear."""

    @classmethod
    def of(cls, models: Models, catalogue: Catalogue, clock: Clock, example_user_id: str) -> ServingState:
        """Bring models and a snapshot together; vectors of other models are replaced by the bundle's."""
        versions = models.vectors.versions_in(catalogue)
        return cls(models, models.vectors.in_titles(catalogue, versions), clock, example_user_id, versions)

    def with_catalogue(self, catalogue: Catalogue) -> ServingState:
        """Return this state on a fresher snapshot of the same titles."""
        return ServingState.of(self.models, catalogue, self.clock, self.example_user_id)

    def understood(self, member: Member) -> Member:
        """Return the member with a vector that compares with this state's titles, or with none."""
        return self.models.vectors.in_member(member, self.vector_versions)


class StateHolder:
    """Where the state of the day lies. A request takes it once and keeps it to its end."""

    def __init__(self) -> None:
        self._state: ServingState | None = None

    @property
    def current(self) -> ServingState | None:
        """The state, or None before the first bundle is ready."""
        return self._state

    def swap(self, state: ServingState) -> None:
        """Put another state in place; requests under way finish on theirs."""
        self._state = state
