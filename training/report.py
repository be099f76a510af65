"""The report of a training: one page for people, one JSON file for programs."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from experiments.report_page import page_environment
from training import report_plots, report_tables
from training.bundle.manifest import check_version
from training.calibration import CalibrationCurve
from training.evaluation.results import MetricRow
from training.moved import Published
from training.position_bias import PositionBias

PAGE_FILE: Final = "index.html"
METRICS_FILE: Final = "metrics.json"


@dataclass(frozen=True, slots=True)
class StepTiming:
    """One step of the pipeline: its wall time in seconds and the process's peak memory in MiB."""

    name: str
    seconds: float
    peak_mib: float | None = None


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """Everything a report shows; what is empty or None is left out of the page.

    ``sizes`` counts what the data set holds ("members", "events", ...). ``baselines`` names the models of
    ``evaluation`` that are there to be beaten. ``importance`` is each ranking feature's share of
    the gain. ``truth`` is, for a simulated service, the mean true play probability of each policy's top
    ``truth_k``. ``position_bias`` says how the ranker thinks the places are looked at, and what that is
    worth. ``training_curves`` holds one value per iteration, by name. ``published`` says, by table, how
    many vectors went online after a warm start, and how many had not moved.
    """

    version: str
    created_at: datetime
    data_window: tuple[datetime, datetime]
    dataset: str
    sizes: Mapping[str, int]
    steps: Sequence[StepTiming] = ()
    evaluation: Sequence[MetricRow] = ()
    pages: Sequence[MetricRow] = ()
    baselines: Sequence[str] = ()
    importance: Mapping[str, float] = field(default_factory=dict)
    calibration: CalibrationCurve | None = None
    truth: Mapping[str, float] = field(default_factory=dict)
    truth_k: int = 10
    position_bias: PositionBias | None = None
    training_curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    published: Mapping[str, Published] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the report's numbers as JSON; raises ``ValueError`` for a number that is not finite."""
        fields = asdict(self)
        fields["data_window"] = dict(zip(("start", "end"), self.data_window, strict=True))
        try:
            return json.dumps(fields, default=_plain, indent=2, allow_nan=False) + "\n"
        except ValueError as error:
            raise ValueError(f"report {self.version} holds a number that is not finite; mend it") from error


def write_report(root: Path, report: TrainingReport) -> Path:
    """Write ``<root>/<version>/index.html`` and ``metrics.json``; return the folder.

    The page needs no other file and no network. Each file appears complete or not at all, and
    replaces one of the same version. Raises :class:`~training.bundle.BundleError` for a malformed version
    and ``ValueError`` for numbers that are not finite.
    """
    place = root / check_version(report.version, root)
    root.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=".staging-", dir=root))
    try:
        (stage / METRICS_FILE).write_text(report.to_json(), encoding="utf-8")
        (stage / PAGE_FILE).write_text(render_html(report), encoding="utf-8")
        stage.chmod(0o755)
        place.mkdir(exist_ok=True)
        for name in (METRICS_FILE, PAGE_FILE):  # each file is replaced whole; the page comes last
            (stage / name).replace(place / name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return place


def render_html(report: TrainingReport) -> str:
    """Return the report as one self-contained HTML page, light or dark as the reader's system is."""
    environment = page_environment("training")
    environment.filters["words"] = report_tables.words
    return environment.get_template("report.html").render(
        report=report,
        models=report_tables.model_table(report.evaluation, report.baselines),
        candidates=report_tables.candidate_table(report.evaluation),
        pages=report_tables.page_table(report.pages),
        truth=report_tables.truth_table(report.truth),
        places=report_tables.places_table(report.position_bias.rows if report.position_bias else ()),
        plots=_plots(report),
    )


def _plots(report: TrainingReport) -> dict[str, str]:
    """Return inline SVG by name; a plot without data is left out."""
    drawn: dict[str, Callable[[], str]] = {}
    if report.evaluation:
        drawn["metrics"] = lambda: report_plots.metric_bars(report.evaluation, report.baselines)
        drawn["segments"] = lambda: report_plots.segment_bars(report.evaluation, report.baselines)
        drawn["candidates"] = lambda: report_plots.candidate_curves(report.evaluation)
    if report.pages:
        drawn["pages"] = lambda: report_plots.variety_curves(report.pages)
    if report.truth:
        drawn["truth"] = lambda: report_plots.truth_bars(report.truth, report.baselines)
    if (places := report.position_bias) is not None:
        drawn["places"] = lambda: report_plots.examination_curves(places.learned, places.true)
    if report.importance:
        drawn["importance"] = lambda: report_plots.importance_bars(report.importance)
    if (curve := report.calibration) is not None:
        drawn["calibration"] = lambda: report_plots.calibration_plot(curve)
    if report.training_curves:
        drawn["training"] = lambda: report_plots.training_plot(report.training_curves)
    if report.steps:
        seconds = {step.name: step.seconds for step in report.steps}
        drawn["steps"] = lambda: report_plots.step_bars(seconds)
    return {name: svg for name, draw in drawn.items() if (svg := draw())}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item"):  # a numpy scalar
        return value.item()
    raise TypeError(f"report holds a {type(value).__name__}, which JSON does not know")
