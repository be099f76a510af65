"""Plots as inline SVG that takes its colours from the page's style sheet, and the environment of such pages.

Figures are drawn by matplotlib's object API in placeholder colours; each placeholder then becomes a CSS
variable, so that one drawing suits light and dark.
"""

from __future__ import annotations

import io
import re
from typing import Any, Final

import jinja2
from matplotlib.figure import Figure

WIDTH: Final = 9.4
"""Inches of a plot over the whole text width."""
INK, MUTED, GRID, BASELINE = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b05"
SERIES: Final = ("#0a0b04", "#0a0b06", "#0a0b07", "#0a0b08", "#0a0b09", "#0a0b0a")
STYLE: Final[Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "marquee", "font.family": "sans-serif", "font.size": 10,
    "text.color": INK, "axes.labelcolor": MUTED, "xtick.color": MUTED, "ytick.color": MUTED,
    "axes.edgecolor": GRID, "grid.color": GRID, "axes.titlesize": 11, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.titlecolor": INK, "axes.spines.top": False,
    "axes.spines.right": False, "legend.frameon": False, "text.parse_math": False,
}  # fmt: skip
_VARIABLES: Final = {
    INK: "--ink", MUTED: "--muted", GRID: "--grid", BASELINE: "--baseline",
    **{colour: f"--series-{number}" for number, colour in enumerate(SERIES, start=1)},
}  # fmt: skip


def inline_svg(figure: Figure) -> str:
    """Return a figure as SVG to stand in a page."""
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


def page_environment(package: str) -> jinja2.Environment:
    """Return what renders the templates of a package, each value escaped and none left out by mistake."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["instant"] = lambda instant: f"{instant:%Y-%m-%d %H:%M} UTC"
    environment.filters["count"] = lambda number: f"{number:,}"
    return environment
