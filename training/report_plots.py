"""The plots of a training's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from experiments.report_page import BASELINE, INK, MUTED, SERIES, STYLE, WIDTH, inline_svg
from training.calibration import CalibrationCurve
from training.evaluation.candidates import CANDIDATE_RECALL
from training.evaluation.protocol import ALL
from training.evaluation.results import MetricRow
from training.page_judging import APART
from training.report_tables import metric_columns, metric_name, segments_of, words

IMPORTANCE_SHOWN: Final = 20
ROOM_FOR_LABELS: Final = 1.25
"""Length of a bar's axis in longest bars, so that the number at its end fits."""
_OURS: Final = SERIES[0]
_STYLE: Final[Any] = STYLE | {"ytick.color": INK}


def metric_bars(rows: Sequence[MetricRow], baselines: Sequence[str]) -> str:
    """Draw one panel per metric (at its largest k) over all members, one bar per model."""
    rows = [row for row in rows if row.segment == ALL and row.metric != CANDIDATE_RECALL]
    largest = {metric: k for metric, k in metric_columns(rows)}  # noqa: C416  # later k replace earlier
    if not largest:
        return ""
    columns = min(3, len(largest))
    lines = -(-len(largest) // columns)
    models = list(dict.fromkeys(row.model for row in rows))
    with mpl.rc_context(_STYLE):
        figure = Figure(
            figsize=(WIDTH, lines * (0.7 + 0.3 * len(models))), layout=ConstrainedLayoutEngine(hspace=0.12)
        )
        panels = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
        for axes, (metric, k) in zip(panels, largest.items(), strict=False):
            value = {row.model: row.value for row in rows if (row.metric, row.k) == (metric, k)}
            _bars(axes, {model: value.get(model, 0.0) for model in models}, baselines)
            axes.set_title(metric_name(metric, k))
        for axes in panels[len(largest) :]:
            axes.set_visible(False)
        return inline_svg(figure)


def segment_bars(rows: Sequence[MetricRow], baselines: Sequence[str]) -> str:
    """Draw recall at its largest k, one panel per segment, one bar per model."""
    cutoffs = [row.k for row in rows if row.metric == "recall" and row.k is not None]
    segments = segments_of(rows)
    if not cutoffs or len(segments) < 2:
        return ""
    rows = [row for row in rows if (row.metric, row.k) == ("recall", max(cutoffs))]
    models = list(dict.fromkeys(row.model for row in rows))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, 0.8 + 0.3 * len(models)), layout="constrained")
        panels = figure.subplots(1, len(segments), squeeze=False, sharey=True, sharex=True).ravel()
        for axes, segment in zip(panels, segments, strict=True):
            value = {row.model: row.value for row in rows if row.segment == segment}
            _bars(axes, {model: value.get(model, 0.0) for model in models}, baselines)
            axes.set_title(f"{words(segment)} members" if segment == ALL else words(segment))
        panels[0].set_xlim(0, ROOM_FOR_LABELS * max(row.value for row in rows))
        return inline_svg(figure)


def candidate_curves(rows: Sequence[MetricRow]) -> str:
    """Draw candidate recall over the number of candidates, one panel per segment, one line per generator."""
    rows = [row for row in rows if row.metric == CANDIDATE_RECALL]
    generators = list(dict.fromkeys(row.model for row in rows))[::-1]  # the mix is measured last
    segments = segments_of(rows)
    if not segments:
        return ""
    with mpl.rc_context(_STYLE | {"ytick.color": MUTED}):
        figure = Figure(figsize=(WIDTH, WIDTH / 2.6), layout="constrained")
        panels = figure.subplots(1, len(segments), squeeze=False).ravel()
        for axes, segment in zip(panels, segments, strict=True):
            for place, name in enumerate(generators):
                curve = sorted((r.k or 0, r.value) for r in rows if (r.model, r.segment) == (name, segment))
                axes.plot(*zip(*curve, strict=True), label=words(name), **_line(place))
            axes.set(title=f"{words(segment)} members" if segment == ALL else words(segment))
            axes.set(xlabel="candidates", xlim=0, ylim=0)
            axes.grid(axis="y", linewidth=0.8)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)
        return inline_svg(figure)


def variety_curves(rows: Sequence[MetricRow]) -> str:
    """Draw what variety costs: page NDCG, and true plays where they are known, over the page's diversity.

    A line per kind of variety, labelled with its weights; settings of no kind are points. Rows that are
    filled apart are no setting of variety.
    """
    value = {(row.model, row.metric): row.value for row in rows}
    goals = [name for name in ("page_ndcg", "page_expected_plays") if any(r.metric == name for r in rows)]
    settings = list(dict.fromkeys(row.model for row in rows if (row.model, "page_diversity") in value))
    settings = [name for name in settings if name != APART]
    if not goals or not settings:
        return ""
    kinds: dict[str, list[str]] = {}
    for name in settings:
        kinds.setdefault(name.split()[0] if name[-1].isdigit() else name, []).append(name)
    with mpl.rc_context(_STYLE | {"ytick.color": MUTED}):
        figure = Figure(figsize=(WIDTH, WIDTH / 2.4), layout="constrained")
        panels = figure.subplots(1, len(goals), squeeze=False)[0]
        for axes, goal in zip(panels, goals, strict=True):
            for place, (kind, names) in enumerate(kinds.items()):
                points = [(value[name, "page_diversity"], value[name, goal]) for name in names]
                axes.plot(
                    *zip(*points, strict=True),
                    color=SERIES[place % len(SERIES)],
                    label=words(kind),
                    marker="o",
                    linewidth=1.8,
                )
                for name, point in zip(names, points, strict=True):
                    if len(names) > 1:
                        above_or_below = (3, 5 if place % 2 else -11)  # labels of two lines keep apart
                        axes.annotate(
                            name.split()[-1], point, above_or_below, textcoords="offset points", fontsize=8
                        )
            axes.set(xlabel="diversity of the page, mean of 1 - cosine", title=words(goal))
            axes.grid(linewidth=0.8)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)
        return inline_svg(figure)


