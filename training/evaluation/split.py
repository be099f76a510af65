"""The split of time into training, validation and test windows; random splits leak the future."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.calendar import epoch_microseconds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, ``start`` inclusive and ``end`` exclusive, UTC."""

    start: datetime
    end: datetime

    def contains(self, timestamps: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the instants (int64 microseconds since 1970 UTC) fall into the window."""
        return (timestamps >= epoch_microseconds(self.start)) & (timestamps < epoch_microseconds(self.end))


@dataclass(frozen=True, slots=True)
class TemporalSplit:
    """Three windows that follow one another without a gap."""

    train: Window
    validation: Window
    test: Window


def temporal_split(
    timestamps: NDArray[np.int64], validation_share: float = 0.8, test_share: float = 0.9
) -> TemporalSplit:
    """Cut so that about those shares of events lie before the validation and the test window.

    ``timestamps``: int64 microseconds since 1970 UTC, any order. Events of one instant stay together,
    in the later window. Raises ``ValueError`` where the shares are not in order within 0 to 1, and
    where a window would stay empty.
    """
    if not 0 < validation_share < test_share < 1:
        raise ValueError(
            f"validation_share {validation_share} and test_share {test_share}: want 0 < first < second < 1"
        )
    if len(timestamps) == 0:
        raise ValueError("timestamps are empty: there is nothing to split")
    ordered = np.sort(timestamps)
    places = (len(ordered) * np.array([validation_share, test_share])).astype(np.int64)
    cuts = [int(ordered[0]), *(int(t) for t in ordered[places]), int(ordered[-1]) + 1]
    if not cuts[0] < cuts[1] < cuts[2]:
        raise ValueError("a window would be empty: too many events share one instant, or too few events")
    start, validation, test, end = (_EPOCH + timedelta(microseconds=cut) for cut in cuts)
    return TemporalSplit(Window(start, validation), Window(validation, test), Window(test, end))
