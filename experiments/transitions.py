"""The life of an experiment: from which status to which it may go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from experiments.definitions import Experiment, Status
from experiments.errors import TransitionError

TRANSITIONS: Final[Mapping[Status, tuple[Status, ...]]] = {
    Status.DRAFT: (Status.RUNNING, Status.ROLLED_BACK),
    Status.RUNNING: (Status.PAUSED, Status.PROMOTED, Status.ROLLED_BACK),
    Status.PAUSED: (Status.RUNNING, Status.PROMOTED, Status.ROLLED_BACK),
    Status.PROMOTED: (),
    Status.ROLLED_BACK: (),
}
"""A draft that is rolled back is withdrawn. A promotion is taken back by a decision only, which sees to the
bundle too: :mod:`experiments.promotion`."""
ENDS: Final = (Status.PROMOTED, Status.ROLLED_BACK)


def check_transition(experiment: Experiment, status: Status) -> None:
    """Raise :class:`TransitionError` unless an experiment may go to ``status``; it tells what is allowed."""
    allowed = TRANSITIONS[experiment.status]
    if status not in allowed:
        where = f"from there it can become {' or '.join(allowed)}" if allowed else (
            "that is its end; create another under a new name"
        )  # fmt: skip
        raise TransitionError(
            f"experiment {experiment.name!r} is {experiment.status}, not to become {status}: {where}"
        )


def moved(experiment: Experiment, status: Status, now: datetime, reason: str) -> Experiment:
    """Return the experiment in another status. It keeps the instants of its first start and first end."""
    return experiment.model_copy(
        update={
            "status": status,
            "reason": reason,
            "started_at": experiment.started_at or (now if status is Status.RUNNING else None),
            "ended_at": (experiment.ended_at or now) if status in ENDS else None,
        }
    )
