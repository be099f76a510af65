"""The plots of an experiment's report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from experiments.analysis.results import Analysis, Comparison
from experiments.report_page import BASELINE, INK, MUTED, SERIES, STYLE, WIDTH, inline_svg


def lift_over_time(analysis: Analysis) -> str:
    """Draw each arm's lift with its confidence sequence, a panel an arm; empty before the first look."""
    shown = [one for one in analysis.comparisons if one.looks]
    if not shown:
        return ""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.9 * len(shown)), layout="constrained")
        panels = figure.subplots(len(shown), 1, squeeze=False, sharex=True)[:, 0]
        for place, (axes, one) in enumerate(zip(panels, shown, strict=True)):
            colour = SERIES[place % len(SERIES)]
            days = np.array([look.day for look in one.looks], "datetime64[D]")
            low, high = [look.low for look in one.looks], [look.high for look in one.looks]
            axes.fill_between(days, low, high, color=colour, alpha=0.16, linewidth=0)
            axes.plot(
                days, [look.lift for look in one.looks], color=colour, linewidth=2, marker="o", markersize=3
            )
            axes.axhline(0, color=MUTED, linewidth=1)
            axes.set(title=f"{one.arm} against {analysis.arms[0].name}", ylabel="relative lift")
            axes.set_ylim(*_room(low, high))
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            _dated(axes)
        return inline_svg(figure)


def daily_rates(analysis: Analysis) -> str:
    """Draw the metric of each arm on each day alone; empty where nothing was shown yet."""
    if not any(one.rate is not None for one in analysis.daily):
        return ""
    with mpl.rc_context(STYLE):
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
        return inline_svg(figure)


def sample_ratio_bars(analysis: Analysis) -> str:
    """Draw the members of each arm, with a mark where the arm's share would have them."""
    total = sum(arm.members for arm in analysis.arms)
    if not total:
        return ""
    shares = sum(arm.share for arm in analysis.arms)
    with mpl.rc_context(STYLE | {"ytick.color": INK}):
        figure = Figure(figsize=(WIDTH / 2, 0.9 + 0.4 * len(analysis.arms)), layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(analysis.arms))
        colours = [_line(place)["color"] for place in range(len(places))]
        bars = axes.barh(places, [arm.members for arm in analysis.arms], color=colours, height=0.6)
        axes.bar_label(
            bars, [f"{arm.members:,}" for arm in analysis.arms], color=MUTED, fontsize=9, padding=6
        )
        for place, arm in enumerate(analysis.arms):
            expected = total * arm.share / shares
            axes.plot([expected] * 2, [place - 0.42, place + 0.42], color=INK, linewidth=1.4)
        axes.set_yticks(places, [arm.name for arm in analysis.arms])
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set(xlabel="members; the mark: as dealt", ylim=(len(places) - 0.4, -0.6))
        axes.set_xlim(0, 1.25 * max(total * arm.share / shares for arm in analysis.arms))
        axes.tick_params(axis="y", length=0)
        return inline_svg(figure)


def guardrail_ranges(analysis: Analysis) -> str:
    """Draw each arm's change of retention with its one-sided intervals; empty where none is known."""
    shown = [one for one in analysis.comparisons if one.guardrail.known]
    if not shown:
        return ""
    with mpl.rc_context(STYLE | {"ytick.color": INK}):
        figure = Figure(figsize=(WIDTH / 2, 0.9 + 0.4 * len(shown)), layout="constrained")
        axes = figure.subplots()
        for place, one in enumerate(shown):
            _range(axes, place, one)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.axvline(0, color=MUTED, linewidth=1)
        axes.axvline(-shown[0].guardrail.margin, color=SERIES[0], linewidth=1, linestyle=(0, (4, 3)))
        axes.set_yticks(range(len(shown)), [one.arm for one in shown])
        axes.set(
            xlabel="change of retention; dashed: as much as is put up with", ylim=(len(shown) - 0.4, -0.6)
        )
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.tick_params(axis="y", length=0)
        return inline_svg(figure)


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
        return {"color": BASELINE, "linewidth": 2.2}
    treated = place - 1
    dashes = "-" if treated < len(SERIES) else (0, (4, 2))
    return {"color": SERIES[treated % len(SERIES)], "linewidth": 2.2, "linestyle": dashes}
