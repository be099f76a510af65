from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.transforms.calendar import epoch_microseconds
from serving.candidates.query import PageRequest
from serving.eligibility import Visit
from serving.members import Member, read_member
from serving.taste import vector_source, with_taste
from training.bundle import BundleContents


def taste_of(small: Any, user_id: str, **changed: Any) -> Member:
    now = small.time[0]
    member = read_member(small.features, user_id, now)
    return with_taste(Visit(small.service.state, PageRequest(user_id, "tv", now), replace(member, **changed)))


def solved_by_hand(
    contents: BundleContents, watched: dict[int, float], says: dict[int, float] | None = None
) -> np.ndarray:
    """The most probable vector under the prior, written out over the whole catalogue.

    Of some titles watched, evidence ``says`` less than all: it moves their terms that far from the unwatched.
    """
    confidence = contents.confidence
    assert confidence is not None
    fractions = np.zeros(len(contents.title_ids))
    fractions[list(watched)] = list(watched.values())
    seen = np.isin(np.arange(len(fractions)), list(watched))
    weight = np.where(seen, 1 + confidence.alpha * fractions, 0.1)
    likes = (seen & (fractions >= confidence.minimum_fraction)) * 1.0
    for row, share in (says or {}).items():
        full, weight[row] = weight[row], 0.1 + share * (weight[row] - 0.1)
        likes[row] *= share * full / weight[row]  # so that weight * likes is share * full
    y, users = contents.title_factors.astype(np.float64), contents.user_factors.astype(np.float64)
    precision = 0.5 * np.linalg.inv(np.cov(users.T) + 1e-4 * np.eye(y.shape[1]))
    left = y.T @ (weight[:, None] * y) + precision
    wanted: np.ndarray = np.linalg.solve(left, y.T @ (weight * likes) + precision @ users.mean(axis=0))
    return wanted


def test_a_stored_vector_is_taken_as_it_is(small: Any, contents: BundleContents) -> None:
    vector = taste_of(small, "ana").embedding
    assert vector is not None
    np.testing.assert_array_equal(vector, contents.title_factors[3])


def test_a_title_watched_since_moves_the_vector_that_retrieval_searches_with_and_not_the_rankers(
    small: Any, contents: BundleContents
) -> None:
    before = taste_of(small, "ana")
    history = tuple(title for title, _ in before.recent)
    after = taste_of(small, "ana", history=history, recent=(("t030", 0.9), *before.recent))
    confidence, y = contents.confidence, contents.title_factors.astype(np.float64)
    assert confidence is not None
    rows = [small.service.state.catalogue.row_of[title] for title in history]
    left = y.T @ y + confidence.regularization * np.eye(128) + 5 * y[rows].T @ y[rows]  # alpha 10, halfway
    right = left @ y[3]
    weight = 1 + 10 * 0.9
    left += (weight - 1) * np.outer(y[30], y[30])
    np.testing.assert_allclose(after.embedding, np.linalg.solve(left, right + weight * y[30]), atol=1e-3)
    np.testing.assert_array_equal(after.features[s.USER_EMBEDDING], before.features[s.USER_EMBEDDING])


def test_titles_of_the_history_do_not_move_the_vector_again(small: Any, contents: BundleContents) -> None:
    before = taste_of(small, "ana")
    after = taste_of(small, "ana", history=tuple(title for title, _ in before.recent))
    np.testing.assert_array_equal(after.embedding, contents.title_factors[3])


def test_picks_make_a_vector_of_half_a_completed_watch_each(small: Any, contents: BundleContents) -> None:
    member = taste_of(small, "eve", picks=("t005", "t017", "no title of ours"))
    assert member.personal
    np.testing.assert_allclose(member.embedding, solved_by_hand(contents, {5: 0.5, 17: 0.5}), atol=2e-3)
    assert member.tower_vector is not None


def test_who_has_picks_that_still_count_is_solved_anew_from_both(
    small: Any, contents: BundleContents
) -> None:
    first = epoch_microseconds(small.time[0] - timedelta(hours=36))
    member = taste_of(small, "ana", picks=("t005",), first_watched_at=float(first))
    watched = {10: 0.9, 11: 0.2, 20: 0.8}
    expected = solved_by_hand(contents, watched | {5: 0.5}, says={5: 0.5})
    np.testing.assert_allclose(member.embedding, expected, atol=2e-3)


