"""Whether the arms have the members that they were dealt: looked at before anything else.

Where one arm lost members on the way (a crash, a redirect, a log that is not written), those who are left
differ, and no comparison means anything (Fabijan et al., "Diagnosing Sample Ratio Mismatch", KDD 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.stats import chisquare

BROKEN_BELOW: Final = 0.001
"""p-value under which the ratio counts as broken."""


def sample_ratio_test(members: Sequence[int], shares: Sequence[int]) -> tuple[float, float]:
    """Return chi-square and p-value of members by arm against the arms' shares; (0, 1) without members."""
    total = sum(members)
    if total == 0:
        return 0.0, 1.0
    expected = np.asarray(shares, np.float64) / sum(shares) * total
    found = chisquare(members, expected)
    return float(found.statistic), float(found.pvalue)
