from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from feature_repo.settings import Settings
from serving.cli import example_member, server_environment, serving
from serving.server import clock_mode, event_partitions
from training.bundle import BundleContents


def test_without_a_champion_the_server_does_not_start_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_HOME", str(tmp_path))
    answer = CliRunner().invoke(serving, ["run"])
    assert answer.exit_code == 1
    assert "make pipeline" in answer.output


def test_a_profile_that_is_not_there_is_named_before_a_server_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_HOME", str(tmp_path))
    monkeypatch.setenv("MARQUEE_PROFILE", "sparc")
    answer = CliRunner().invoke(serving, ["run"])
    assert answer.exit_code == 1
    assert "MARQUEE_PROFILE='sparc'" in answer.output


def test_the_first_curl_asks_for_a_member_of_the_champion(unstarted: Any, contents: BundleContents) -> None:
    unstarted.publish(contents)
    home = unstarted.bundles.parent
    assert example_member(Settings(home, str(home / "lake"), None)) == "ana"


def test_the_server_gets_one_thread_per_library_and_its_own_metrics_folder() -> None:
    environment = server_environment(
        {"PATH": "/bin", "OMP_NUM_THREADS": "8"}, redis_url="redis://127.0.0.1:1/0", metrics="/tmp/m",
        bind="127.0.0.1:8080", workers=None, threads=4, clock="auto",
    )  # fmt: skip
    assert environment["PATH"] == "/bin"
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "1"
    assert environment["PROMETHEUS_MULTIPROC_DIR"] == "/tmp/m"
    assert environment["MARQUEE_WORKERS"] == ""


def test_an_unknown_clock_is_refused_by_name() -> None:
    assert clock_mode("replay") == "replay"
    with pytest.raises(ValueError, match="MARQUEE_CLOCK='sundial': use one of auto, wall, replay"):
        clock_mode("sundial")


def test_a_number_of_partitions_is_read_or_refused_by_name() -> None:
    assert [event_partitions(value) for value in ("1", "8", "1024")] == [1, 8, 1024]
    for value in ("0", "1025", "-1", "eight", "8.0", "٨"):
        with pytest.raises(ValueError, match=f"MARQUEE_EVENT_PARTITIONS='{value}': use 1 to 1024"):
            event_partitions(value)
