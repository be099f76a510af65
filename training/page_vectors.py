"""The vectors of a member on a page, in training as a server makes them: stored, or solved for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.store import FeatureGateway
from feature_repo.transforms.arrow_columns import codes_of
from feature_repo.transforms.encoding import Arrays, encode
from feature_repo.transforms.picks import Taste, first_watch, taste_at
from feature_repo.transforms.towers import context_inputs, history_weights
from feature_repo.transforms.vector_solver import VectorSolver
from training.datasets import INSTANT
from training.retrieval import Retrieval
from training.two_tower import TwoTower
from training.two_tower_examples import latest_watched

_ASKED_AT_ONCE: Final = 100_000
_NO_PICKS: Final = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class PageVectors:
    """The vectors of the members of n pages.

    ``core`` float32 (n, D): of the core model, NaN where there is none. ``solved`` bool (n,): it is not the
    stored one, but was solved from what the member had watched and picked. ``tower`` float32 (n, 256): of the
    user tower.
    """

    core: NDArray[np.float32]
    solved: NDArray[np.bool_]
    tower: NDArray[np.float32]

    def in_members(self, members: Arrays, page_of: NDArray[np.integer]) -> Arrays:
        """Return the ranker's member columns (m rows) with the vectors that were solved.

        ``page_of`` (m,) is the page of each row.
        """
        rows = np.flatnonzero(self.solved[page_of])
        if not len(rows):
            return members
        vectors = members[s.USER_EMBEDDING].copy()
        vectors[rows] = self.core[page_of[rows]]
        return {**members, s.USER_EMBEDDING: vectors}


VectorMaker = Callable[[NDArray[np.str_], NDArray[np.int64], NDArray[np.str_]], PageVectors]
"""(user_ids, instants in µs, device_types), n each, to the vectors of n pages."""


def page_vectors(
    gateway: FeatureGateway,
    retrieval: Retrieval,
    user_ids: NDArray[np.str_],
    instants: NDArray[np.int64],
    device_types: NDArray[np.str_],
) -> PageVectors:
    """Return the vectors of pages of these members at ``instants`` (µs, int64 (n,)) on these devices.

    ``retrieval`` gives the models, and the stored vectors are its own. What had been watched and picked is
    what the feature store knew at the instant.
    """
    begins = range(0, len(user_ids), _ASKED_AT_ONCE)
    slices = [slice(begin, begin + _ASKED_AT_ONCE) for begin in begins]
    parts = [_part(gateway, retrieval, user_ids[p], instants[p], device_types[p]) for p in slices]
    return _joined(parts) if parts else _nothing(retrieval)


def _part(
    gateway: FeatureGateway,
    retrieval: Retrieval,
    user_ids: NDArray[np.str_],
    instants: NDArray[np.int64],
    device_types: NDArray[np.str_],
) -> PageVectors:
    asked = pa.table({s.USER_ID: user_ids, s.EVENT_TIMESTAMP: pa.array(instants).cast(INSTANT)})
    answer = gateway.historical("taste_members", asked)
    vocabulary = pa.array(retrieval.tower.title_ids.tolist(), pa.string())
    codes, fractions = latest_watched(answer, vocabulary)
    context = context_inputs(instants.astype(np.float64), device_types)
    weights = np.where(codes >= 0, history_weights(fractions), 0)
    tower = retrieval.tower.user_vectors(np.maximum(codes, 0), weights, context)
    core, solved = _stored(retrieval, user_ids), np.zeros(len(user_ids), dtype=bool)
    factors = retrieval.factors
    solver = VectorSolver.of(factors.title_factors, factors.user_factors, factors.confidence)
    picks, first_watched_at = _picks(answer, vocabulary)
    unsettled = set(np.flatnonzero(np.isnan(core).any(axis=1)).tolist()).union(picks)
    for page in sorted(unsettled):
        watched = codes[page] >= 0
        taste, picks_count = taste_at(
            float(instants[page]), float(first_watched_at[page]),
            codes[page][watched], fractions[page][watched], picks.get(page, _NO_PICKS),
        )  # fmt: skip
        vector = solver.solved(core[page], taste, picks_count)
        if vector is not None:
            core[page], solved[page] = vector, True
        if picks_count:
            tower[page] = _of_taste(retrieval.tower, taste, context[page : page + 1])
    return PageVectors(core, solved, tower)


def _of_taste(tower: TwoTower, taste: Taste, context: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the user tower's vector (256,) of what was watched and picked."""
    rows = taste.rows[None, :].astype(np.int32)
    vector: NDArray[np.float32] = tower.user_vectors(rows, taste.history_weights[None, :], context)[0]
    return vector


def _picks(
    answer: pa.Table, vocabulary: pa.StringArray
) -> tuple[dict[int, NDArray[np.int32]], NDArray[np.float64]]:
    """Return what members picked, by row as places in ``vocabulary``, and when each first watched."""
    picked = encode(s.USER_PICKS, {s.SELECTED_TITLE_IDS: answer.column(s.SELECTED_TITLE_IDS)})
    first = encode(s.USER_SNAPSHOT, {s.FIRST_WATCHED_AT: answer.column(s.FIRST_WATCHED_AT)})
    session = encode(s.USER_SESSION, {s.SESSION_WATCHED_AT: answer.column(s.SESSION_WATCHED_AT)})
    places = {}
    for row, names in enumerate(picked[s.SELECTED_TITLE_IDS]):
        if names:  # few have any
            found = codes_of(pa.chunked_array([pa.array(names, pa.string())]), vocabulary)
            places[row] = found[found >= 0]
    return places, first_watch(first[s.FIRST_WATCHED_AT], session[s.SESSION_WATCHED_AT])


def _joined(parts: Sequence[PageVectors]) -> PageVectors:
    return PageVectors(
        np.concatenate([part.core for part in parts]),
        np.concatenate([part.solved for part in parts]),
        np.concatenate([part.tower for part in parts]),
    )


def _nothing(retrieval: Retrieval) -> PageVectors:
    core = np.empty((0, retrieval.factors.title_factors.shape[1]), dtype=np.float32)
    tower = np.empty((0, s.TWO_TOWER_DIMENSIONS), dtype=np.float32)
    return PageVectors(core, np.empty(0, dtype=bool), tower)


def _stored(retrieval: Retrieval, user_ids: NDArray[np.str_]) -> NDArray[np.float32]:
    """Return the vectors that the training of ``retrieval`` stored, NaN where it had none."""
    rows = retrieval.matrix.user_rows(user_ids)
    vectors = retrieval.factors.user_factors[np.maximum(rows, 0)].copy()
    vectors[(rows < 0) | ~vectors.any(axis=1)] = np.nan
    return vectors
