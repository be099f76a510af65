from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from training.schedule import Agenda, Schedule, Turn, keep_doing

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOURLY = Schedule(HOUR)
SLOT = HOURLY.slot_at(NOON)


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def test_slots_begin_at_whole_multiples_since_1970() -> None:
    assert HOURLY.slot_at(datetime(1970, 1, 1, 2, 59, tzinfo=UTC)) == 2
    assert HOURLY.beginning_of(HOURLY.slot_at(at(0.7))) == NOON
    assert Schedule(timedelta(days=7)).beginning_of(1) == datetime(1970, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize("every", [timedelta(0), -HOUR])
def test_a_period_of_nothing_is_refused(every: timedelta) -> None:
    with pytest.raises(ValueError, match="every is"):
        Schedule(every)


def test_the_first_run_is_at_once_and_the_next_at_the_next_multiple() -> None:
    agenda = Agenda(HOURLY, None, at(0.25))
    assert agenda.due(at(0.25)) == Turn(SLOT, at(0.25))
    assert agenda.due(at(0.3)) is None
    assert agenda.remaining(at(0.5)) == 30 * MINUTE
    assert agenda.due(at(1)) == Turn(SLOT + 1, at(1))


def test_a_restart_does_not_repeat_the_slot_that_was_run() -> None:
    agenda = Agenda(HOURLY, Turn(SLOT, at(0.1)), at(0.5))
    assert agenda.due(at(0.5)) is None
    assert agenda.remaining(at(0.5)) == 30 * MINUTE


def test_slots_missed_by_a_long_run_are_made_up_for_by_one() -> None:
    agenda = Agenda(HOURLY, None, NOON)
    agenda.due(NOON)
    assert agenda.due(at(3.5)) == Turn(SLOT + 3, at(3.5))
    assert agenda.due(at(3.5)) is None
    assert agenda.due(at(4)) == Turn(SLOT + 4, at(4))


def test_slots_missed_while_nothing_ran_are_made_up_for_by_one() -> None:
    agenda = Agenda(HOURLY, Turn(SLOT, NOON), at(50.2))
    assert agenda.due(at(50.2)) == Turn(SLOT + 50, at(50.2))
    assert agenda.due(at(50.3)) is None


def test_a_clock_set_forward_runs_at_once_once() -> None:
    agenda = Agenda(HOURLY, None, NOON)
    agenda.due(NOON)
    assert agenda.due(at(24.1)) == Turn(SLOT + 24, at(24.1))
    assert agenda.due(at(24.2)) is None


def test_a_clock_set_back_by_seconds_does_not_run_the_hour_again() -> None:
    agenda = Agenda(HOURLY, Turn(SLOT - 1, at(-1)), at(-0.1))
    assert agenda.due(NOON) is not None
    assert agenda.due(NOON - 2 * MINUTE) is None
    assert agenda.due(NOON) is None
    assert agenda.due(at(1)) == Turn(SLOT + 1, at(1))


def test_a_clock_set_back_by_a_day_goes_on_at_its_own_hours_with_new_numbers() -> None:
    agenda = Agenda(HOURLY, None, NOON)
    agenda.due(NOON)
    assert agenda.due(at(0.75)) is None
    assert agenda.due(at(-24 + 0.8)) is None
    assert agenda.remaining(at(-24 + 0.8)) == 12 * MINUTE
    assert agenda.due(at(-23)) == Turn(SLOT + 1, at(-23))
    assert agenda.due(at(-22)) == Turn(SLOT + 2, at(-22))


def test_a_clock_set_back_while_nothing_ran_does_not_hold_up_the_next_run() -> None:
    agenda = Agenda(HOURLY, Turn(SLOT, NOON), at(-100.9))
    assert agenda.due(at(-100.9)) is None
    assert agenda.due(at(-100)) == Turn(SLOT + 1, at(-100))


@dataclass
class Machine:
    """A wall clock that can be set, beside a clock that cannot; whoever waits makes time pass."""

    now: datetime = NOON + 7 * MINUTE
    passed: timedelta = timedelta(0)
    sets: list[tuple[timedelta, timedelta]] = field(default_factory=list)
    """(when by the clock that cannot be set, by how much), in order."""

    def wall(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        step = timedelta(seconds=seconds)
        self.passed, self.now = self.passed + step, self.now + step
        while self.sets and self.sets[0][0] <= self.passed:
            self.now += self.sets.pop(0)[1]


class EnoughError(Exception):
    """Ends a loop that has no end."""


minutes = st.integers(0, 60 * 48).map(lambda n: n * MINUTE)
jumps = st.lists(
    st.tuples(minutes, st.one_of(st.integers(-10, 10), st.integers(-3000, 3000)).map(lambda n: n * MINUTE)),
    max_size=6,
)  # fmt: skip
lengths = st.lists(st.integers(0, 200).map(lambda n: n * MINUTE), min_size=1, max_size=5)


@dataclass(frozen=True)
class Run:
    turn: Turn
    began: timedelta
    ended: timedelta


def runs_of(machine: Machine, durations: list[timedelta]) -> list[Run]:
    """The runs of two days, each taking as long as said, over and over."""
    runs: list[Run] = []

    def work(turn: Turn) -> None:
        if (began := machine.passed) > timedelta(days=2):
            raise EnoughError
        machine.wait(durations[len(runs) % len(durations)].total_seconds())
        runs.append(Run(turn, began, machine.passed))

    def wait(seconds: float) -> None:
        if machine.passed > timedelta(days=2):
            raise EnoughError
        machine.wait(seconds)

    with pytest.raises(EnoughError):
        keep_doing([(Agenda(HOURLY, None, machine.now), work)], machine.wall, wait)
    return runs


@given(jumps, lengths)
def test_no_slot_is_run_twice_whatever_the_clock_does(
    sets: list[tuple[timedelta, timedelta]], durations: list[timedelta]
) -> None:
    numbers = [run.turn.slot for run in runs_of(Machine(sets=sorted(sets)), durations)]
    assert all(later > earlier for earlier, later in pairwise(numbers))


@given(jumps, lengths)
def test_a_clock_that_is_set_never_stalls_the_runs(
    sets: list[tuple[timedelta, timedelta]], durations: list[timedelta]
) -> None:
    runs = runs_of(Machine(sets=sorted(sets)), durations)
    for before, run in pairwise(runs):
        # A clock that is set back during a run may make the run seem to have just begun.
        assert run.began - before.ended <= 1.5 * HOUR + timedelta(seconds=30)


@given(lengths)
def test_each_run_lies_in_its_own_slot_and_missed_slots_have_one_run(durations: list[timedelta]) -> None:
    runs = runs_of(Machine(), durations)
    assert [run.turn.slot for run in runs] == [HOURLY.slot_at(run.turn.began_at) for run in runs]
    for before, run in pairwise(runs):
        overran = HOURLY.slot_at(before.turn.began_at + (before.ended - before.began)) > before.turn.slot
        if overran:
            assert run.began == before.ended
        else:
            assert run.turn.began_at == HOURLY.beginning_of(before.turn.slot + 1)


@given(st.lists(st.tuples(minutes, st.integers(1, 3000).map(lambda n: n * MINUTE)), min_size=1, max_size=4))
def test_after_each_pause_there_is_one_run_not_many(sets: list[tuple[timedelta, timedelta]]) -> None:
    """A pause of the machine is a wall clock that has gone on."""
    runs = runs_of(Machine(sets=sorted(sets)), [timedelta(0)])
    late = [run for run in runs if run.turn.began_at != HOURLY.beginning_of(run.turn.slot)]
    assert len(late) <= 1 + len(sets)
    assert len({run.turn.slot for run in runs}) == len(runs)


def test_the_first_job_goes_before_the_second_and_both_wait_for_the_sooner() -> None:
    machine, told, waits = Machine(now=NOON - 25 * MINUTE), [], []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if machine.passed >= HOUR:
            raise EnoughError
        machine.wait(seconds)

    def job(name: str) -> tuple[Agenda, object]:
        every = Schedule(HOUR if name == "retrain" else 10 * MINUTE)
        last = Turn(every.slot_at(machine.now), machine.now)
        return Agenda(every, last, machine.now), lambda turn: told.append((name, turn.began_at - NOON))

    with pytest.raises(EnoughError):
        keep_doing([job("retrain"), job("titles")], machine.wall, wait)
    expected = [("titles", n * MINUTE) for n in (-20, -10)]
    expected += [("retrain", timedelta(0)), *(("titles", n * MINUTE) for n in (0, 10, 20, 30))]
    assert told == expected
    assert max(waits) == 30