def test_a_pick_that_is_nearly_gone_is_no_sign_against_its_title(small: Any) -> None:
    watched_for = [timedelta(hours=hours) for hours in (56, 60, 71.9)]
    instants = [float(epoch_microseconds(small.time[0] - since)) for since in watched_for]
    factor = small.service.state.models.title_factors[5]
    scores = [
        float(factor @ taste_of(small, "eve", picks=("t005",), first_watched_at=first).embedding)
        for first in instants
    ]
    assert scores[0] > scores[1] > scores[2]
    assert scores[0] - scores[1] < 4 * (scores[1] - scores[2])  # no cliff where it falls below a fraction


def test_after_72_hours_of_viewing_picks_count_no_more(small: Any, contents: BundleContents) -> None:
    first = epoch_microseconds(small.time[0] - timedelta(hours=72))
    with_picks = taste_of(small, "ana", picks=("t005",), first_watched_at=float(first))
    plain = taste_of(small, "ana")
    np.testing.assert_array_equal(with_picks.embedding, plain.embedding)
    np.testing.assert_array_equal(with_picks.tower_vector, plain.tower_vector)


def test_who_watched_but_has_no_stored_vector_is_solved_from_what_they_watched(
    small: Any, contents: BundleContents, member_of: Any
) -> None:
    small.features.members["new"] = member_of({7: 1.0, 8: 0.5}, None)
    member = taste_of(small, "new")
    np.testing.assert_allclose(member.embedding, solved_by_hand(contents, {7: 1.0, 8: 0.5}), atol=2e-3)
    assert member.features[s.USER_EMBEDDING].shape == (1, s.ALS_DIMENSIONS)  # the ranker sees it, too


def test_of_whom_nothing_is_known_no_taste_is_made_up(small: Any) -> None:
    member = taste_of(small, "stranger")
    assert not member.personal
    assert member.embedding is None
    assert member.tower_vector is None


@pytest.mark.parametrize("recent", [{}, {4: 0.5}])
def test_a_new_members_page_is_personal_after_picking(
    small: Any, page_of: Any, recent: dict[int, float], member_of: Any
) -> None:
    small.features.members["new"] = member_of(recent, None, country="KR") | {
        s.SELECTED_TITLE_IDS: ["t005", "t017", "t023"], s.PICKED_AT: epoch_microseconds(small.time[0]),
    }  # fmt: skip
    page = page_of("new")
    sources = {source for row in page["rows"] for tile in row["tiles"] for source in tile["sources"]}
    assert {"als", "two_tower"} <= sources
    assert page["degraded"] == []


def source_of(small: Any, user_id: str, **changed: Any) -> str:
    state, request = small.service.state, PageRequest(user_id, "tv", small.time[0])
    stored = state.understood(read_member(small.features, user_id, small.time[0]))
    visit = Visit(state, request, replace(stored, **changed))
    return vector_source(visit, with_taste(visit))


def test_it_is_known_where_a_vector_came_from(small: Any, member_of: Any) -> None:
    small.features.members["new"] = member_of({7: 1.0}, None)
    ana = read_member(small.features, "ana", small.time[0])
    watched_since = {"history": tuple(t for t, _ in ana.recent), "recent": (("t030", 0.9), *ana.recent)}
    assert source_of(small, "ana") == "stored"
    assert source_of(small, "ana", model_version="of another model") == "bundle"
    assert source_of(small, "ana", **watched_since) == "updated"
    assert (source_of(small, "new"), source_of(small, "stranger")) == ("folded_in", "none")


def test_where_vectors_came_from_is_counted(small: Any, page_of: Any) -> None:
    series = 'marquee_member_vectors_total{source="none"} '

    def counted() -> float:
        lines = small.service.metrics.exposition().decode().splitlines()
        return sum(float(line.removeprefix(series)) for line in lines if line.startswith(series))

    before = counted()
    page_of("stranger")
    assert counted() == before + 1
