"""The analysis of an experiment, loaded by the worker that is first asked for one.

It brings statsmodels along, whose memory and second of loading a worker need not spend that only makes pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol

from experiments.definitions import Experiment
from experiments.errors import ExperimentError


class Analysis(Protocol):
    """What is known of an experiment."""

    def to_json(self) -> str:
        """Return all of it as JSON."""


Analyze = Callable[[str, Experiment, datetime, Sequence[Experiment]], Analysis]
"""(lake, experiment, now, running experiments) to its analysis; raises ``ValueError`` where there is none."""


def analyze(lake: str, experiment: Experiment, now: datetime, concurrent: Sequence[Experiment]) -> Analysis:
    """Analyse an experiment over the impressions of a lake (path or URL), corrected for ``concurrent`` ones.

    Raises ``ExperimentError`` where it cannot be analysed, as one that was never started.
    """
    module: Any = import_module("experiments.analysis.analyze")
    try:
        found: Analysis = module.analyze_experiment(lake, experiment, now, concurrent)
    except ValueError as error:
        raise ExperimentError(str(error)) from error
    return found
