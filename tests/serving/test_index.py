from __future__ import annotations

import numpy as np
import pytest

from serving.index import VectorIndex

VECTORS = np.array([[1, 0], [3, 0], [0, 2], [0, 0], [-1, 0]], dtype=np.float32)
QUERY = np.array([1, 0.5], dtype=np.float32)


def test_the_longest_projection_comes_first_and_zero_vectors_never() -> None:
    rows, scores = VectorIndex(VECTORS).search(QUERY, 10)
    np.testing.assert_array_equal(scores, [3, 1, 1, -1])
    assert rows.tolist() == [1, 0, 2, 4]


def test_only_eligible_titles_are_found() -> None:
    eligible = np.array([True, False, True, True, False])
    rows, _ = VectorIndex(VECTORS).search(QUERY, 10, eligible)
    assert sorted(rows) == [0, 2]


@pytest.mark.parametrize("largest", [1.0, 1e6])
def test_a_large_index_answers_as_a_plain_search_does(largest: float) -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(4500, 24)).astype(np.float32)
    vectors[7] *= largest
    vectors[::50] = 0
    query, eligible = rng.normal(size=24).astype(np.float32), rng.random(len(vectors)) < 0.7
    rows, scores = VectorIndex(vectors).search(query, 300, eligible)
    allowed = np.flatnonzero(eligible & vectors.any(axis=1))
    expected = allowed[np.argsort(-(vectors @ query)[allowed], kind="stable")[:300]]
    assert set(rows.tolist()) == set(expected.tolist())
    assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("eligible_share", [1.0, 0.8])
def test_the_graph_finds_what_the_scan_finds(eligible_share: float) -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(2000, 16)).astype(np.float32)
    vectors *= generator.gamma(1, 1, size=(2000, 1)).astype(np.float32)  # norms differ: L2 would disagree
    eligible = generator.random(2000) < eligible_share
    query = generator.normal(size=16).astype(np.float32)
    exact, scores = VectorIndex(vectors).search(query, 300, eligible)
    graph = VectorIndex(vectors, exact_up_to=1000)
    found, _ = graph.search(query, 300, eligible)
    assert not graph.exact
    assert len(found) == 300
    assert np.isin(found, exact).mean() >= 0.97
    assert (np.diff(scores) <= 0).all()
    assert eligible[found].all()


@pytest.mark.parametrize("number", [np.nan, np.inf, -1e30])
def test_a_vector_that_no_model_can_have_made_is_refused_by_its_row(number: float) -> None:
    vectors = VECTORS.copy()
    vectors[2, 1] = number
    with pytest.raises(ValueError, match="title vector 2 is not finite"):
        VectorIndex(vectors)


def test_an_index_without_vectors_finds_nothing() -> None:
    rows, scores = VectorIndex(np.zeros((3, 2), np.float32)).search(QUERY, 5)
    assert len(rows) == len(scores) == 0


@pytest.mark.parametrize("exact_up_to", [1000, 0])
@pytest.mark.parametrize("k", [5, 50])
def test_more_than_there_are_answers_all_there_are_once(exact_up_to: int, k: int) -> None:
    index = VectorIndex(VECTORS, exact_up_to)
    rows, scores = index.search(QUERY, k)
    assert sorted(rows) == [0, 1, 2, 4]
    assert len(scores) == 4


@pytest.mark.parametrize("exact_up_to", [1000, 0])
def test_none_asked_for_are_none(exact_up_to: int) -> None:
    rows, scores = VectorIndex(VECTORS, exact_up_to).search(QUERY, 0)
    assert len(rows) == len(scores) == 0


@pytest.mark.parametrize("exact_up_to", [1000, 0])
def test_where_nothing_is_eligible_nothing_is_found(exact_up_to: int) -> None:
    rows, scores = VectorIndex(VECTORS, exact_up_to).search(QUERY, 3, np.zeros(5, dtype=np.bool_))
    assert len(rows) == len(scores) == 0


def test_the_graph_orders_by_inner_product_with_the_largest_first() -> None:
    generator = np.random.default_rng(1)
    vectors = generator.normal(size=(500, 8)).astype(np.float32)
    query = generator.normal(size=8).astype(np.float32)
    rows, scores = VectorIndex(vectors, exact_up_to=0).search(query, 20)
    assert (np.diff(scores) <= 0).all()
    np.testing.assert_allclose(scores, vectors[rows] @ query, rtol=1e-4)
    assert rows[0] == np.argmax(vectors @ query)


def test_titles_without_a_vector_are_told_apart() -> None:
    index = VectorIndex(VECTORS)
    assert [index.has(row) for row in range(5)] == [True, True, True, False, True]
