"""The tables of a report: models as rows, metrics as columns, the best of each column marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from training.evaluation.candidates import CANDIDATE_RECALL
from training.evaluation.protocol import ALL
from training.evaluation.results import MetricRow
from training.position_bias import TRUE_PLAYS

METRIC_ORDER: Final = (
    "recall", "ndcg", "mrr", "coverage", "novelty", "diversity", "page_ndcg", "page_expected_plays",
    "page_diversity", "page_genre_entropy", "page_coverage", "page_novelty", "page_duplicates", "page_tiles",
)  # fmt: skip
"""Columns from left to right; metrics not named here follow by name."""
_NEITHER_GOOD_NOR_BAD: Final = ("page_duplicates", "page_tiles")
"""Columns in which nothing is marked as best."""
EVERY_CUTOFF: Final = ("recall", "ndcg", CANDIDATE_RECALL)
"""Metrics shown at each k; the others stand in the table at their largest k only."""
_NAMES: Final = {
    "als": "ALS", "bpr": "BPR", CANDIDATE_RECALL: "Recall", "ease": "EASE", "item_knn": "Item-kNN",
    "page_coverage": "Coverage", "page_diversity": "Diversity", "page_duplicates": "Duplicates",
    "page_expected_plays": "Expected plays", "page_genre_entropy": "Genre entropy", "page_ndcg": "Page NDCG",
    "page_novelty": "Novelty", "page_tiles": "Tiles",
    "mix": "Candidate mix", "mix_ranker": "Mix + ranker", "mrr": "MRR", "ndcg": "NDCG",
    "similar": "Similar titles", "trending_in_country": "Trending in country", "two_tower": "Two-tower",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as shown, with its 95 % interval where it has one; ``best`` in its column."""

    text: str
    best: bool
    interval: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A model's values in the order of the table's columns; None where it was not measured."""

    model: str
    baseline: bool
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class ModelTable:
    """One segment: ``columns`` are metric names as shown, ``users`` the members measured."""

    segment: str
    users: int
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]


def words(name: str) -> str:
    """Return a column, model or step name as people write it: ``item_knn`` becomes Item-kNN."""
    return _NAMES.get(name, name.replace("_", " ").capitalize() if name.islower() else name)


def metric_name(metric: str, k: int | None) -> str:
    """Return ``NDCG@20`` for a metric of a list's first 20, ``MRR`` for one of the whole ranking."""
    return words(metric) + (f"@{k}" if k is not None else "")


def model_table(rows: Sequence[MetricRow], baselines: Sequence[str]) -> tuple[ModelTable, ...]:
    """Return one table per segment, all members first; models in the order they came in."""
    return _segment_tables([row for row in rows if row.metric != CANDIDATE_RECALL], baselines)


def candidate_table(rows: Sequence[MetricRow]) -> tuple[ModelTable, ...]:
    """Return what each generator finds among its first candidates, one table per segment."""
    return _segment_tables([row for row in rows if row.metric == CANDIDATE_RECALL], ())


def page_table(rows: Sequence[MetricRow]) -> ModelTable | None:
    """Return the table of whole pages, a row per setting, or None where none was judged."""
    return _segment_table(rows, ALL, ()) if rows else None


def segments_of(rows: Sequence[MetricRow]) -> list[str]:
    """Return the distinct segments, all members first."""
    return sorted({row.segment for row in rows}, key=lambda name: (name != ALL, name))


def truth_table(truth: Mapping[str, float]) -> tuple[tuple[str, str, str], ...]:
    """Return (policy, mean play probability, share of the oracle's) with the oracle's share, if known."""
    oracle = truth.get("oracle", 0.0)
    return tuple(
        (words(policy), f"{value:.4f}", f"{value / oracle:.0%}" if oracle else "")
        for policy, value in truth.items()
    )


def places_table(rows: Sequence[MetricRow]) -> tuple[tuple[str, ...], ...]:
    """Return (ranker, NDCG, true plays), each number with its interval; a dash where it is not known."""
    of = {(row.model, row.metric): row for row in rows}
    return tuple(
        (words(model), *(_bounded(of.get((model, metric))) for metric in ("ndcg", TRUE_PLAYS)))
        for model in dict.fromkeys(row.model for row in rows)
    )


def metric_columns(rows: Sequence[MetricRow]) -> list[tuple[str, int | None]]:
    """Return the distinct (metric, k) of ``rows`` from left to right."""
    known = {name: place for place, name in enumerate(METRIC_ORDER)}
    return sorted(
        {(row.metric, row.k) for row in rows},
        key=lambda column: (known.get(column[0], len(known)), column[0], column[1] or 0),
    )


def _segment_tables(rows: Sequence[MetricRow], baselines: Sequence[str]) -> tuple[ModelTable, ...]:
    return tuple(
        _segment_table([r for r in rows if r.segment == name], name, baselines) for name in segments_of(rows)
    )


def _segment_table(rows: Sequence[MetricRow], segment: str, baselines: Sequence[str]) -> ModelTable:
    every = metric_columns(rows)
    columns = [c for c, after in zip(every, [*every[1:], ("", None)], strict=True)
               if c[0] in EVERY_CUTOFF or c[0] != after[0]]  # fmt: skip
    of = {(row.model, row.metric, row.k): row for row in rows}
    models = list(dict.fromkeys(row.model for row in rows))
    best = {column: max(row.value for row in rows if (row.metric, row.k) == column) for column in columns}

    def cell(model: str, column: tuple[str, int | None]) -> Cell | None:
        row = of.get((model, *column))
        if row is None:
            return None
        top = best[column]
        bounds = (
            ""
            if row.low is None or row.high is None
            else f"{_shown(row.low, top)} to {_shown(row.high, top)}"
        )
        # What reads the same is equally good: both are marked. Nothing is best where nothing was found.
        text = _shown(row.value, top)
        best_of_column = top > 0 and text == _shown(top, top) and column[0] not in _NEITHER_GOOD_NOR_BAD
        return Cell(text, best_of_column, bounds)

    return ModelTable(
        segment=segment,
        users=max(row.users for row in rows),
        columns=tuple(metric_name(*column) for column in columns),
        rows=tuple(TableRow(m, m in baselines, tuple(cell(m, c) for c in columns)) for m in models),
    )


def _bounded(row: MetricRow | None) -> str:
    if row is None:
        return "–"
    bounds = "" if row.low is None or row.high is None else f" ({row.low:.4f} to {row.high:.4f})"
    return f"{row.value:.4f}{bounds}"


def _shown(value: float, largest: float) -> str:
    """Four decimals in a column of shares, two in one of bits or counts."""
    return f"{value:.4f}" if largest <= 1 else f"{value:,.2f}"
