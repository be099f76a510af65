"""What the service takes for now: the clock that its pages, and so the impressions, bear.

A server replays old data from its end on (see :mod:`serving.clock`). It leaves its clock in the store once a
minute; where none has done so lately, the champion's data tells which clock the next server will have.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from experiments.analysis.log_files import newest_impression
from experiments.bundle_alias import champion_data_end
from experiments.errors import WrongClockError
from experiments.store import ExperimentStore
from feature_repo.history import is_history
from feature_repo.settings import Settings

LIVE_FOR: Final = timedelta(minutes=5)
"""A clock that was left so long ago at most is that of a server that runs."""
FAR: Final = timedelta(hours=48)
"""Between now and the newest impression; farther apart they are of two clocks, or nothing is logged."""


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """``now`` by the service's clock, and what the next page will be dated; ``live``: a server says so.

    They differ where no server runs and the data is old: a replay begins anew with the server.
    """

    now: datetime
    next_page: datetime
    live: bool


def service_time(store: ExperimentStore, settings: Settings, wall: datetime) -> ServiceTime:
    """Tell the service's time at an instant of the wall clock."""
    left = store.clock()
    if left is not None and abs(wall - left.wall) <= LIVE_FOR:
        now = left.service + (wall - left.wall)
        return ServiceTime(now, now, live=True)
    end = champion_data_end(settings.bundles)
    if end is None or not is_history(end, wall):
        return ServiceTime(wall, wall, live=False)
    last = end if left is None else max(end, left.service)
    return ServiceTime(last, end, live=False)


def present(store: ExperimentStore, settings: Settings, wall: datetime) -> datetime:
    """Return what the service takes for now; never refused, as a harmful experiment must not wait."""
    return service_time(store, settings, wall).now


def starting_instant(store: ExperimentStore, settings: Settings, wall: datetime) -> datetime:
    """Return the instant from which an experiment runs that is started now.

    Raises :class:`WrongClockError` where no server tells its clock and the log is of another time.
    """
    time = service_time(store, settings, wall)
    if not time.live:
        _check_near(settings, time.next_page)
    return time.next_page


def analysis_instant(store: ExperimentStore, settings: Settings, wall: datetime) -> datetime:
    """Return the instant as of which the log is analysed now.

    Raises :class:`WrongClockError` where its newest impression is of another time.
    """
    now = service_time(store, settings, wall).now
    _check_near(settings, now)
    return now


def _check_near(settings: Settings, now: datetime) -> None:
    newest = newest_impression(settings.lake)
    if newest is not None and abs(now - newest) > FAR:
        raise WrongClockError(
            f"the newest impression is of {newest:%Y-%m-%d %H:%M} UTC, far from {now:%Y-%m-%d %H:%M} UTC, "
            "which is taken for now: start a server, which tells its clock, see that impressions are logged, "
            f"or name the instant, such as --at {newest:%Y-%m-%dT%H:%M}"
        )
