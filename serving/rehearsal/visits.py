"""A rehearsal: members of the simulated service ask this server for pages, day after day.

What they play comes back as events through the event log and the stream, what they were shown goes to the
impression log, and so everything that decides about models, experiments and their analysis, works on it as it
would in production; only time runs faster. And since the members are simulated, the rehearsal can tell in
the end how good the pages truly were.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from feature_repo import schema as s
from feature_repo.progress import Progress
from feature_repo.simulation.live_members import LiveMembers, LookedAt
from feature_repo.simulation.sessions import Sessions
from feature_repo.stream.event_log import EventLog
from feature_repo.stream.event_record import Event, encode_event
from feature_repo.stream.running import StreamRunner
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.decay import MICROSECONDS_PER_HOUR
from serving.candidates.query import PageRequest
from serving.homepage import MadePage
from serving.service import HomepageService

EVERYBODY: Final = "everybody"
_BROWSING: Final = timedelta(minutes=2)
_UNKNOWN_RUNTIME: Final = 90.0


class SetClock:
    """A wall clock that stands where it was set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the instant it was set to."""
        return self.now


@dataclass(slots=True)
class Tally:
    """What members saw and did: pages, tiles that go on nothing begun, and plays of those.

    ``expected_plays`` is the truth behind ``plays``: the sum over the tiles of the probability that they are
    looked at and played.
    """

    pages: int = 0
    tiles: int = 0
    plays: int = 0
    expected_plays: float = 0.0

    @property
    def play_rate(self) -> float:
        """Plays per tile."""
        return self.plays / self.tiles if self.tiles else float("nan")

    @property
    def true_play_rate(self) -> float:
        """Plays per tile that the truth expects."""
        return self.expected_plays / self.tiles if self.tiles else float("nan")


@dataclass(slots=True)
class Rehearsed:
    """What came of a rehearsal, over everybody and by "experiment/arm"."""

    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    events: int = 0


class Rehearsal:
    """Lets ``live`` members use a service whose wall clock is ``clock``.

    ``runner`` is the stream processor of the service's features; it works off ``log`` after each hour.
    """

    def __init__(
        self,
        service: HomepageService,
        live: LiveMembers,
        clock: SetClock,
        log: EventLog,
        runner: StreamRunner,
    ) -> None:
        self._service, self._live, self._clock = service, live, clock
        self._log, self._runner = log, runner
        self._coming: list[tuple[datetime, int, Event]] = []
        self._numbered = 0

    def run(self, start: datetime, days: int, progress: Progress | None = None) -> Rehearsed:
        """Let ``days`` days pass from ``start``, the full hour at which the data ended."""
        found = Rehearsed()
        begin, end = epoch_microseconds(start), epoch_microseconds(start + timedelta(days=days))
        sessions = self._live.sessions(begin, end)
        hours = (sessions.started_us - begin) // MICROSECONDS_PER_HOUR
        for hour in range(days * 24):
            for place in np.flatnonzero(hours == hour).tolist():
                self._visit(sessions, place, found)
                if progress is not None:
                    progress("visits", place + 1, len(sessions))
            self._turn_hour(start + timedelta(hours=hour + 1), found)
        self._turn_hour(datetime.max.replace(tzinfo=UTC), found)
        return found

    def _visit(self, sessions: Sessions, place: int, found: Rehearsed) -> None:
        user, when_us = int(sessions.users[place]), int(sessions.started_us[place])
        device = int(sessions.devices[place])
        self._clock.now = datetime.fromtimestamp(when_us / 1e6, UTC)
        user_id = str(self._live.world.user_ids[user])
        request = PageRequest(user_id, self._live.device_name(device), self._clock.now)
        made = self._service.homepage(request, self._service.state)
        self._service.shown(made)
        page = self._seen(made)
        plays = self._live.look(user, page, when_us, device)
        tiles = [(row.row_type, tile.title_id) for row in made.homepage.rows for tile in row.tiles]
        fresh = np.array([row_type != "continue_watching" for row_type, _ in tiles], dtype=np.bool_)
        truth = self._live.play_probability(user, page.titles, when_us, device)
        looked = self._live.examination(page.rows, page.positions)
        for name in (EVERYBODY, *made.homepage.experiments.values()):
            tally = found.tallies[name]
            tally.pages += 1
            tally.tiles += int(fresh.sum())
            tally.plays += sum(bool(fresh[play.tile]) for play in plays)
            tally.expected_plays += float((truth * looked)[fresh].sum())
        start = self._clock.now + _BROWSING
        for number, play in enumerate(plays):
            for event in self._viewing(made, number, tiles[play.tile][1], play.fraction, start):
                self._numbered += 1
                heapq.heappush(self._coming, (event.event_timestamp, self._numbered, event))
                start = event.event_timestamp

    def _seen(self, made: MadePage) -> LookedAt:
        tiles = [
            (tile.title_id, number, tile.position)
            for number, row in enumerate(made.homepage.rows, start=1)
            for tile in row.tiles
        ]
        titles, rows, positions = zip(*tiles, strict=True)
        return LookedAt(self._live.rows_of(titles), np.array(rows), np.array(positions))

    def _viewing(
        self, made: MadePage, number: int, title_id: str, fraction: float, start: datetime
    ) -> Iterator[Event]:
        """Yield a play as it begins, and how it ends."""
        catalogue, page = made.query.catalogue, made.homepage
        minutes = float(catalogue.ranking_inputs[s.RUNTIME_MINUTES][catalogue.row_of[title_id]])
        watched = (minutes if np.isfinite(minutes) else _UNKNOWN_RUNTIME) * fraction
        device = made.query.request.device
        ending = "complete" if fraction >= s.COMPLETION_FRACTION else "pause"
        name = f"{page.page_id}/{number}"
        yield Event(f"{name}/play", page.user_id, title_id, "play", start, 0.0, 0.0, device)
        ended = start + timedelta(minutes=max(watched, 0.1))
        yield Event(f"{name}/end", page.user_id, title_id, ending, ended, fraction, watched, device)

    def _turn_hour(self, until: datetime, found: Rehearsed) -> None:
        """Bring what happened before ``until`` through the log and the stream to the features."""
        due = []
        while self._coming and self._coming[0][0] < until:
            at, _, event = heapq.heappop(self._coming)
            due.append(encode_event(event, service_time=at))
        if due:
            self._log.append(due)
        while self._runner.work():
            pass
        found.events += len(due)
        if self._service.keeper is not None:
            self._service.keeper.check()
