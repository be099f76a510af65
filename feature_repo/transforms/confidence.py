"""How much an observation counts in implicit-feedback ALS (Hu, Koren, Volinsky 2008, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Confidence:
    """How much an observation counts: ``c = 1 + alpha f`` for the watched fraction f.

    ``regularization`` (> 0) weighs the squared factors; below ``minimum_fraction`` (0 to 1) an observation
    is a weak negative: preference 0 with confidence c.
    """

    alpha: float
    regularization: float
    minimum_fraction: float


def signed_confidence(
    fractions: NDArray[np.floating[Any]], alpha: float, minimum_fraction: float
) -> NDArray[np.float32]:
    """Return ``1 + alpha f``, negated where f is below ``minimum_fraction``; float32, same shape."""
    watched = np.asarray(fractions, dtype=np.float32)
    confidence = 1 + np.float32(alpha) * watched
    return np.where(watched >= minimum_fraction, confidence, -confidence).astype(np.float32, copy=False)
