"""Which keys an import has met: 8 bytes a key, however long the keys are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


class SeenKeys:
    """A set of 64-bit key hashes in sorted runs of geometrically growing size.

    100 million keys take 0.8 GB (twice that for a moment when the longest runs merge). Two different keys
    among n have the same hash with probability about n² / 2⁶⁵: 0.03 % for 100 million.
    """

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []

    def add(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Add hashes and return which of them are met for the first time."""
        unique, first = np.unique(hashes, return_index=True)
        known = np.zeros(unique.size, bool)
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, unique), run.size - 1)
            known |= run[places] == unique
        is_new = np.zeros(hashes.size, bool)
        is_new[first[~known]] = True
        if not known.all():
            self._runs.append(unique[~known])
        while len(self._runs) > 1 and self._runs[-2].size < 2 * self._runs[-1].size:
            last = self._runs.pop()
            # Timsort merges two sorted runs in linear time.
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]), kind="stable")
        return is_new


def key_hashes(columns: list[pa.Array]) -> NDArray[np.uint64]:
    """Return one 64-bit hash per row of the columns together (SipHash; the same in every process)."""
    # As a number, an instant has one text; as a timestamp, it would be formatted at length.
    numbers = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in columns]
    text = [pc.fill_null(c.cast(pa.string()), "") for c in numbers]
    joined = pc.binary_join_element_wise(*text, "\x1f")
    hashes: NDArray[np.uint64] = pd.util.hash_array(joined.to_numpy(zero_copy_only=False), categorize=False)
    return hashes
