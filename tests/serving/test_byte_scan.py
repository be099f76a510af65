"""A scan of 8-bit copies finds what a scan of the vectors finds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given, strategies as st

from serving.byte_scan import LARGEST, ByteScan


@given(
    seed=st.integers(0, 2**32 - 1),
    dimensions=st.sampled_from([1, 3, 32, 300]),
    scale=st.sampled_from([1e-40, 1e-6, 1e-3, 1.0, 500.0, 1e10]),
    of_query=st.sampled_from([1e-20, 1.0, 1e3]),
    k=st.integers(1, 700),
    share=st.sampled_from([0.0, 0.3, 1.0]),
    spread=st.sampled_from([0.0, 2.0]),
)
def test_the_first_are_those_of_the_full_vectors(
    seed: int, dimensions: int, scale: float, of_query: float, k: int, share: float, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(600, dimensions)) * scale * np.exp(spread * rng.normal(size=(600, 1)))
    vectors = vectors.clip(-LARGEST, LARGEST).astype(np.float32)
    query, eligible = (of_query * rng.normal(size=dimensions)).astype(np.float32), rng.random(600) < share
    found, products = ByteScan(vectors).search(query, k, eligible)
    every = vectors.astype(np.float64) @ query.astype(np.float64)
    best = np.sort(every[eligible])[::-1][:k]
    assert len(set(found.tolist())) == len(found) == len(best)
    assert eligible[found].all()
    # Of nearly equal products either may be the last: the products are compared, not the numbers.
    lengths = [np.linalg.norm(of.astype(np.float64), axis=-1).max() for of in (vectors, query)]
    tolerance = 1e-6 * lengths[0] * lengths[1] + 1e-44
    np.testing.assert_allclose(np.sort(every[found])[::-1], best, atol=tolerance)
    np.testing.assert_allclose(products, every[found], atol=tolerance)


def test_vectors_that_8_bits_cannot_tell_apart_are_told_apart() -> None:
    vectors = np.full((1000, 2), 1.0, dtype=np.float32)
    vectors[::2, 1] += np.float32(1e-5)
    vectors[:, 0] = 3.0  # the step of 8 bits is 3 / 127
    found, _ = ByteScan(vectors).search(np.ones(2, dtype=np.float32), 500, np.ones(1000, np.bool_))
    assert sorted(found.tolist()) == list(range(0, 1000, 2))


def test_what_the_copies_put_in_the_wrong_order_comes_in_the_right_one() -> None:
    # A step is 1 here: with a query of ones the copies give 227 and 247, the vectors 267 and 231.
    first = np.array([127.0] + [1.4] * 100, np.float32)
    second = np.array([127.0] + [1.6] * 60 + [0.2] * 40, np.float32)
    scan = ByteScan(np.stack([second, first]))
    found, products = scan.search(np.ones(101, np.float32), 1, np.ones(2, np.bool_))
    assert found.tolist() == [1]
    np.testing.assert_allclose(products, [267], rtol=1e-6)


def test_a_query_of_zeros_finds_any_of_the_eligible() -> None:
    eligible = np.arange(9) % 2 == 1
    found, products = ByteScan(np.eye(9, dtype=np.float32)).search(np.zeros(9, np.float32), 3, eligible)
    assert len(set(found.tolist())) == 3
    assert eligible[found].all()
    assert products.tolist() == [0, 0, 0]


def test_the_largest_and_the_smallest_are_found_beside_each_other() -> None:
    vectors = np.array([[LARGEST], [1e-38], [-LARGEST], [1.0]], np.float32)
    found, products = ByteScan(vectors).search(np.array([2.0], np.float32), 3, np.ones(4, np.bool_))
    assert found.tolist() == [0, 3, 1]
    np.testing.assert_allclose(products, [2 * LARGEST, 2.0, 2e-38], rtol=1e-6)


def test_threads_that_search_at_once_find_each_their_own_titles() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(5000, 16)).astype(np.float32)
    scan = ByteScan(vectors)

    def wrong(seed: int) -> int:
        own = np.random.default_rng(seed)
        mistakes = 0
        for _ in range(40):
            query, eligible = own.normal(size=16).astype(np.float32), own.random(5000) < 0.5
            found, _ = scan.search(query, 50, eligible)
            best = np.flatnonzero(eligible)[np.argsort(-(vectors @ query)[eligible], kind="stable")[:50]]
            mistakes += set(found.tolist()) != set(best.tolist())
        return mistakes

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(wrong, range(8))) == 0
