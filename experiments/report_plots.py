"""The plots of an experiment's report, as inline SVG that takes its colours from the page's style sheet.

Figures are drawn by matplotlib's object API in placeholder colours; each placeholder then becomes a CSS
variable, so that one drawing suits light and dark.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from experiments.analysis.results import Analysis, Comparison

WIDTH: Final = 9.4
"""Inches of a plot over the whole text width."""
_INK, _MUTED, _GRID, _BASELINE = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b05"
_SERIES: Final = ("#0a0b04", "#0a0b06", "#0a0b07", "#0a0b08", "#0a0b09", "#0a0b0a")
_VARIABLES: Final = {
    _INK: "--ink", _MUTED: "--muted", _GRID: "--grid", _BASELINE: "--baseline",
    **{colour: f"--series-{number}" for number, colour in enumerate(_SERIES, start=1)},
}  # fmt: skip
_STYLE: Final[Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "marquee", "font.family": "sans-serif", "font.size": 10,
    "text.color": _INK, "axes.labelcolor": _MUTED, "xtick.color": _MUTED, "ytick.color": _MUTED,
    "axes.edgecolor": _GRID, "grid.color": _GRID, "axes.titlesize": 11, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.titlecolor": _INK, "axes.spines.top": False,
    "axes.spines.right": False, "legend.frameon": False, "text.parse_math": False,
}  # fmt: skip


def lift_over_time(analysis: Analysis) -> str:
    """Draw each arm's lift with its confidence sequence, a panel an arm; empty before the first look."""
    shown = [one for one in analysis.comparisons if one.looks]
    if not shown:
        return ""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, 2.9 * len(shown)), layout="constrained")
        panels = figure.subplots(len(shown), 1, squeeze=False, sharex=True)[:, 0]
        for place, (axes, one) in enumerate(zip(panels, shown, strict=True)):
            colour = _SERIES[place % len(_SERIES)]
            days = np.array([look.day for look in one.looks], "datetime64[D]")
            low, high = [look.low for look in one.looks], [look.high for look in one.looks]
            axes.fill_between(days, low, high, color=colour, alpha=0.16, linewidth=0)
            axes.plot(
                days, [look.lift for look in one.looks], color=colour, linewidth=2, marker="o", markersize=3
            )
            axes.axhline(0, color=_MUTED, linewidth=1)
            axes.set(title=f"{one.arm} against {analysis.arms[0].name}", ylabel="relative lift")
            axes.set_ylim(*_room(low, high))
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            _dated(axes)
        return _svg(figure)


def daily_rates(analysis: Analysis) -> str:
    """Draw the metric of each arm on each day alone; empty where nothing was shown yet."""
    if not any(one.rate is not None for one in analysis.daily):
        return ""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, WIDTH / 3.2), layout="constrained")
        axes = figure.subplots()
        for place, arm in enumerate(analysis.arms):
            points = [(o.day, o.rate) for o in analysis.daily if o.arm == arm.name and o.rate is not None]
            days = np.array([day for day, _ in points], "datetime64[D]")
            axes.plot(days, [rate for _, rate in points], label=arm.name, **_line(place))
        axes.set(ylabel=analysis.metric.replace("_", " "), ylim=(0, None))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        _dated(axes)
        figure.legend(loc="outside lower center", ncols=5)
        return _svg(figure)


def sample_ratio_bars(analysis: Analysis) -> str:
    """Draw the members of each arm, with a mark where the arm's share would have them."""
    total = sum(arm.members for arm in analysis.arms)
    if not total:
        return ""
    shares = sum(arm.share for arm in analysis.arms)
    with mpl.rc_context(_STYLE | {"ytick.color": _INK}):
        figure = Figure(figsize=(WIDTH / 2, 0.9 + 0.4 * len(analysis.arms)), layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(analysis.arms))
        colours = [_line(place)["color"] for place in range(len(places))]
        bars = axes.barh(places, [arm.members for arm in analysis.arms], color=colours, height=0.6)
        axes.bar_label(
            bars, [f"{arm.members:,}" for arm in analysis.arms], color=_MUTED, fontsize=9, padding=6
        )
        for place, arm in enumerate(analysis.arms):
            expected = total * arm.share / shares
            axes.plot([expected] * 2, [place - 0.42, place + 0.42], color=_INK, linewidth=1.4)
        axes.set_yticks(places, [arm.name for arm in analysis.arms])
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set(xlabel="members; the mark: as dealt", ylim=(len(places) - 0.4, -0.6))
        axes.set_xlim(0, 1.25 * max(total * arm.share / shares for arm in analysis.arms))
        axes.tick_params(axis="y", length=0)
        return _svg(figure)


def guardrail_ranges(analysis: Analysis) -> str:
    """Draw each arm's change of retention with its one-sided intervals; empty where none is known."""
    shown = [one for one in analysis.comparisons if one.guardrail.known]
    if not shown:
        return ""
    with mpl.rc_context(_STYLE | {"ytick.color": _INK}):
        figure = Figure(figsize=(WIDTH / 2, 0.9 + 0.4 * len(shown)), layout="constrained")
        axes = figure.subplots()
        for place, one in enumerate(shown):
            _range(axes, place, one)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.axvline(0, color=_MUTED, linewidth=1)
        axes.axvline(-shown[0].guardrail.margin, color=_SERIES[0], linewidth=1, linestyle=(0, (4, 3)))
        axes.set_yticks(range(len(shown)), [one.arm for one in shown])
        axes.set(
            xlabel="change of retention; dashed: as much as is put up with", ylim=(len(shown) - 0.4, -0.6)
        )
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.tick_params(axis="y", length=0)
        return _svg(figure)


def _range(axes: Axes, place: int, one: Comparison) -> None:
    guardrail = one.guardrail
    if guardrail.change is None or guardrail.low is None or guardrail.high is None:
        return
    colour = _line(place + 1)["color"]
    axes.plot([guardrail.low, guardrail.high], [place, place], color=colour, linewidth=3)
    axes.plot([guardrail.change], [place], color=colour, marker="o", markersize=7)


def _room(low: Sequence[float], high: Sequence[float]) -> tuple[float, float]:
    """Show the later looks in detail: the first, very wide ones may reach out of the picture."""
    settled = len(low) // 4
    bottom, top = min(*low[settled:], 0.0), max(*high[settled:], 0.0)
    return bottom - 0.1 * (top - bottom), top + 0.1 * (top - bottom)


def _dated(axes: Axes) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.grid(axis="y", linewidth=0.8)
    axes.set_axisbelow(True)


def _line(place: int) -> dict[str, Any]:
    """Control is grey; colours that come again are dashed."""
    if place == 0:
        return {"color": _BASELINE, "linewidth": 2.2}
    treated = place - 1
    dashes = "-" if treated < len(_SERIES) else (0, (4, 2))
    return {"color": _SERIES[treated % len(_SERIES)], "linewidth": 2.2, "linestyle": dashes}


def _svg(figure: Figure) -> str:
    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        drawing = drawing.replace(colour, f"var({variable})")
    # Ids are unique within a drawing only; the page holds several. Fonts and width are the page's.
    drawing = re.sub(r'<g id="[^"]*">', "<g>", drawing)
    drawing = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", drawing)
    return re.sub(
        r'width="([^"]*)" height="[^"]*"', r'style="max-width: \1" aria-hidden="true"', drawing, count=1
    )
