"""A scan of copies of half the size finds what a scan of the vectors finds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, strategies as st

from serving.half_scan import HalfScan
from serving.index import HALVED_FROM, VectorIndex


@given(
    seed=st.integers(0, 2**32 - 1),
    dimensions=st.sampled_from([1, 3, 32]),
    scale=st.sampled_from([1e-6, 1e-3, 1.0, 500.0]),
    k=st.integers(1, 400),
    share=st.sampled_from([0.0, 0.3, 1.0]),
    spread=st.sampled_from([0.0, 2.0]),
)
def test_the_first_are_those_of_the_full_vectors(
    seed: int, dimensions: int, scale: float, k: int, share: float, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(600, dimensions)) * scale * np.exp(spread * rng.normal(size=(600, 1)))
    vectors = vectors.clip(-60_000, 60_000).astype(np.float32)
    query, eligible = rng.normal(size=dimensions).astype(np.float32), rng.random(600) < share
    scores, found = HalfScan(vectors).search(query, k, eligible)
    exact = vectors.astype(np.float64) @ query.astype(np.float64)
    best = np.sort(exact[eligible])[::-1][:k]
    assert len(set(found.tolist())) == len(found) == len(best)
    assert eligible[found].all()
    # Of equal products, either may be the last: the products are compared, not the numbers.
    tolerance = 1e-6 * np.linalg.norm(vectors, axis=1).max() * np.linalg.norm(query)
    np.testing.assert_allclose(np.sort(exact[found])[::-1], best, atol=tolerance, rtol=1e-6)
    lengths = np.linalg.norm(vectors, axis=1)[found]
    rounding = lengths * 2.0**-11 + np.sqrt(dimensions) * 2.0**-25
    assert (np.abs(scores - exact[found]) <= 1.1 * rounding * np.linalg.norm(query)).all()


def test_vectors_that_16_bits_cannot_tell_apart_are_told_apart() -> None:
    vectors = np.full((1000, 1), 1.0, dtype=np.float32)
    vectors[::2] += np.float32(1e-5)  # 16 bits see 1.0
    _, found = HalfScan(vectors).search(np.ones(1, dtype=np.float32), 500)
    assert sorted(found.tolist()) == list(range(0, 1000, 2))


def test_threads_that_search_at_once_find_each_their_own_titles() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(5000, 16)).astype(np.float32)
    scan = HalfScan(vectors)

    def wrong(seed: int) -> int:
        own = np.random.default_rng(seed)
        mistakes = 0
        for _ in range(40):
            query, eligible = own.normal(size=16).astype(np.float32), own.random(5000) < 0.5
            _, found = scan.search(query, 50, eligible)
            best = np.flatnonzero(eligible)[np.argsort(-(vectors @ query)[eligible], kind="stable")[:50]]
            mistakes += set(found.tolist()) != set(best.tolist())
        return mistakes

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(wrong, range(8))) == 0


@pytest.mark.parametrize("largest", [1.0, 1e6])
def test_a_large_index_answers_as_a_plain_search_does(largest: float) -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(HALVED_FROM + 500, 24)).astype(np.float32)
    vectors[7] *= largest
    vectors[::50] = 0
    query, eligible = rng.normal(size=24).astype(np.float32), rng.random(len(vectors)) < 0.7
    rows, scores = VectorIndex(vectors).search(query, 300, eligible)
    allowed = np.flatnonzero(eligible & vectors.any(axis=1))
    expected = allowed[np.argsort(-(vectors @ query)[allowed], kind="stable")[:300]]
    assert set(rows.tolist()) == set(expected.tolist())
    assert (np.diff(scores) <= 0).all()
