from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from training.interactions import InteractionMatrix, rows_of

CATALOGUE = np.array(["t3", "t1", "t2"])


def build(triples: list[tuple[str, str, float]], members: list[str] | None = None) -> InteractionMatrix:
    users, titles, fractions = zip(*triples, strict=True) if triples else ((), (), ())
    return InteractionMatrix.build(
        np.array(users, dtype=np.str_),
        np.array(titles, dtype=np.str_),
        np.array(fractions, dtype=np.float32),
        CATALOGUE,
        None if members is None else np.array(members),
    )


def test_columns_follow_the_catalogue_and_rows_the_sorted_members() -> None:
    matrix = build([("b", "t1", 0.5), ("a", "t2", 0.25), ("b", "t3", 1.0)])
    assert matrix.user_ids.tolist() == ["a", "b"]
    assert matrix.title_ids.tolist() == ["t3", "t1", "t2"]
    assert matrix.fractions.toarray().tolist() == [[0, 0, 0.25], [1.0, 0.5, 0]]


def test_a_pair_seen_twice_keeps_its_highest_fraction() -> None:
    matrix = build([("a", "t1", 0.5), ("a", "t1", 0.75), ("a", "t1", 0.25)])
    assert matrix.fractions.toarray().tolist() == [[0, 0.75, 0]]
    assert matrix.fractions.nnz == 1


def test_a_title_left_at_once_is_still_an_observation() -> None:
    matrix = build([("a", "t1", 0.0), ("a", "t2", 0.9), ("b", "t2", 0.9)])
    assert matrix.fractions.nnz == 3
    assert matrix.user_titles.tolist() == [2, 1]
    assert matrix.title_viewers.tolist() == [0, 1, 2]
    assert matrix.positives(0.1).toarray().tolist() == [[0, 0, 1], [0, 0, 1]]
    assert matrix.positives(0.0).nnz == 3


def test_members_given_may_have_no_interactions() -> None:
    matrix = build([("b", "t1", 1.0)], members=["c", "b", "a"])
    assert matrix.user_ids.tolist() == ["c", "b", "a"]
    assert matrix.user_titles.tolist() == [0, 1, 0]


def test_nothing_watched_gives_an_empty_matrix() -> None:
    matrix = build([])
    assert matrix.fractions.shape == (0, 3)
    assert matrix.user_rows(np.array(["a"])).tolist() == [-1]


def test_ids_are_looked_up_in_any_order() -> None:
    matrix = build([("a", "t1", 1.0), ("b", "t1", 1.0)])
    assert matrix.title_rows(np.array(["t2", "t9", "t3", "t1", "t1"])).tolist() == [2, -1, 0, 1, 1]
    assert matrix.user_rows(np.array(["b", "", "a"])).tolist() == [1, -1, 0]


@given(st.lists(st.text("abc", max_size=3), unique=True), st.lists(st.text("abc", max_size=3)))
def test_lookup_agrees_with_list_index(known: list[str], wanted: list[str]) -> None:
    found = rows_of(np.array(wanted, dtype=np.str_), np.array(known, dtype=np.str_))
    assert found.tolist() == [known.index(w) if w in known else -1 for w in wanted]


def test_strangers_are_named() -> None:
    with pytest.raises(ValueError, match="title_id 't9' is not in catalogue"):
        build([("a", "t1", 1.0), ("a", "t9", 1.0)])
    with pytest.raises(ValueError, match="user_id 'z' is not in members"):
        build([("z", "t1", 1.0)], members=["a"])


@pytest.mark.parametrize("fraction", [-0.1, 1.01, float("nan")])
def test_fractions_outside_their_range_are_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="within 0 to 1"):
        build([("a", "t1", fraction)])


def test_unequal_lengths_are_refused() -> None:
    ids = np.array(["a", "b"])
    with pytest.raises(ValueError, match="differ in length"):
        InteractionMatrix.build(ids, ids, np.ones(1, dtype=np.float32), ids)
