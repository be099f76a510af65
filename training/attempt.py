"""The process that does a retrain's work, so that whatever ends it ends nothing else.

``python -m training.attempt`` is started by :mod:`training.supervision`: the request is the first line of its
standard input, which stays open as long as it is wanted; the answer is all that goes to its standard output.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from feature_repo.cli import open_gateway
from feature_repo.ingest.lake import LakeError
from feature_repo.settings import Settings
from training.bundle import PublishAs
from training.config import TrainingConfig
from training.interruption import ending_on_signals
from training.memory_plans import MemoryPlan
from training.progress_bar import progress_bar
from training.retrain import Retrained, reason_of, retrain_once, solve_new_titles
from training.steps import StepRecorder

STOP_SECONDS: Final = 10.0
"""How long an attempt that is to stop may take to put its things away."""
FAILED: Final = 1
INTERRUPTED: Final = 128 + signal.SIGINT
_CONSOLE: Final = Console(stderr=True, log_path=False)
_ENDED_FIRST: Final = Path("/proc/self/oom_score_adj")
_RATHER_THAN_OTHERS: Final = "500"


class Request(BaseModel):
    """What is to be done: a whole retrain, or the vectors of new titles alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: Literal["retrain", "new titles"]
    plan: MemoryPlan
    config: TrainingConfig
    dataset: str = ""
    publish_as: PublishAs = "auto"


class Answer(BaseModel):
    """What became of it: either ``retrained``, or ``solved`` titles, or the ``error`` that ended it.

    ``hopeless`` errors would end every other attempt, too, until people do something; ``peak_mib`` is the
    most memory that the process ever held.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    retrained: Retrained | None = None
    solved: list[str] = []
    error: str | None = None
    hopeless: bool = False
    peak_mib: float


def main() -> int:
    """Do what standard input asks for, and answer; return the exit status."""
    request = Request.model_validate_json(sys.stdin.readline())
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
        _be_ended_before_others()
        with ending_on_signals():
            threading.Thread(target=_end_with_parent, args=(sys.stdin.fileno(),), daemon=True).start()
            try:
                answer = _answer(request, StepRecorder(_say))
            except KeyboardInterrupt:
                return INTERRUPTED
        answers.write(answer.model_dump_json())
    return FAILED if answer.error else 0


def _answer(request: Request, recorder: StepRecorder) -> Answer:
    try:
        if request.job == "new titles":
            return Answer(solved=_solve(request), peak_mib=recorder.peak_mib)
        return Answer(retrained=_retrain(request, recorder), peak_mib=recorder.peak_mib)
    except Exception as error:  # an attempt may fail by anything: the parent decides what follows
        hopeless = isinstance(error, LakeError)
        return Answer(error=reason_of(error), hopeless=hopeless, peak_mib=recorder.peak_mib)


def _retrain(request: Request, recorder: StepRecorder) -> Retrained:
    settings, plan = Settings.from_environment(), request.plan
    with open_gateway(settings, plan.rows_at_once) as gateway, progress_bar(_CONSOLE) as progress:
        return retrain_once(
            gateway, settings, plan.of(request.config), recorder,
            clock=_wall, dataset=request.dataset, progress=progress, plan=plan.name,
            publish_as=request.publish_as,
        )  # fmt: skip


def _solve(request: Request) -> list[str]:
    settings = Settings.from_environment()
    with open_gateway(settings, request.plan.rows_at_once) as gateway:
        return solve_new_titles(gateway, settings, request.config.viewers_to_solve, _wall())


def _be_ended_before_others() -> None:
    """Where the machine runs out of memory, Linux is to end a training rather than a server beside it."""
    with suppress(OSError):
        _ENDED_FIRST.write_text(_RATHER_THAN_OTHERS)


def _end_with_parent(wanted: int) -> None:
    """Stop when the parent is gone, however it went: nobody would know of this process any more."""
    while os.read(wanted, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os._exit(INTERRUPTED)


def _say(text: str) -> None:
    _CONSOLE.log(text, markup=False, highlight=False)


def _wall() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
