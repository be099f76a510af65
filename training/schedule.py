"""When periodic work is due: slots of time, and the one that is to be run now.

Slot n begins n periods after 1970-01-01 UTC, so that machines with the same period agree without talking.
The laws, for whatever a machine and its clock do:

- A slot is run at most once, and the numbers of the slots that are run only grow.
- Whoever was busy, asleep or switched off for several slots runs the latest of them, once; the others are
  missed for good. There is no queue.
- A wall clock set forward is the same: one run at once.
- After a wall clock was set back, runs keep to the beginnings of slots on the new clock, and count on from
  the last number: no slot is run anew, and none follows the run before it within half a period. The next run
  comes one and a half periods after the last at the latest, however far the clock was set back.

Nothing here reads a clock or waits: ``now`` is passed in, often enough to notice that it went back, and who
waits does so by a monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Never

LOOK_EVERY: Final = timedelta(seconds=30)
"""How long at most nobody looks at the wall clock, which may have been set."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Slots of one length; raises ``ValueError`` for a period that is not positive."""

    every: timedelta

    def __post_init__(self) -> None:
        if self.every <= timedelta(0):
            raise ValueError(f"every is {self.every}; a period must be longer than nothing, such as 1h")

    def slot_at(self, instant: datetime) -> int:
        """Return the number of the slot that ``instant`` (aware) lies in."""
        return (instant - EPOCH) // self.every

    def beginning_of(self, slot: int) -> datetime:
        """Return when a slot begins, UTC."""
        return EPOCH + slot * self.every


@dataclass(frozen=True, slots=True)
class Turn:
    """A run: the number of its slot, and when it began by the wall clock of then."""

    slot: int
    began_at: datetime


class Agenda:
    """Which slot of a schedule is due, told the wall clock's time whenever it is asked."""

    def __init__(self, schedule: Schedule, last: Turn | None, now: datetime) -> None:
        """Go on after ``last``, the latest run; where there was none, the slot of ``now`` is due."""
        self.schedule = schedule
        self._last = None if last is None else last.slot
        self._seen = now
        # The last run and its slot as the wall clock now has them.
        self._began_at = now if last is None else last.began_at
        self._done = schedule.slot_at(self._began_at) - (last is None)
        if self._began_at > now:  # set back while nobody looked: how long ago it was is not known
            self._began_at, self._done = now, self._nearest(now)

    def due(self, now: datetime) -> Turn | None:
        """Return the run to begin now, which is then taken; None where it is not time."""
        self._notice(now)
        here = self.schedule.slot_at(now)
        if here <= self._done:
            return None
        self._began_at, self._done = now, here
        self._last = here if self._last is None else max(here, self._last + 1)
        return Turn(self._last, now)

    def remaining(self, now: datetime) -> timedelta:
        """Return how long it is until a run is due, by the clock as it stands; 0 where one is."""
        self._notice(now)
        return max(timedelta(0), self.schedule.beginning_of(self._done + 1) - now)

    def _notice(self, now: datetime) -> None:
        """Carry the last run over to a clock that was set back."""
        if now < self._seen:
            self._began_at -= self._seen - now
            if self.schedule.slot_at(self._began_at) < self._done:
                self._done = self._nearest(self._began_at)
        self._seen = now

    def _nearest(self, instant: datetime) -> int:
        """Return the slot whose beginning is nearest: a run just before it stands for that slot."""
        return self.schedule.slot_at(instant + self.schedule.every / 2)


def keep_doing(
    jobs: Sequence[tuple[Agenda, Callable[[Turn], None]]],
    wall: Callable[[], datetime],
    wait: Callable[[float], None],
) -> Never:
    """Do each job when its agenda says so, one at a time, the first before the others; ends by a raise.

    ``wall`` tells the time; ``wait`` waits for some seconds by a clock that nobody sets.
    """
    while True:
        for agenda, job in jobs:
            turn = agenda.due(wall())
            if turn is not None:
                job(turn)
                break
        else:
            now = wall()
            left = min(agenda.remaining(now) for agenda, _ in jobs)
            wait(min(left, LOOK_EVERY).total_seconds())
