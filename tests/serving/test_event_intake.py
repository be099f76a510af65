"""Events on their way into a real log, which can be made to be away."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from feature_repo.settings import Settings
from feature_repo.stream.event_log import EventLog, EventLogError, LogRecord
from feature_repo.stream.redis_log import RedisEventLog
from serving.event_intake import EventIntake

RECORD = LogRecord("ana", b"{}")


class Away:
    """What opens the log, and what stands in its place: ``gone`` makes both fail."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.gone = False
        self.opened = self.asked = 0

    def open(self) -> EventLog:
        self.opened += 1
        if self.gone:
            raise EventLogError("nobody is there")
        log = RedisEventLog.open(self._url)
        keep = log.append

        def append(records: Sequence[LogRecord]) -> None:
            self.asked += 1
            if self.gone:
                raise EventLogError("nobody is there")
            keep(records)

        log.append = append  # type: ignore[method-assign]
        return log


@pytest.fixture
def away(settings: Settings) -> Away:
    return Away(str(settings.redis_url))


def kept(log: EventLog) -> list[bytes]:
    return [e.value for p in range(log.partitions) for e in log.read(p, None, 100)]


def test_records_are_in_the_log_when_the_call_returns_and_the_log_is_opened_once(away: Away) -> None:
    intake = EventIntake(away.open)
    assert away.opened == 0
    intake.append([RECORD, RECORD])
    intake.append([RECORD])
    assert kept(intake.log) == [b"{}"] * 3
    assert away.opened == 1
    intake.close()


def test_a_log_that_is_away_at_first_is_opened_by_the_first_call_that_finds_it(away: Away) -> None:
    away.gone = True
    intake = EventIntake(away.open)
    with pytest.raises(EventLogError, match="nobody is there"):
        intake.append([RECORD])
    away.gone = False
    intake.append([RECORD])
    assert kept(intake.log) == [b"{}"]


def test_after_three_failures_it_is_left_alone_for_a_second_and_then_asked_once(away: Away) -> None:
    now, changes = [0.0], []
    intake = EventIntake(away.open, lambda name, is_open: changes.append((name, is_open)), lambda: now[0])
    intake.append([RECORD])
    away.gone, away.asked = True, 0
    for _ in range(3):
        with pytest.raises(EventLogError, match="nobody is there"):
            intake.append([RECORD])
    away.gone = False
    with pytest.raises(EventLogError, match="did not answer lately; it is tried again every"):
        intake.append([RECORD])
    assert away.asked == 3
    assert changes == [("event log", True)]
    now[0] = 1.0
    intake.append([RECORD])
    assert changes == [("event log", True), ("event log", False)]
    assert kept(intake.log) == [b"{}"] * 2


def test_while_one_call_opens_the_log_the_others_are_refused_and_do_not_wait(away: Away) -> None:
    opening, go = Event(), Event()

    def slow() -> EventLog:
        opening.set()
        go.wait()
        return away.open()

    intake = EventIntake(slow)
    with ThreadPoolExecutor(1) as caller:
        first = caller.submit(intake.append, [RECORD])
        opening.wait()
        with pytest.raises(EventLogError, match="is being opened"):
            intake.append([RECORD])
        go.set()
        first.result()
    assert kept(intake.log) == [b"{}"]


def test_closing_what_was_never_opened_is_nothing(away: Away) -> None:
    EventIntake(away.open).close()
    assert away.opened == 0
