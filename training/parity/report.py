"""The proof for people and for programs: tables, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rich.table import Table

from training.parity.causes import span
from training.parity.drift import Drift
from training.parity.findings import Example, FeatureParity

_DRIFTED: Final = 15
"""Rows of drift that people are shown; the JSON has all."""
_PARITY: Final = (
    "feature",
    "values",
    "equal",
    "stale",
    "missing",
    "different",
    "unexplained",
    "likely cause",
)
_DRIFT: Final = ("feature", "stability index", "level", "importance", "unknown served", "unknown in training")


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What one run found: of ``pages`` in [start, end), with the rules that it judged by.

    ``skipped`` says, by bundle, how many sampled pages could not be replayed, as the bundle is gone.
    """

    start: datetime
    end: datetime
    pages: int
    candidates: int
    skipped: dict[str, int]
    stale_within: timedelta
    allow: float
    features: Sequence[FeatureParity]
    drift: Sequence[Drift]

    @property
    def failing(self) -> list[FeatureParity]:
        """The features with a larger share of unexplained values than is allowed."""
        return [feature for feature in self.features if feature.unexplained_share > self.allow]

    @property
    def summary(self) -> str:
        """The outcome in one line."""
        failing = [feature.name for feature in self.failing]
        outcome = f"no parity: {', '.join(failing)}" if failing else "parity"
        pages = f"{self.candidates:,} candidates of {self.pages:,} pages"
        window = f"{self.start:%Y-%m-%dT%H:%MZ} to {self.end:%Y-%m-%dT%H:%MZ}"
        return f"{outcome} ({pages}, {window}; explained: {span(self.stale_within.total_seconds())} old)"


def as_json(report: ParityReport) -> dict[str, Any]:
    """Return the report as JSON values."""
    return {
        "from": report.start.isoformat(),
        "until": report.end.isoformat(),
        "pages": report.pages,
        "candidates": report.candidates,
        "skipped_pages_by_bundle": report.skipped,
        "stale_within_seconds": report.stale_within.total_seconds(),
        "allow": report.allow,
        "failing": [feature.name for feature in report.failing],
        "features": [
            asdict(feature)
            | {
                "unexplained_share": feature.unexplained_share,
                "examples": [asdict(e) | {"instant": e.instant.isoformat()} for e in feature.examples],
            }
            for feature in report.features
        ],
        "drift": [asdict(row) | {"level": row.level} for row in report.drift],
    }


def tables(report: ParityReport) -> list[Table]:
    """Return the tables for a terminal: features that differ, and what drifted."""
    found = [_table("Served against replayed", _PARITY, map(_row, _differing(report)))]
    if report.drift:
        found.append(_table("Drift from training, most important first", _DRIFT, _drift_rows(report)))
    return found


def markdown(report: ParityReport) -> str:
    """Return the report as Markdown, with examples."""
    parts = ["# Parity of serving and training", report.summary]
    parts += [f"{pages} pages skipped: bundle {name} is gone." for name, pages in report.skipped.items()]
    parts.append(_markdown_table(_PARITY, map(_row, report.features)))
    if examples := [(f.name, e) for f in report.features for e in f.examples]:
        heads = ("feature", "verdict", "served", "replayed", "age", "member", "title", "page", "instant")
        parts += ["## Examples", _markdown_table(heads, (_example_row(name, e) for name, e in examples))]
    if report.drift:
        parts += ["## Drift", _markdown_table(_DRIFT, _drift_rows(report))]
    return "\n\n".join(parts) + "\n"


def _differing(report: ParityReport) -> list[FeatureParity]:
    return [f for f in report.features if f.stale or f.unexplained]


def _row(feature: FeatureParity) -> tuple[str, ...]:
    stale = f"{feature.stale:,}"
    if feature.stale:
        stale += f" (up to {span(feature.oldest_seconds)})"
    equal = f"{feature.equal:,}" + (f" + {feature.close:,} close" if feature.close else "")
    return (
        feature.name, f"{feature.values:,}", equal, stale, f"{feature.missing:,}", f"{feature.different:,}",
        f"{feature.unexplained_share:.2%}", feature.cause,
    )  # fmt: skip


def _example_row(name: str, one: Example) -> tuple[str, ...]:
    age = "" if one.stale_seconds is None else span(one.stale_seconds)
    return (
        name, one.verdict, _number(one.served), _number(one.replayed), age, one.user_id, one.title_id,
        one.page_id, one.instant.isoformat(),
    )  # fmt: skip


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.7g}"


def _drift_rows(report: ParityReport) -> Iterable[tuple[str, ...]]:
    several = len({row.bundle for row in report.drift}) > 1
    for row in report.drift[: None if several else _DRIFTED]:
        name = f"{row.name} ({row.bundle})" if several else row.name
        importance = "" if row.importance is None else f"{row.importance:.1%}"
        yield (
            name, f"{row.stability_index:.3f}", row.level, importance, f"{row.unknown_served:.1%}",
            f"{row.unknown_in_training:.1%}",
        )  # fmt: skip


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, justify="left" if head in {"feature", "likely cause", "level"} else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
