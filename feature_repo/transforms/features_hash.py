"""A short name for a row of features, by which the same row is known again."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BYTES: Final = 8


def features_hashes(matrix: NDArray[np.float32]) -> list[int]:
    """Return a number from 0 to 2**63 - 1 for each row of ``matrix`` (rows, features).

    BLAKE2b (RFC 7693) with a digest of eight bytes over the row's little-endian float32 values, the digest
    read as a big-endian number without its lowest bit. The same on every machine: all NaN count as one value,
    and so do 0 and -0.
    """
    plain = np.where(np.isnan(matrix), np.float32(np.nan), matrix + np.float32(0)).astype("<f4")
    return [int.from_bytes(blake2b(row.tobytes(), digest_size=_BYTES).digest(), "big") >> 1 for row in plain]