def truth_bars(truth: Mapping[str, float], baselines: Sequence[str]) -> str:
    """Draw the mean true play probability of each policy."""
    return _single(truth, ("oracle", *baselines), "mean true play probability")


def examination_curves(learned: Sequence[Sequence[float]], true: Sequence[Sequence[float]]) -> str:
    """Draw how often each place is looked at, relative to the first: a line per row, dashed for the truth."""
    with mpl.rc_context(_STYLE | {"ytick.color": MUTED}):
        figure = Figure(figsize=(WIDTH / 2, WIDTH / 3), layout="constrained")
        axes = figure.subplots()
        for row, values in enumerate(learned):
            colour = SERIES[row % len(SERIES)]
            places = range(1, len(values) + 1)
            axes.plot(places, values, color=colour, linewidth=2, label=f"row {row + 1}")
            if row < len(true):
                axes.plot(places, true[row], color=colour, linewidth=1.2, linestyle=(0, (4, 2)))
        axes.set(xlabel="position in the row", ylim=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", linewidth=0.8)
        figure.legend(loc="outside lower center", ncols=4)
        return inline_svg(figure)


def importance_bars(importance: Mapping[str, float]) -> str:
    """Draw the share of the gain of the most important features."""
    top = sorted(importance.items(), key=lambda item: -item[1])[:IMPORTANCE_SHOWN]
    return _single(dict(top), (), "share of the gain", percent=True, verbatim=True)


def step_bars(seconds: Mapping[str, float]) -> str:
    """Draw the wall time of each step, in the order they ran."""
    return _single(seconds, (), "seconds")


def calibration_plot(curve: CalibrationCurve) -> str:
    """Draw observed against predicted; on the diagonal a prediction comes true as often as it says."""
    with mpl.rc_context(_STYLE | {"ytick.color": MUTED}):
        figure = Figure(figsize=(WIDTH / 2, WIDTH / 2.2), layout="constrained")
        axes = figure.subplots()
        end = 1.05 * max(*curve.predicted, *curve.observed, 1e-9)
        axes.plot((0, end), (0, end), color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(curve.predicted, curve.observed, color=_OURS, linewidth=2, marker="o", markersize=5)
        axes.set(xlabel="predicted", ylabel="observed", xlim=(0, end), ylim=(0, end), aspect="equal")
        axes.grid(linewidth=0.8)
        axes.set_axisbelow(True)
        return inline_svg(figure)


def training_plot(curves: Mapping[str, Sequence[float]]) -> str:
    """Draw each curve over its iterations; curves named ``metric, part`` share their metric's panel."""
    panels: dict[str, list[str]] = {}
    for name in curves:
        panels.setdefault(name.split(", ")[0], []).append(name)
    with mpl.rc_context(_STYLE | {"ytick.color": MUTED}):
        figure = Figure(figsize=(WIDTH / 2 * len(panels), WIDTH / 2.8), layout="constrained")
        for axes, (title, names) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            for colour, name in zip(SERIES, names, strict=False):
                values = curves[name]
                label = name.removeprefix(f"{title}, ")
                axes.plot(np.arange(1, len(values) + 1), values, color=colour, linewidth=1.8, label=label)
            axes.set(title=title, xlabel="iteration")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(axis="y", linewidth=0.8)
            if len(names) > 1:
                axes.legend()
        return inline_svg(figure)


def _line(place: int) -> dict[str, Any]:
    """The first line is the thick one; colours that come again are dashed."""
    return {
        "color": SERIES[place % len(SERIES)],
        "linestyle": "-" if place < len(SERIES) else (0, (4, 2)),
        "linewidth": 1.4 if place else 2.6,
    }


def _single(
    values: Mapping[str, float],
    muted: Sequence[str],
    label: str,
    *,
    percent: bool = False,
    verbatim: bool = False,
) -> str:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, 0.7 + 0.27 * len(values)), layout="constrained")
        axes = figure.subplots()
        _bars(axes, values, muted, percent=percent, verbatim=verbatim)
        axes.set_xlabel(label)
        return inline_svg(figure)


def _bars(
    axes: Axes,
    values: Mapping[str, float],
    muted: Sequence[str],
    *,
    percent: bool = False,
    verbatim: bool = False,
) -> None:
    places = np.arange(len(values))
    colours = [BASELINE if name in muted else _OURS for name in values]
    bars = axes.barh(places, list(values.values()), color=colours, height=0.68)
    shown = [f"{value:.1%}" if percent else f"{value:.3g}" for value in values.values()]
    axes.bar_label(bars, shown, color=MUTED, fontsize=9, padding=3)
    axes.set_yticks(places, [name if verbatim else words(name) for name in values])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xlim(0, ROOM_FOR_LABELS * max([*values.values(), 1e-9]))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    if percent:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
    axes.grid(axis="x", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
