"""What may not be lost again: how many times faster than its baseline an entry has to be, at least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from tests.benchmarks.assembly import ASSEMBLY
from tests.benchmarks.features import CANDIDATES, MEMBER
from tests.benchmarks.fold_in import FOLD_IN
from tests.benchmarks.http_load import ALONE
from tests.benchmarks.pages import PAGE
from tests.benchmarks.ranking import RANKER
from tests.benchmarks.results import Measurement, ratio
from tests.benchmarks.retrieval import SERVED

FLOORS: Final[dict[str, float]] = {
    MEMBER: 1.85,
    CANDIDATES: 320,
    SERVED: 1.7,
    RANKER: 0.7,
    ASSEMBLY: 2.9,
    PAGE: 13.8,
    ALONE: 11.3,
    FOLD_IN: 0.6,
}
"""Entry to the least ratio: half of the one in docs/measured.md, since a noisy machine moves ratios too."""


def hold(measured: Sequence[Measurement]) -> str:
    """Return which floors were held, and which could not be judged, as a sentence.

    An entry is not judged where it, or the baseline beside it, was not measured. Raises ``ClickException``
    naming the entries that fell below their floors.
    """
    ratios = {one.name: ratio(one, measured) for one in measured if one.name in FLOORS}
    judged = {name: times for name, times in ratios.items() if times is not None}
    fallen = [
        f"{name}: {times:.1f} times as fast as its baseline, at least {FLOORS[name]:g} wanted"
        for name, times in judged.items()
        if times < FLOORS[name]
    ]
    if fallen:
        raise click.ClickException("slower than the gate allows:\n  " + "\n  ".join(fallen))
    unjudged = [name for name in FLOORS if name not in judged]
    missing = f"; not judged, as it or its baseline was not measured: {', '.join(unjudged)}"
    return f"gate: {len(judged)} of {len(FLOORS)} floors held{missing if unjudged else ''}"
