"""Why rows are rejected, one fault a row."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Shown(Protocol):
    """Anything that gives the offending value of a row by its index."""

    def __getitem__(self, index: int, /) -> Any: ...


class RowFaults:
    """The first fault found in each row of a batch.

    ``reasons`` name the value ("watch_fraction: 1.7 is above 1.0"), ``rules`` do not
    ("watch_fraction: is above 1.0"), so that they can be counted; both are None for a good row.
    """

    def __init__(self, rows: int) -> None:
        self.reasons: NDArray[np.object_] = np.full(rows, None, object)
        self.rules: NDArray[np.object_] = np.full(rows, None, object)
        self.failed: NDArray[np.bool_] = np.zeros(rows, bool)

    def add(self, column: str, at: NDArray[np.bool_], rule: str, shown: Shown | None = None) -> None:
        """Mark the rows where ``at`` is true, unless they have a fault already."""
        for index in np.flatnonzero(at & ~self.failed):
            value = "" if shown is None else f"{_text(shown[int(index)])} "
            self.reasons[index] = f"{column}: {value}{rule}"
            self.rules[index] = f"{column}: {rule}"
        self.failed |= at

    def add_one(self, column: str, index: int, rule: str) -> None:
        """Mark one row, unless it has a fault already."""
        if not self.failed[index]:
            self.reasons[index] = self.rules[index] = f"{column}: {rule}"
            self.failed[index] = True


def _text(value: Any) -> str:
    plain = value.as_py() if hasattr(value, "as_py") else value
    return f"{plain:g}" if isinstance(plain, float) else repr(plain) if isinstance(plain, str) else str(plain)
