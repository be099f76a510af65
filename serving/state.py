"""Everything that pages are made from, in one object that is swapped by one assignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.store import TitleSnapshot
from serving.catalogue import Catalogue
from serving.clock import Clock
from serving.members import Member
from serving.models import Models
from serving.static_pages import StaticPages


@dataclass(frozen=True, slots=True, eq=False)
class ServingState:
    """Models, the catalogue they index, and the clock that fits their data. Never changed, only replaced.

    ``trained`` are the bundle's models alone; ``models`` know the titles that came after it, too.
    ``snapshot`` is what the catalogue was made of; ``static_pages`` are served where nothing else can be.
    """

    models: Models
    catalogue: Catalogue
    clock: Clock
    example_user_id: str
    """A member known to the models, for a first request."""
    vector_versions: frozenset[str]
    """The versions that the feature store's vectors of this very model bear."""
    trained: Models
    snapshot: TitleSnapshot
    static_pages: StaticPages

    @classmethod
    def of(
        cls,
        trained: Models,
        snapshot: TitleSnapshot,
        later_inputs: NDArray[np.float32],
        clock: Clock,
        example_user_id: str,
    ) -> ServingState:
        """Bring models and a snapshot together; vectors of other models are replaced by the bundle's.

        The snapshot's first rows are the bundle's titles; ``later_inputs`` (A, TITLE_INPUT_DIMENSIONS) are
        what the item tower reads of the others.
        """
        catalogue = Catalogue.prepare(snapshot)
        vectors = trained.vectors.extended(len(later_inputs))
        versions = vectors.versions_in(catalogue)
        catalogue = vectors.in_titles(catalogue, versions)
        solved = catalogue.ranking_inputs[s.TITLE_EMBEDDING]
        newly = np.isfinite(solved).all(axis=1) & ~np.isfinite(vectors.titles).all(axis=1)
        changed = len(later_inputs) or newly.any()
        models = trained.extended(later_inputs, solved) if changed else trained
        static = StaticPages.of(models, catalogue, clock().timestamp() * 1e6)
        return cls(models, catalogue, clock, example_user_id, versions, trained, snapshot, static)

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
