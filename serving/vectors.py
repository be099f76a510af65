"""The vectors of one model, kept apart from those of any other: vectors of two trainings do not compare.

A training brings its vectors online before its bundle comes into service, and an older bundle can be put
back. Between the two the store holds vectors of another model than the one that serves; then the bundle's
own, which it carries for every member and title of its training, stand in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from serving.catalogue import Catalogue
from serving.members import Member
from training.bundle import BundleContents

_RELATIVE, _ABSOLUTE = 1e-4, 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class ModelVectors:
    """A bundle's vectors as the feature store would give them: ``titles`` (T, d), NaN where there is none."""

    titles: NDArray[np.float32]
    users: NDArray[np.float32]
    row_of_user: dict[str, int]

    @classmethod
    def of(cls, contents: BundleContents) -> ModelVectors:
        """Take the vectors of a bundle, whose zero rows mean "none"."""
        return cls(
            _nan_for_none(contents.title_factors),
            _nan_for_none(contents.user_factors),
            {user_id: row for row, user_id in enumerate(contents.user_ids.tolist())},
        )

    def extended(self, titles: int) -> ModelVectors:
        """Return these vectors with ``titles`` more rows, of which the model knows nothing."""
        unknown = np.full((titles, self.titles.shape[1]), np.nan, dtype=np.float32)
        return ModelVectors(np.concatenate([self.titles, unknown]), self.users, self.row_of_user)

    def of_member(self, user_id: str) -> NDArray[np.float32]:
        """Return a member's vector (1, d), NaN for somebody the training did not know."""
        row = self.row_of_user.get(user_id)
        if row is None:
            return self._nothing()
        return self.users[row : row + 1]

    def _nothing(self) -> NDArray[np.float32]:
        return np.full((1, self.titles.shape[1]), np.nan, dtype=np.float32)

    def versions_in(self, catalogue: Catalogue) -> frozenset[str]:
        """Return the store's model versions that are this model: all their title vectors equal ours.

        The name alone would not tell: a second training on the same data bears the same.
        """
        stored, versions = catalogue.ranking_inputs[s.TITLE_EMBEDDING], catalogue.model_versions
        comparable = np.isfinite(stored).all(axis=1) & np.isfinite(self.titles).all(axis=1)
        same = np.isclose(stored, self.titles, _RELATIVE, _ABSOLUTE).all(axis=1)
        equal, other = versions[comparable & same], versions[comparable & ~same]
        return frozenset(equal.tolist()) - frozenset(other.tolist())

    def in_titles(self, catalogue: Catalogue, versions: frozenset[str]) -> Catalogue:
        """Return the catalogue with our vectors where it holds those of another model."""
        stored = catalogue.ranking_inputs[s.TITLE_EMBEDDING]
        foreign = np.isfinite(stored).all(axis=1) & ~np.isin(catalogue.model_versions, sorted(versions))
        if not foreign.any():
            return catalogue
        vectors = np.where(foreign[:, None], self.titles, stored)
        return replace(catalogue, ranking_inputs={**catalogue.ranking_inputs, s.TITLE_EMBEDDING: vectors})

    def in_member(self, member: Member, versions: frozenset[str]) -> Member:
        """Return the member with our vector, or none, where theirs is of another model."""
        if member.model_version in versions:
            return member
        vector = self._nothing() if member.forgotten else self.of_member(member.user_id)
        features = {**member.features, s.USER_EMBEDDING: vector}
        return replace(member, features=features)


def _nan_for_none(factors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(factors.any(axis=1, keepdims=True), factors, np.float32(np.nan))
