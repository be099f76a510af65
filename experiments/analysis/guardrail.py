"""The retention guardrail of an arm, from the members of an experiment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.analysis.results import Guardrail
from experiments.analysis.retention import FEWEST_MATURED, retention_change
from experiments.definitions import Experiment


def guardrail(members: pa.Table, experiment: Experiment, arm: int) -> Guardrail:
    """Compare an arm's retention with control's.

    It is breached when even the upper end of the change's interval lies below minus the rule's margin, and
    known once as great a loss as the rule's ``retention_loss`` would have breached it.
    """
    rule, arms = experiment.definition.rule, experiment.definition.arms
    rows = [members.filter(pc.equal(members["arm"], f"{experiment.name}/{arms[n].name}")) for n in (0, arm)]
    matured = _pair([int(pc.sum(one["matured"]).as_py() or 0) for one in rows])
    retained = _pair([int(pc.sum(pc.and_(one["matured"], one["retained"])).as_py() or 0) for one in rows])
    found = retention_change(retained, matured, rule.retention_margin, rule.retention_loss)
    needed = (FEWEST_MATURED, FEWEST_MATURED) if found is None else found.needed
    starts = [_enough_from(one, count) for one, count in zip(rows, needed, strict=True)]
    window = timedelta(days=rule.retention_days)
    known_from = None if None in starts else max(start for start in starts if start is not None) + window
    if found is None:
        return Guardrail(
            matured=matured, retained=retained, needed=needed, known=False, known_from=known_from,
            margin=rule.retention_margin, breached=False,
        )  # fmt: skip
    return Guardrail(
        matured=matured, retained=retained, needed=needed, known_from=known_from,
        known=matured[0] >= needed[0] and matured[1] >= needed[1],
        change=found.change, low=found.lower, high=found.upper, p=found.p, margin=rule.retention_margin,
        breached=found.upper < -rule.retention_margin,
    )  # fmt: skip


def _enough_from(members: pa.Table, count: int) -> datetime | None:
    """Return when the last of the members that it takes was first exposed; None while they are too few."""
    if len(members) < count:
        return None
    first_us = np.partition(members["first_us"].to_numpy(), count - 1)[count - 1]
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(first_us))


def _pair(counts: list[int]) -> tuple[int, int]:
    control, treatment = counts
    return control, treatment
