from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from serving.breaker import BreakerSettings, CircuitBreaker, CircuitOpenError


@dataclass
class Subject:
    """A breaker over something that takes ``seconds`` and raises ``error``, if any."""

    now: float = 0.0
    seconds: float = 0.0
    error: Exception | None = None
    calls: int = 0
    changes: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = BreakerSettings(failures=3, slow_seconds=0.1, pause_seconds=1.0)
        self.breaker = CircuitBreaker(
            "it", settings, ticks=lambda: self.now, changed=lambda _, is_open: self.changes.append(is_open)
        )

    def work(self) -> int:
        self.calls += 1
        self.now += self.seconds
        if self.error is not None:
            raise self.error
        return self.calls

    def fail(self, times: int) -> None:
        self.error = ConnectionError("away")
        for _ in range(times):
            with pytest.raises(ConnectionError):
                self.breaker.call(self.work)


def test_it_opens_after_three_failures_in_a_row_and_then_nobody_asks() -> None:
    subject = Subject()
    subject.fail(3)
    with pytest.raises(CircuitOpenError, match="it did not answer lately"):
        subject.breaker.call(subject.work)
    assert (subject.calls, subject.changes) == (3, [True])


def test_an_answer_in_between_starts_the_count_anew() -> None:
    subject = Subject()
    subject.fail(2)
    subject.error = None
    assert subject.breaker.call(subject.work) == 3
    subject.fail(2)
    assert not subject.breaker.is_open


def test_after_the_pause_one_call_tries_and_an_answer_closes_it() -> None:
    subject = Subject()
    subject.fail(3)
    subject.now, subject.error = 1.0, None
    assert subject.breaker.call(subject.work) == 4
    assert not subject.breaker.is_open
    assert subject.changes == [True, False]


def test_while_one_call_tries_others_do_not() -> None:
    subject = Subject()
    subject.fail(3)
    subject.now, subject.error = 1.0, None

    def while_trying() -> int:
        with pytest.raises(CircuitOpenError):
            subject.breaker.call(subject.work)
        return subject.work()

    assert subject.breaker.call(while_trying) == 4


def test_a_try_that_fails_keeps_it_open_for_another_pause() -> None:
    subject = Subject()
    subject.fail(3)
    subject.now = 1.0
    subject.fail(1)
    subject.now = 1.9
    with pytest.raises(CircuitOpenError):
        subject.breaker.call(subject.work)


def test_slow_answers_count_as_failures_though_they_are_answers() -> None:
    subject = Subject(seconds=0.2)
    assert [subject.breaker.call(subject.work) for _ in range(3)] == [1, 2, 3]
    assert subject.breaker.is_open


def test_nonsense_is_no_sign_that_nobody_answers() -> None:
    subject = Subject(error=ValueError("garbage"))
    for _ in range(5):
        with pytest.raises(ValueError, match="garbage"):
            subject.breaker.call(subject.work)
    assert not subject.breaker.is_open
