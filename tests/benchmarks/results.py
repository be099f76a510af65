"""Measurements as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from tests.benchmarks.timing import Timing


@dataclass(frozen=True, slots=True)
class Measurement:
    """One line of the table.

    ``baseline`` names the measurement that this one is compared with; ``budget_ms`` is the median that
    was promised, ``note`` what else there is to say. The last two stand in the table only.
    """

    name: str
    timing: Timing
    baseline: str | None = None
    budget_ms: float | None = None
    note: str = ""


def ratio(measurement: Measurement, measured: Sequence[Measurement]) -> float | None:
    """Return the baseline's median over this one's: how many times faster. None without a baseline."""
    medians = {other.name: other.timing.p50_ms for other in measured}
    if measurement.baseline is None or measurement.baseline not in medians:
        return None
    return medians[measurement.baseline] / measurement.timing.p50_ms


def as_json(measured: Sequence[Measurement]) -> dict[str, dict[str, float | int | str | None]]:
    """Return ``{name: {p50_ms, p99_ms, n, baseline, ratio}}``."""
    return {
        one.name: {
            "p50_ms": one.timing.p50_ms,
            "p99_ms": one.timing.p99_ms,
            "n": one.timing.n,
            "baseline": one.baseline,
            "ratio": ratio(one, measured),
        }
        for one in measured
    }


def write(file: Path, measured: Sequence[Measurement]) -> None:
    """Write :func:`as_json` to ``file``, all or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(json.dumps(as_json(measured), indent=2) + "\n")
    temporary.replace(file)


def table(measured: Sequence[Measurement], title: str) -> Table:
    """Lay the measurements out; a median over its budget is red."""
    shown = Table(title=title, title_justify="left")
    shown.add_column("benchmark", overflow="fold", min_width=24)
    for column in ("p50 ms", "budget", "p99 ms", "n"):
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("baseline", overflow="fold")
    shown.add_column("ratio", justify="right", no_wrap=True)
    shown.add_column("note", overflow="fold")
    for one in measured:
        over = one.budget_ms is not None and one.timing.p50_ms > one.budget_ms
        p50 = f"[red]{one.timing.p50_ms:.3f}[/red]" if over else f"{one.timing.p50_ms:.3f}"
        times = ratio(one, measured)
        shown.add_row(
            one.name,
            p50,
            "" if one.budget_ms is None else f"{one.budget_ms:.3g}",
            f"{one.timing.p99_ms:.3f}",
            str(one.timing.n),
            one.baseline or "",
            "" if times is None else f"{times:.1f} ×",
            one.note,
        )
    return shown
