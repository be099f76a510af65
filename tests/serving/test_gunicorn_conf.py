from __future__ import annotations

import runpy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import serving.cli
from serving.app import create_app

CONFIGURATION = Path(serving.cli.__file__).with_name("gunicorn_conf.py")


def configuration(monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, Any]:
    for name in ("MARQUEE_BIND", "MARQUEE_WORKERS", "MARQUEE_THREADS", "PROMETHEUS_MULTIPROC_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(CONFIGURATION))


def test_the_environment_says_where_and_how_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    read = configuration(monkeypatch, MARQUEE_BIND="127.0.0.1:9", MARQUEE_WORKERS="3", MARQUEE_THREADS="2")
    assert (read["bind"], read["workers"], read["threads"]) == ("127.0.0.1:9", 3, 2)


def test_alone_it_listens_on_this_machine_only_with_a_worker_per_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    read = configuration(monkeypatch, MARQUEE_WORKERS="")
    assert read["bind"].startswith("127.0.0.1:")
    assert read["workers"] == 4
    assert read["preload_app"]


def test_what_comes_before_the_body_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    read = configuration(monkeypatch)
    longest = "/v1/members/" + "%F0%9F%98%80" * 128 + "/homepage?arms=" + "x" * 1000
    assert len(f"GET {longest} HTTP/1.1") < read["limit_request_line"] <= 8190
    assert read["limit_request_fields"] <= 100
    assert read["limit_request_field_size"] <= 8190


def test_a_worker_connects_after_the_fork_and_stops_its_watch_on_leaving(
    unstarted: Any, contents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unstarted.publish(contents)
    read = configuration(monkeypatch)
    worker = SimpleNamespace(wsgi=create_app(unstarted.service), pid=1, tpool=ThreadPoolExecutor(1))
    assert worker.wsgi.test_client().get("/readyz").status_code == 503
    read["post_worker_init"](worker)
    assert worker.wsgi.test_client().get("/readyz").status_code == 200
    read["worker_exit"](None, worker)
    assert not unstarted.service.keeper._thread.is_alive()


def test_a_worker_that_never_loaded_has_nothing_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    read = configuration(monkeypatch)
    read["worker_exit"](None, SimpleNamespace(wsgi=None))
    read["child_exit"](None, SimpleNamespace(pid=1))  # and no metrics files of it to let go
