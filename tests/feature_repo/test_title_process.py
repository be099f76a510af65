from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.title_process import TitleProcess, TitleProcessError
from tests.conftest import TrainedService

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_titles_read_by_the_process_are_those_that_the_gateway_reads(trained_service: TrainedService) -> None:
    gateway, end = trained_service.gateway, trained_service.end
    ids = [*Lake(trained_service.settings.lake).read(s.TITLES)[s.TITLE_ID].to_pylist()[:150], "no such title"]
    home = trained_service.settings
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(seconds)

    found = TitleProcess(Settings(home.home, home.lake, gateway.online_url)).read(ids, end, wait)
    expected = gateway.title_snapshot(ids, end)
    assert (found.title_ids.tolist(), found.row_of, found.taken_at) == (ids, expected.row_of, end)
    assert list(found.columns) == list(expected.columns)
    for name, column in expected.columns.items():
        assert found.columns[name].dtype == column.dtype, name
        pairs = zip(column, found.columns[name], strict=True)
        assert all(np.array_equal(a, b, equal_nan=column.dtype.kind == "f") for a, b in pairs), name
    assert waits  # the caller was asked to rest


def test_a_process_that_cannot_read_says_why(tmp_path: Path) -> None:
    nowhere = Settings(tmp_path, str(tmp_path / "lake"), "redis://127.0.0.1:1", "no-such-profile")
    with pytest.raises(TitleProcessError, match=r"reading titles ended with 1: .*no-such-profile"):
        TitleProcess(nowhere).read(["a"], NOW, time.sleep)


def test_a_process_is_ended_after_its_time_and_when_the_server_stops(tmp_path: Path) -> None:
    settings = Settings(tmp_path, str(tmp_path / "lake"), "redis://127.0.0.1:1")
    with pytest.raises(TitleProcessError, match="not read within 0 s"):
        TitleProcess(settings, longest_seconds=0.0).read(["a"], NOW, time.sleep)
    stopped = TitleProcess(settings)
    with pytest.raises(TitleProcessError, match="the server stops"):
        stopped.read(["a"], NOW, lambda _: stopped.stop())
