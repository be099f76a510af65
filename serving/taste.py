"""A member's vectors at the instant of a request: stored, or solved from what they watched and picked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.fold_in import updated_vector
from feature_repo.transforms.picks import Taste, taste_at
from feature_repo.transforms.towers import context_inputs, user_tower
from serving.eligibility import Visit
from serving.members import Member


def with_taste(visit: Visit) -> Member:
    """Return the visit's member with an ALS vector and a two-tower vector, where their taste is known.

    The stored ALS vector is taken with what was watched since it was trained. Where there is none, or where
    what the member picked at sign-up still counts, the vector is solved from the latest titles and the picks,
    with other members as a prior.
    """
    member, models = visit.member, visit.state.models.taste
    if not member.personal:
        return member
    rows, fractions = _history(visit)
    row_of = visit.state.catalogue.row_of
    picked = np.array([row_of[title] for title in member.picks if title in row_of], dtype=np.int64)
    taste, picks_count = taste_at(visit.request.now_us, member.first_watched_at, rows, fractions, picked)
    solved = models.solver.solved(member.embedding, taste, picks_count)
    if solved is None:
        member = replace(member, als_vector=_updated(visit))
    else:
        member = replace(member, features={**member.features, s.USER_EMBEDDING: solved[None, :]})
    return replace(member, tower_vector=_tower_vector(visit, taste))


def vector_source(visit: Visit, member: Member) -> str:
    """Return where the ALS vector came from that :func:`with_taste` gave the visit's member.

    ``stored``; ``updated`` with what was watched since; of the ``bundle``, where the store's is of another
    model; ``folded_in`` from latest titles and picks; or ``none``: charts of the country fill the page.
    """
    if member.embedding is None:
        return "none"
    if member.als_vector is not None:
        return "updated"
    if member.features is not visit.member.features:
        return "folded_in"
    return "stored" if member.model_version in visit.state.vector_versions else "bundle"


def _updated(visit: Visit) -> NDArray[np.float32] | None:
    """Return the stored ALS vector with what the member has watched since; None where that is nothing."""
    member, solver, row_of = visit.member, visit.state.models.taste.solver, visit.state.catalogue.row_of
    stored, before = member.embedding, frozenset(member.history)
    since = [(row_of[t], fraction) for t, fraction in member.recent if t in row_of and t not in before]
    if stored is None or solver.confidence is None or not since or not before:
        return None
    rows, fractions = zip(*since, strict=True)
    watched = np.array([row_of[title] for title in member.history if title in row_of], dtype=np.int64)
    return updated_vector(
        stored, watched, np.array(rows, dtype=np.int64), np.array(fractions, dtype=np.float32),
        solver.title_factors, solver.gram, solver.confidence,
    )  # fmt: skip


def _history(visit: Visit) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    row_of = visit.state.catalogue.row_of
    known = [(row_of[title], fraction) for title, fraction in visit.member.recent if title in row_of]
    rows = np.array([row for row, _ in known], dtype=np.int64)
    return rows, np.array([fraction for _, fraction in known], dtype=np.float32)


def _tower_vector(visit: Visit, taste: Taste) -> NDArray[np.float32]:
    weights = visit.state.models.taste.tower_weights
    learned = taste.rows < len(weights["history"])
    counts = taste.history_weights[learned]
    context = context_inputs(np.array([visit.request.now_us]), np.array([visit.request.device]))
    vector: NDArray[np.float32] = user_tower(weights, taste.rows[learned][None, :], counts[None, :], context)[
        0
    ]
    return vector
