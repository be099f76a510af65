from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, strategies as st

from feature_repo.ingest.seen_keys import SeenKeys, key_hashes


@given(st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=12))
def test_a_key_is_new_exactly_the_first_time(batches: list[list[int]]) -> None:
    seen, met = SeenKeys(), set[int]()
    for batch in batches:
        expected = []
        for key in batch:
            expected.append(key not in met)
            met.add(key)
        assert seen.add(np.array(batch, np.uint64)).tolist() == expected


def test_runs_stay_few_and_hold_each_key_once() -> None:
    seen = SeenKeys()
    for first in range(0, 6400, 100):
        seen.add(np.arange(first, first + 200, dtype=np.uint64))
    assert len(seen._runs) <= np.log2(6500)
    assert sum(run.size for run in seen._runs) == 6500


def test_equal_keys_have_equal_hashes_and_the_border_between_columns_counts() -> None:
    hashes = key_hashes([pa.array(["a", "a", "ab"]), pa.array(["bc", "bc", "c"])])
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_instants_are_part_of_a_key_to_the_microsecond() -> None:
    when = pa.array([0, 1, 0], pa.timestamp("us", tz="UTC"))
    hashes = key_hashes([pa.array(["a", "a", "a"]), when])
    assert hashes[0] == hashes[2] != hashes[1]
