"""Who watched what, and how far: the sparse matrix that collaborative models are fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class InteractionMatrix:
    """Watch fractions by member and title.

    ``user_ids``: unicode [U]. ``title_ids``: unicode [T], the catalogue in its own order.
    ``fractions``: float32 (U, T), 0 to 1; a stored zero is an observation (started and left at once),
    an entry that is not stored is not. Members and titles may have empty rows and columns.
    """

    user_ids: NDArray[np.str_]
    title_ids: NDArray[np.str_]
    fractions: csr_matrix

    @classmethod
    def build(
        cls,
        user_ids: NDArray[np.str_],
        title_ids: NDArray[np.str_],
        watch_fractions: NDArray[np.floating],
        catalogue: NDArray[np.str_],
        members: NDArray[np.str_] | None = None,
    ) -> InteractionMatrix:
        """Build from parallel arrays, one element per observation.

        A pair observed more than once keeps its highest fraction. Rows follow ``members`` where
        given, else the sorted distinct ``user_ids``; columns follow ``catalogue``.
        Raises ``ValueError`` for unequal lengths, for fractions outside 0 to 1, and for a member or
        title that is not among those given.
        """
        if not len(user_ids) == len(title_ids) == len(watch_fractions):
            lengths = (len(user_ids), len(title_ids), len(watch_fractions))
            raise ValueError(f"user_ids, title_ids and watch_fractions differ in length: {lengths}")
        fractions = np.asarray(watch_fractions, dtype=np.float32)
        if not np.all((fractions >= 0) & (fractions <= 1)):
            raise ValueError("watch_fractions must be within 0 to 1 and not NaN: clean them first")
        known_users = np.unique(user_ids) if members is None else members
        rows = _known_rows(user_ids, known_users, "user_id", "members")
        columns = _known_rows(title_ids, catalogue, "title_id", "catalogue")
        kept = highest_per_pair(rows, columns, fractions)
        rows, columns, fractions = rows[kept], columns[kept], fractions[kept]
        indptr = np.searchsorted(rows, np.arange(len(known_users) + 1))
        matrix = csr_matrix(
            (fractions, columns.astype(np.int32), indptr.astype(np.int32)),
            shape=(len(known_users), len(catalogue)),
        )
        return cls(np.asarray(known_users), np.asarray(catalogue), matrix)

    @cached_property
    def title_viewers(self) -> NDArray[np.int64]:
        """Members who started each title, [T]."""
        return np.bincount(self.fractions.indices, minlength=len(self.title_ids)).astype(np.int64)

    @cached_property
    def user_titles(self) -> NDArray[np.int64]:
        """Titles that each member started, [U]."""
        counts: NDArray[np.int64] = np.diff(self.fractions.indptr).astype(np.int64)
        return counts

    def positives(self, minimum_fraction: float) -> csr_matrix:
        """Return a float32 matrix of ones where at least ``minimum_fraction`` was watched."""
        coordinates = self.fractions.tocoo()
        kept = coordinates.data >= minimum_fraction
        ones = np.ones(int(kept.sum()), dtype=np.float32)
        places = (coordinates.row[kept], coordinates.col[kept])
        return csr_matrix((ones, places), shape=self.fractions.shape)

    def user_rows(self, user_ids: NDArray[np.str_]) -> NDArray[np.int64]:
        """Return the row of each member, -1 where unknown."""
        return rows_of(user_ids, self.user_ids)

    def title_rows(self, title_ids: NDArray[np.str_]) -> NDArray[np.int64]:
        """Return the column of each title, -1 where unknown."""
        return rows_of(title_ids, self.title_ids)


def rows_of(wanted: NDArray[np.str_], known: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return the place of each ``wanted`` id in ``known`` (distinct, any order), -1 where absent."""
    if len(known) == 0:
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(known, kind="stable")
    places = np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)
    found = order[places]
    return np.where(known[found] == wanted, found, -1).astype(np.int64)


def highest_per_pair(
    rows: NDArray[np.int64], columns: NDArray[np.int64], fractions: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Return the place of the highest fraction of each distinct (row, column), ordered by the pair."""
    order = np.lexsort((fractions, columns, rows))
    ordered_rows, ordered_columns = rows[order], columns[order]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (ordered_rows[1:] != ordered_rows[:-1]) | (ordered_columns[1:] != ordered_columns[:-1])
    return order[last]


def _known_rows(ids: NDArray[np.str_], known: NDArray[np.str_], field: str, given: str) -> NDArray[np.int64]:
    rows = rows_of(ids, known)
    if (rows < 0).any():
        stranger = ids[int(np.argmax(rows < 0))]
        raise ValueError(f"{field} {str(stranger)!r} is not in {given}: add it there or drop its rows")
    return rows
