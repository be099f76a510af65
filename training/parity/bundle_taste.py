"""What a bundle makes of a member and of titles, as its server does: their vectors, and how near they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.encoding import Arrays
from feature_repo.transforms.latest_titles import latest_titles
from feature_repo.transforms.picks import Taste, first_watch, taste_at
from feature_repo.transforms.towers import context_inputs, user_tower
from feature_repo.transforms.vector_solver import VectorSolver
from training.bundle import BundleContents

_RELATIVE, _ABSOLUTE = 1e-4, 1e-6
"""As servers compare the store's vectors with the bundle's."""


@dataclass(frozen=True)
class BundleTaste:
    """The models of one bundle that members' vectors are made with."""

    contents: BundleContents

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {title: row for row, title in enumerate(self.contents.title_ids.tolist())}

    @cached_property
    def _user_row(self) -> dict[str, int]:
        return {user: row for row, user in enumerate(self.contents.user_ids.tolist())}

    @cached_property
    def _solver(self) -> VectorSolver:
        contents = self.contents
        return VectorSolver.of(contents.title_factors, contents.user_factors, contents.confidence)

    def rows(self, title_ids: NDArray[np.str_]) -> NDArray[np.int64]:
        """Return the bundle's row of each title, -1 for those that came after it."""
        return np.array([self._row_of.get(title, -1) for title in title_ids.tolist()], dtype=np.int64)

    def versions_in(self, title_ids: NDArray[np.str_], titles: Arrays) -> frozenset[str]:
        """Return the versions of stored title vectors that are of this bundle: all of them equal its own."""
        stored, versions = titles[s.TITLE_EMBEDDING], titles[s.MODEL_VERSION]
        own = self.title_vectors(title_ids)
        comparable = np.isfinite(stored).all(axis=1) & np.isfinite(own).all(axis=1)
        same = np.isclose(stored, own, _RELATIVE, _ABSOLUTE).all(axis=1)
        equal, other = versions[comparable & same], versions[comparable & ~same]
        return frozenset(equal.tolist()) - frozenset(other.tolist())

    def title_vectors(self, title_ids: NDArray[np.str_]) -> NDArray[np.float32]:
        """Return the bundle's own ALS vectors (n, d), NaN where it has none."""
        rows = self.rows(title_ids)
        vectors = self.contents.title_factors[np.maximum(rows, 0)].copy()
        vectors[(rows < 0) | ~vectors.any(axis=1)] = np.nan
        return vectors

    def tower_title_vectors(self, title_ids: NDArray[np.str_]) -> NDArray[np.float32]:
        """Return the item tower's vectors (n, 256), NaN for titles that came after the bundle."""
        rows = self.rows(title_ids)
        vectors = self.contents.tower_title_vectors[np.maximum(rows, 0)].copy()
        vectors[rows < 0] = np.nan
        return vectors

    def member(
        self, user_id: str, stored: Arrays, versions: frozenset[str], now_us: float, device: str
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the ALS vector (d,) that the ranker reads of a member, and their two-tower vector (256,).

        ``stored`` is one row of what the page read of the member. The stored ALS vector counts where it is of
        this bundle; else the bundle's own. Somebody without one, or whose picks at sign-up still count, has
        one solved from what they watched and picked.
        """
        vector = stored[s.USER_EMBEDDING][0]
        if str(stored[s.MODEL_VERSION][0]) not in versions:
            vector = self._own_vector(user_id)
        taste, picks_count = self._taste(stored, now_us)
        solved = self._solver.solved(vector, taste, picks_count)
        vector = vector if solved is None else solved
        weights = self.contents.tower_weights
        context = context_inputs(np.array([now_us]), np.array([device]))
        tower: NDArray[np.float32] = user_tower(
            weights, taste.rows[None, :], taste.history_weights[None, :], context
        )[0]
        return vector, tower

    def _own_vector(self, user_id: str) -> NDArray[np.float32]:
        row = self._user_row.get(user_id)
        if row is not None and self.contents.user_factors[row].any():
            vector: NDArray[np.float32] = self.contents.user_factors[row]
            return vector
        return np.full(self.contents.title_factors.shape[1], np.nan, dtype=np.float32)

    def _taste(self, stored: Arrays, now_us: float) -> tuple[Taste, bool]:
        """Return the titles that taste is made of, and whether picks still count."""
        latest = latest_titles(
            stored[s.SESSION_TITLE_IDS][0], stored[s.SESSION_WATCH_FRACTIONS][0],
            stored[s.RECENT_TITLE_IDS][0], stored[s.RECENT_WATCH_FRACTIONS][0],
        )  # fmt: skip
        row_of = self._row_of
        known: list[tuple[int, Any]] = [(row_of[t], fraction) for t, fraction in latest if t in row_of]
        rows = np.array([row for row, _ in known], dtype=np.int64)
        fractions = np.array([fraction for _, fraction in known], dtype=np.float32)
        first = float(first_watch(stored[s.FIRST_WATCHED_AT], stored[s.SESSION_WATCHED_AT])[0])
        picks = [row_of[t] for t in map(str, stored[s.SELECTED_TITLE_IDS][0]) if t in row_of]
        return taste_at(now_us, first, rows, fractions, np.array(picks, dtype=np.int64))
