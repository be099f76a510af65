"""How a page is looked at: from the top down, and in each row from the left.

The position-based model (Richardson, Dominowska and Ragno, WWW 2007): whether a tile is looked at depends on
its place alone. The factors are those of the simulated service; how real members scan a page must be
estimated from impressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

FIRST_TILE: Final = 0.95
ROW_DECAY: Final = 0.85
POSITION_DECAY: Final = 0.93


def attention(lengths: Sequence[int]) -> NDArray[np.float64]:
    """Return the probability that each tile is looked at, row by row, (sum of lengths,).

    ``lengths`` are the rows' numbers of tiles, from the top.

    >>> attention([2, 1]).round(4).tolist()
    [0.95, 0.8835, 0.8075]
    """
    rows = [FIRST_TILE * ROW_DECAY**row * row_attention(length) for row, length in enumerate(lengths)]
    return np.concatenate([np.empty(0), *rows])


def row_attention(length: int) -> NDArray[np.float64]:
    """Return how much attention each tile of a row gets beside its first, (length,)."""
    return np.power(POSITION_DECAY, np.arange(length, dtype=np.float64))
