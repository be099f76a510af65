"""Real processes that do a retrain's work, and what ends them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psutil  # type: ignore[import-untyped]
import pytest

from feature_repo.settings import Settings
from training.attempt import Request
from training.config import TrainingConfig
from training.interruption import ending_on_signals
from training.memory_plans import PLANS
from training.retrain_state import only_retrain
from training.supervision import Supervisor

RETRAIN = Request(job="retrain", plan=PLANS[0], config=TrainingConfig())
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def lock(settings: Settings) -> Iterator[int]:
    with only_retrain(settings.home, NOON) as descriptor:
        yield descriptor


def children() -> list[psutil.Process]:
    return [
        one
        for one in psutil.Process().children()
        if one.status() != psutil.STATUS_ZOMBIE and "training.attempt" in one.cmdline()
    ]


def the_child() -> psutil.Process:
    """Return the attempt, once it is there."""
    between = threading.Event()
    for _ in range(2_000):
        if found := children():
            return found[0]
        between.wait(0.02)
    pytest.fail("no attempt was started")


def test_an_attempt_that_raises_says_why(settings: Settings, lock: int) -> None:
    ended = Supervisor(settings, None).attempt(RETRAIN, lock)
    assert ended.answer is not None
    assert ended.answer.error == ended.reason
    assert ended.failure == "error"
    assert "import or simulate data first" in str(ended.reason)
    assert not ended.worth_another
    assert ended.answer.peak_mib > 50


def test_an_attempt_that_is_killed_ends_nothing_else(settings: Settings, lock: int) -> None:
    killer = threading.Thread(target=lambda: the_child().kill())
    killer.start()
    ended = Supervisor(settings, None).attempt(RETRAIN, lock)
    killer.join()
    assert (ended.answer, ended.failure) == (None, "killed")
    assert "SIGKILL, as the system does where memory runs out" in str(ended.reason)
    assert ended.worth_another


def test_an_attempt_that_crashes_is_named_by_its_signal(settings: Settings, lock: int) -> None:
    killer = threading.Thread(target=lambda: the_child().send_signal(signal.SIGSEGV))
    killer.start()
    ended = Supervisor(settings, None).attempt(RETRAIN, lock)
    killer.join()
    assert (ended.failure, ended.reason) == ("killed", "its process was ended by SIGSEGV")


def test_an_attempt_past_its_time_is_ended(settings: Settings, lock: int) -> None:
    frozen: list[psutil.Process] = []

    def freeze() -> None:
        frozen.append(the_child())
        frozen[0].suspend()

    freezer = threading.Thread(target=freeze)
    freezer.start()
    ended = Supervisor(settings, timedelta(seconds=1)).attempt(RETRAIN, lock)
    freezer.join()
    assert (ended.failure, ended.reason) == ("time limit", "it took longer than 0:00:01")
    assert not frozen[0].is_running()


def test_without_a_store_it_is_a_failure_like_any_other(settings: Settings, lock: int) -> None:
    nowhere = Settings(settings.home, settings.lake, "redis://127.0.0.1:1/0")
    ended = Supervisor(nowhere, None).attempt(RETRAIN, lock)
    assert ended.failure == "error"
    assert "REDIS_URL='redis://127.0.0.1:1/0' does not answer" in str(ended.reason)


def test_an_interruption_ends_the_attempt_before_it_goes_on(settings: Settings, lock: int) -> None:
    seen: list[psutil.Process] = []

    def interrupt() -> None:
        seen.append(the_child())
        os.kill(os.getpid(), signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    with ending_on_signals():
        interrupter.start()
        with pytest.raises(KeyboardInterrupt):
            Supervisor(settings, None).attempt(RETRAIN, lock)
    interrupter.join()
    assert not seen[0].is_running()
