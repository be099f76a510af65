"""Small impression logs and experiments for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.definitions import Experiment, ExperimentDefinition, Status
from feature_repo import schema as s
from feature_repo.ingest.lake import Lake

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""Experiments begin at noon, in the middle of a partition."""
DAY = timedelta(days=1)
Row = dict[str, Any]


def experiment(name: str = "trial", layer: str = "ranker", **changed: Any) -> Experiment:
    """Return a running experiment of two equal arms, ``control`` and ``new``; keywords change it."""
    treatments: dict[str, Any] = {
        "ranker": {"bundle": "challenger"}, "ui": {"variant": "large"},
        "candidate": {"generators": {"als": {"limit": 9}}}, "post_filter": {"page": {}},
    }  # fmt: skip
    arms = [{"name": "control", "share": 500}, {"name": "new", "share": 500, "treatment": treatments[layer]}]
    definition = {
        "name": name, "layer": layer, "traffic": 500,
        "arms": changed.pop("arms", arms), "rule": changed.pop("rule", {}),
    }  # fmt: skip
    return Experiment(
        definition=ExperimentDefinition.model_validate(definition),
        first_bucket=0,
        status=changed.pop("status", Status.RUNNING),
        created_at=START,
        started_at=changed.pop("started_at", START),
        **changed,
    )


def page(
    user: str,
    arm: str | None,
    at: datetime,
    tiles: int = 1,
    played: Sequence[float] = (),
    **columns: Any,
) -> list[Row]:
    """Return a page's tiles; ``played``: watch fractions of the first ones, ``arm``: ``experiment/arm``."""
    name = f"{user}@{at.isoformat()}"
    return [
        {
            s.PAGE_ID: name, s.USER_ID: user, s.TITLE_ID: f"t{n}", s.EVENT_TIMESTAMP: at,
            s.ROW_TYPE: "top_picks", s.ROW_INDEX: 1, s.POSITION: n + 1, s.PROPENSITY: 1.0,
            s.PLAYED: n < len(played), s.WATCH_FRACTION: played[n] if n < len(played) else None,
            "ranker_arm": arm, **columns,
        }
        for n in range(tiles)
    ]  # fmt: skip


def watch(user: str, at: datetime, event_type: str = "play") -> Row:
    """Return a watch event."""
    return {
        s.EVENT_ID: f"{user}@{at.isoformat()}", s.USER_ID: user, s.TITLE_ID: "t1",
        s.EVENT_TYPE: event_type, s.EVENT_TIMESTAMP: at,
    }  # fmt: skip


def write(root: Path, impressions: Sequence[Row], events: Sequence[Row] = ()) -> str:
    """Write a lake and return its root."""
    lake = Lake(str(root))
    for table, rows in ((s.IMPRESSIONS, impressions), (s.EVENTS, events)):
        if rows:
            lake.append(table, _complete(table, rows))
    return lake.root


def service_log(
    rates: Mapping[str | None, float],
    seed: int,
    members: int = 400,
    days: int = 20,
    ui: Sequence[str] = (),
    together: float = 0.0,
) -> tuple[list[Row], list[Row]]:
    """Return impressions and watch events of members who come for ``days`` days, from a week before START.

    From START on, members see the arms of ``rates`` (arm to play rate) in turn, by chance those of ``ui``.
    ``together`` is added to the rate of those in the last arm of both.
    """
    rng = np.random.default_rng(seed)
    arms, rows, events = list(rates), [], []
    for user in range(members):
        arm, theirs = arms[user % len(arms)], ui[rng.integers(len(ui))] if ui else None
        own = rng.beta(8, 8 * 3)
        for day in range(-7, days):
            if rng.random() > 0.3:
                continue
            at = START + day * DAY + timedelta(hours=float(rng.uniform(0, 12)))
            running = day >= 0
            extra = together if running and arm == arms[-1] and ui and theirs == ui[-1] else 0.0
            rate = (rates[arm] if running else rates[arms[0]]) * own * 4 + extra
            played = rng.random(rng.binomial(10, min(rate, 1.0))).tolist()
            seen = (arm, theirs) if running else (None, None)
            rows += page(f"u{user:04}", seen[0], at, 10, played, ui_arm=seen[1])
            events.append(watch(f"u{user:04}", at))
    return rows, events


def _complete(table: s.Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(
        [{c.name: row.get(c.name) for c in table.columns} for row in rows], schema=table.arrow_schema
    )
