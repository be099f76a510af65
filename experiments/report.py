"""The report of an experiment: one page for people, one JSON file for programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from experiments import report_plots
from experiments.analysis.results import Analysis, Effect
from experiments.decision import Verdict
from experiments.definitions import Experiment
from experiments.report_page import page_environment
from feature_repo.replacing import replace_file

PAGE_FILE: Final = "index.html"
ANALYSIS_FILE: Final = "analysis.json"
REPORTS: Final = Path("experiments") / "reports"
"""Where reports lie in the service's home, a folder each."""
_ACTIONS: Final = {"promote": "Promote", "hold": "Hold", "roll_back": "Roll back"}


def write_report(home: Path, experiment: Experiment, analysis: Analysis, verdict: Verdict) -> Path:
    """Write ``<home>/experiments/reports/<name>/index.html`` and ``analysis.json``; return the folder.

    The page needs no other file and no network. Each file appears complete or not at all, and replaces the
    one that was there.
    """
    folder = home / REPORTS / experiment.name
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / ANALYSIS_FILE, analysis.to_json().encode())
    replace_file(folder / PAGE_FILE, render_html(experiment, analysis, verdict).encode())
    return folder


def render_html(experiment: Experiment, analysis: Analysis, verdict: Verdict) -> str:
    """Return the report as one self-contained HTML page, light or dark as the reader's system is."""
    environment = page_environment("experiments")
    environment.filters["share"] = lambda value: "–" if value is None else f"{value:.3%}"
    environment.filters["change"] = lambda value: "–" if value is None else f"{value:+.2%}"
    environment.filters["p_value"] = lambda value: "–" if value is None else f"{value:.3g}"
    environment.filters["metric"] = lambda name: name.replace("_", " ")
    return environment.get_template("experiment.html").render(
        experiment=experiment,
        analysis=analysis,
        verdict=verdict,
        action=_ACTIONS[verdict.action],
        effects=_effects(analysis),
        plots=_plots(analysis),
    )


def _effects(analysis: Analysis) -> list[tuple[str, Effect]]:
    """The metrics of each arm, the one that decides first."""
    both = [(one.arm, effect) for one in analysis.comparisons for effect in (one.effect, one.secondary)]
    return [(arm, effect) for arm, effect in both if effect is not None]


def _plots(analysis: Analysis) -> dict[str, str]:
    """Return inline SVG by name; a plot without data is left out."""
    drawn: dict[str, Callable[[Analysis], str]] = {
        "lift": report_plots.lift_over_time,
        "sample_ratio": report_plots.sample_ratio_bars,
        "guardrail": report_plots.guardrail_ranges,
        "daily": report_plots.daily_rates,
    }
    return {name: svg for name, draw in drawn.items() if (svg := draw(analysis))}
