"""What commands take for now: the clock of a server, of the champion's data, or the wall's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from experiments.bundle_alias import bundle_aliases
from experiments.cli import main
from experiments.errors import WrongClockError
from experiments.opening import open_store
from experiments.records import ClockReading
from experiments.service_time import ServiceTime, analysis_instant, present, service_time, starting_instant
from experiments.store import ExperimentStore
from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from tests.conftest import MakeRows
from training.bundle import FORMAT_VERSION, DataWindow, Manifest

DATA_END = datetime(2018, 9, 24, 14, tzinfo=UTC)
WALL = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
VERSION = "20260101T000001Z-00000001"


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MARQUEE_HOME", str(tmp_path_factory.mktemp("home")))
    for name in ("MARQUEE_LAKE", "MARQUEE_EXPERIMENTS"):
        monkeypatch.delenv(name, raising=False)
    return Settings.from_environment()


@pytest.fixture
def store(home: Settings) -> Iterator[ExperimentStore]:
    opened = open_store(home)
    yield opened
    opened.close()


def champion(home: Settings, data_end: datetime) -> None:
    folder = home.bundles / VERSION
    folder.mkdir(parents=True)
    manifest = Manifest(
        format_version=FORMAT_VERSION, version=VERSION, created_at=data_end, schema_hash="0" * 64,
        ranking_features_hash="0" * 64, parent=None, seed=0, confidence=None, files={}, metrics={},
        data_window=DataWindow(start=data_end - 90 * 24 * HOUR, end=data_end),
    )  # fmt: skip
    (folder / "manifest.json").write_text(manifest.to_json())
    bundle_aliases(home.bundles).set("champion", VERSION)


def shown(home: Settings, make_rows: MakeRows, *instants: datetime) -> None:
    rows = [
        {
            s.PAGE_ID: f"p{n}", s.USER_ID: "ana", s.TITLE_ID: "t1", s.EVENT_TIMESTAMP: at,
            s.ROW_TYPE: "top_picks", s.ROW_INDEX: 1, s.POSITION: 1, s.PROPENSITY: 1.0,
        }
        for n, at in enumerate(instants)
    ]  # fmt: skip
    Lake(home.lake).append(s.IMPRESSIONS, make_rows(s.IMPRESSIONS, rows))


def test_the_clock_of_a_server_that_runs_ticks_on(home: Settings, store: ExperimentStore) -> None:
    champion(home, WALL - HOUR)
    store.keep_clock(ClockReading(service=DATA_END, wall=WALL - 24 * HOUR))
    store.keep_clock(ClockReading(service=DATA_END + HOUR, wall=WALL))
    now = DATA_END + HOUR + timedelta(minutes=2)
    assert service_time(store, home, WALL + timedelta(minutes=2)) == ServiceTime(now, now, live=True)


def test_without_a_server_old_data_is_replayed_from_its_end(home: Settings, store: ExperimentStore) -> None:
    champion(home, DATA_END)
    assert service_time(store, home, WALL) == ServiceTime(DATA_END, DATA_END, live=False)


def test_after_a_server_stopped_it_is_as_late_as_it_said_and_the_next_begins_anew(
    home: Settings, store: ExperimentStore
) -> None:
    champion(home, DATA_END)
    store.keep_clock(ClockReading(service=DATA_END + 3 * HOUR, wall=WALL - HOUR))
    assert service_time(store, home, WALL) == ServiceTime(DATA_END + 3 * HOUR, DATA_END, live=False)


@pytest.mark.parametrize("data_end", [WALL - 48 * HOUR, None])
def test_fresh_data_and_no_champion_leave_the_wall_clock(
    home: Settings, store: ExperimentStore, data_end: datetime | None
) -> None:
    if data_end is not None:
        champion(home, data_end)
    assert service_time(store, home, WALL) == ServiceTime(WALL, WALL, live=False)


def test_a_log_of_another_time_is_not_analysed_and_nothing_started_beside_it(
    home: Settings, store: ExperimentStore, make_rows: MakeRows
) -> None:
    assert analysis_instant(store, home, WALL) == WALL
    shown(home, make_rows, DATA_END, DATA_END + HOUR)
    for asked in (analysis_instant, starting_instant):
        with pytest.raises(WrongClockError, match=r"of 2018-09-24 15:00 UTC.*--at 2018-09-24T15:00"):
            asked(store, home, WALL)
    assert present(store, home, WALL) == WALL
    assert analysis_instant(store, home, DATA_END + 49 * HOUR) == DATA_END + 49 * HOUR
    with pytest.raises(WrongClockError):
        analysis_instant(store, home, DATA_END + timedelta(hours=49, seconds=1))


def test_a_server_that_shows_nobody_anything_yet_may_start_experiments(
    home: Settings, store: ExperimentStore, make_rows: MakeRows
) -> None:
    shown(home, make_rows, WALL - 72 * HOUR)
    store.keep_clock(ClockReading(service=WALL, wall=WALL))
    assert starting_instant(store, home, WALL) == WALL


def test_a_start_from_the_command_line_is_in_the_time_of_the_pages(home: Settings) -> None:
    champion(home, DATA_END)
    asked = CliRunner().invoke(main, ["template", "ui"]).stdout
    made = CliRunner().invoke(main, ["create", "-", "--start", "--json"], input=asked, catch_exceptions=False)
    assert datetime.fromisoformat(json.loads(made.stdout)["started_at"]) == DATA_END


def test_the_instant_that_is_named_counts(home: Settings, make_rows: MakeRows) -> None:
    shown(home, make_rows, DATA_END)
    asked = CliRunner().invoke(main, ["template", "ui"]).stdout
    refused = CliRunner().invoke(main, ["create", "-", "--start"], input=asked)
    assert refused.exit_code == 1
    assert "--at 2018-09-24T14:00" in refused.output
    named = ["create", "-", "--start", "--at", "2018-09-24T14:00", "--json"]
    made = CliRunner().invoke(main, named, input=asked, catch_exceptions=False)
    assert datetime.fromisoformat(json.loads(made.stdout)["started_at"]) == DATA_END
    for command, status in (([], 1), (["--at", "2018-09-24T17:00"], 0)):
        done = CliRunner().invoke(main, ["analyze", "ui-1", "--json", *command])
        assert done.exit_code == status, done.output
    assert json.loads(done.stdout)["analysis"]["as_of"] == "2018-09-24T17:00:00Z"
