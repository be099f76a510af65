"""From the lake to a decision that is carried out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from experiments.cli import main
from experiments.definitions import ExperimentDefinition, Status
from experiments.judging import judge, settle
from experiments.opening import open_store
from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from tests.conftest import MakeRows

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 15
END = START + timedelta(days=DAYS)
MEMBERS = 150
DEFINITION = ExperimentDefinition.model_validate(
    {
        "name": "trial", "layer": "post_filter", "traffic": 1000,
        "arms": [
            {"name": "control", "share": 500},
            {"name": "treatment", "share": 500, "treatment": {"page": {"variety_weight": 0.3}}},
        ],
        "rule": {
            "minimum_days": 14, "minimum_impressions": 10_000, "retention_days": 7, "retention_loss": 0.2,
        },
    }
)  # fmt: skip


def impressions(played: Sequence[float], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Five tiles a day for each member of both arms, played at these rates; two thirds of the days."""
    rows = []
    for arm, rate in zip(("control", "treatment"), played, strict=True):
        for member in range(MEMBERS):
            for day in np.flatnonzero(rng.random(DAYS) < 2 / 3).tolist():
                page = f"{arm}-{member}-{day}"
                rows += [
                    {
                        s.PAGE_ID: page, s.TITLE_ID: f"t{tile}", s.USER_ID: f"{arm}-{member}",
                        s.EVENT_TIMESTAMP: START + timedelta(days=day, hours=12), s.ROW_TYPE: "top_picks",
                        s.ROW_INDEX: 1, s.POSITION: tile + 1, s.PROPENSITY: 1.0,
                        s.PLAYED: bool(rng.random() < rate), s.WATCH_FRACTION: None,
                        "post_filter_arm": f"trial/{arm}", "candidate_arm": None, "ranker_arm": None,
                        "ui_arm": None, s.HOLDOUT: False,
                    }
                    for tile in range(5)
                ]  # fmt: skip
    return rows


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MARQUEE_HOME", str(tmp_path))
    for name in ("MARQUEE_LAKE", "MARQUEE_EXPERIMENTS"):
        monkeypatch.delenv(name, raising=False)
    return Settings.from_environment()


def fill(home: Settings, make_rows: MakeRows, played: Sequence[float]) -> None:
    """Write the log, and events by which every member comes back each day."""
    lake = Lake(home.lake)
    lake.replace(s.IMPRESSIONS, make_rows(s.IMPRESSIONS, impressions(played, np.random.default_rng(5))))
    back = [
        {
            s.EVENT_ID: f"{arm}-{member}-{day}", s.USER_ID: f"{arm}-{member}", s.TITLE_ID: "t9",
            s.EVENT_TYPE: "play", s.EVENT_TIMESTAMP: START + timedelta(days=day, hours=20),
        }
        for arm in ("control", "treatment") for member in range(MEMBERS) for day in range(DAYS)
    ]  # fmt: skip
    lake.replace(s.EVENTS, make_rows(s.EVENTS, back))


def started(home: Settings) -> None:
    store = open_store(home)
    store.create(DEFINITION, START)
    store.change_status("trial", Status.RUNNING, START)
    store.close()


@pytest.mark.parametrize(
    ("played", "action", "status"),
    [
        ((0.05, 0.15), "promote", Status.PROMOTED),
        ((0.15, 0.05), "roll_back", Status.ROLLED_BACK),
        ((0.10, 0.10), "hold", Status.RUNNING),
    ],
)
def test_the_rule_decides_from_the_log_and_it_is_carried_out(
    home: Settings, make_rows: MakeRows, played: tuple[float, float], action: str, status: Status
) -> None:
    started(home)
    fill(home, make_rows, played)
    store = open_store(home)
    judged = judge(store, home, "trial", END)
    record = settle(store, home, judged, END)
    assert (record.action, record.decided_by) == (action, "rule")
    assert store.get("trial").status is status
    [file] = (home.home / "experiments" / "decisions").glob("*.json")
    kept = json.loads(file.read_text())
    assert (kept["action"], kept["reason"]) == (action, judged.verdict.reason)
    assert kept["evidence"]
    store.close()


def test_the_command_decides_all_that_run(home: Settings, make_rows: MakeRows) -> None:
    started(home)
    fill(home, make_rows, (0.05, 0.15))
    done = CliRunner().invoke(main, ["decide", "--as-of", END.isoformat()], catch_exceptions=False)
    assert done.exit_code == 0
    assert "trial" in done.output
    assert "promote" in done.output
    again = CliRunner().invoke(main, ["decide", "--as-of", END.isoformat()], catch_exceptions=False)
    assert (again.exit_code, again.output) == (0, "")  # nothing runs any more


def test_what_cannot_be_decided_is_named_and_the_others_are_decided(home: Settings) -> None:
    started(home)
    done = CliRunner().invoke(main, ["decide", "--as-of", END.isoformat(), "strange", "trial"])
    assert done.exit_code == 1
    assert "strange: not decided" in done.output
    assert "trial" in done.output
    assert "hold" in done.output
