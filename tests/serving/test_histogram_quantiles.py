from __future__ import annotations

from math import inf

import pytest

from serving.histogram_quantiles import Bucket, quantile

# 2 took at most 1, 4 more at most 2, 2 more at most 4, 2 more longer.
BUCKETS: list[Bucket] = [(1.0, 2), (2.0, 6), (4.0, 8), (inf, 10)]


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.1, 0.5),  # the first of the 2 between 0 and 1
        (0.2, 1.0),
        (0.4, 1.5),  # the second of the 4 between 1 and 2
        (0.7, 3.0),  # the first of the 2 between 2 and 4
        (0.8, 4.0),
        (0.99, 4.0),  # beyond the last finite bound: at least so much
    ],
)
def test_observations_are_spread_evenly_within_their_bucket(share: float, expected: float) -> None:
    assert quantile(BUCKETS, share) == pytest.approx(expected)


def test_an_empty_bucket_holds_no_quantile() -> None:
    assert quantile([(1.0, 0), (2.0, 0), (4.0, 4), (inf, 4)], 0.5) == pytest.approx(3.0)


def test_without_observations_there_is_none() -> None:
    assert quantile([(1.0, 0), (inf, 0)], 0.5) is None
    assert quantile([], 0.5) is None
