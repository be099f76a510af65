"""Bundles come into service: loaded, warmed with real requests, swapped in by one assignment."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from experiments.bundle_alias import version_behind
from serving.arrivals import ArrivalSource
from serving.background_pace import Pace
from serving.bundle_canary import WARM_UP_PAGES
from serving.bundle_validation import BundleRefusedError, refusal_kind
from serving.clock import Clock, ClockMode, service_clock
from serving.kept_state import KeptState, StateSources
from serving.live_trending import PlaySource
from serving.members import FeatureReader
from serving.metrics import Metrics
from serving.models import Models
from serving.recent_requests import RecentRequests
from serving.refusals import Refusals
from serving.settings import ServingSettings
from serving.state import ServingState, StateHolder
from serving.title_reading import ReadsBeside, TitleReading
from training.bundle import CHAMPION, Bundle, BundleAliases, load_bundle

EXPERIMENTS: Final = "experiments"
"""Who holds bundles beside the champion: experiments, or shadow traffic."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    """How the keeper works: the clock it gives to states, and how often it looks for what.

    ``poll_every``: another champion; ``refresh_every``: all titles; ``follow_every``: titles that changed;
    ``trend_every``: plays, from which the charts of all countries are made anew.
    ``rest``: how many times as long as a step took the keeper rests while another bundle is made ready.
    """

    clock_mode: ClockMode = "auto"
    poll_every: timedelta = timedelta(seconds=5)
    refresh_every: timedelta = timedelta(minutes=5)
    follow_every: timedelta = timedelta(milliseconds=200)
    trend_every: timedelta = timedelta(milliseconds=800)
    rest: float = 3.0
    warm_up_pages: int = WARM_UP_PAGES
    """How many pages a bundle makes before anybody waits for one; 1 at least."""
    schema_hash: str | None = None
    """What the feature definitions hash to; a bundle made for others is refused."""
    pages: ServingSettings = field(default_factory=ServingSettings)
    """What a whole page is, and when a bundle is refused."""


class StateKeeper:
    """Keeps the states that pages are made from: the champion's, by the alias, and those of experiments.

    A bundle that cannot serve is refused with its reason, and the champion before it stays. All states live
    by the champion's clock.
    """

    def __init__(
        self,
        root: Path,
        reader: FeatureReader,
        holder: StateHolder,
        metrics: Metrics,
        wall: Clock,
        settings: KeeperSettings,
        arrivals: ArrivalSource | None = None,
        plays: PlaySource | None = None,
        recent: RecentRequests | None = None,
        beside: ReadsBeside | None = None,
    ) -> None:
        self._root = root
        self._titles = TitleReading(reader, beside)
        self._holder = holder
        self._metrics = metrics
        self._wall = wall
        self._settings = settings
        self._sources = StateSources(
            reader, self._titles, metrics, wall, settings.refresh_every, settings.trend_every,
            settings.warm_up_pages, arrivals, plays, settings.pages,
            RecentRequests(0) if recent is None else recent,
        )  # fmt: skip
        self._champion = KeptState(self._sources, holder)
        self._held: dict[str, KeptState] = {}
        """Bundles beside the champion. Replaced, never changed, by :meth:`hold` and :meth:`release`."""
        self._wanted: dict[str, frozenset[str]] = {}
        """Who wants which of them."""
        self._holding = threading.Lock()
        self._refusals = Refusals(root)
        self._started_at = wall()
        self._followed_at = self._started_at
        self._refused: str | None = None
        self._refusal_recorded = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def check(self) -> None:
        """Look once: for another champion, or else for titles that changed or are due. Never raises."""
        try:
            if self._swap_champion():
                return
        except Exception:  # the thread that keeps the state must outlive whatever is wrong today
            _log.exception("keeping the serving state failed; trying again")
            return
        self._upkeep(refresh=True)

    def start(self) -> None:
        """Check now, and from now on in the background."""
        self.check()
        self._thread = threading.Thread(target=self._keep_checking, name="state-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the background checks."""
        self._stopping.set()
        self._titles.stop()
        if self._thread is not None:
            self._thread.join()

    def _keep_checking(self) -> None:
        due = self._wall() + self._settings.poll_every
        pause = self._settings.follow_every
        while not self._stopping.wait(pause.total_seconds()):
            if self._wall() >= due:
                due = self._wall() + self._settings.poll_every
                self.check()
            elif not self.follow():
                pause = (
                    self._settings.poll_every
                )  # a store that is away need not be asked five times a second
                continue
            pause = self._settings.follow_every

    def follow(self) -> bool:
        """Take in the titles that changed since the last look; return whether that worked for the champion.

        Never raises.
        """
        return self._upkeep(refresh=False)

    def _upkeep(self, refresh: bool) -> bool:
        self._followed_at = self._wall()
        pace = Pace(self._settings.rest, self._rest) if refresh else None
        champion, *others = (self._try(kept, pace) for kept in (self._champion, *self._held.values()))
        del others  # a bundle of an experiment that cannot follow must not slow the champion down
        return champion

    @staticmethod
    def _try(kept: KeptState, pace: Pace | None) -> bool:
        try:
            if pace is not None:
                kept.refresh_if_due(pace)
            kept.follow()
        except Exception:  # as above
            _log.exception("following the changed titles failed; trying again")
            return False
        return True

    def version_of(self, name: str) -> str:
        """Return the version that an alias stands for, or the version itself.

        Raises ``ValueError`` for an alias that was never set.
        """
        return version_behind(BundleAliases(self._root), name)

    def aliases(self) -> dict[str, str]:
        """Return the aliases that are set; raises ``ValueError`` where their file is damaged."""
        return BundleAliases(self._root).all()

    def is_refused(self, version: str) -> bool:
        """Say whether a bundle was refused, here or by another worker, since it was last activated."""
        return version in self._refusals.all()

    def hold(self, version: str, wanted_by: str = EXPERIMENTS) -> None:
        """Keep the state of one more bundle, unless it is held already. It is held though it be the champion,
        which may change at any time.

        Raises ``ValueError`` with its reason where the bundle cannot serve, and what the feature store does
        where that is away.
        """
        with self._holding:
            if version not in self._held:
                self._hold(version)
            self._wanted[wanted_by] = self._wanted.get(wanted_by, frozenset()) | {version}

    def _hold(self, version: str) -> None:
        kept = KeptState(self._sources, StateHolder(), counts=False)
        try:
            self._put_in_place(kept, version, by_champions_clock=True)
        except BundleRefusedError as error:
            self._refuse(version, error)
            _log.warning("bundle refused", version=version, check=error.kind, reason=str(error))
            raise
        self._held = {**self._held, version: kept}
        if self._holder.current is not None:  # another champion may have come meanwhile
            kept.live_by(self._holder.current.clock)
        self._refusals.clear(version)
        _log.info("bundle held beside the champion", version=version)

    def release(self, but: Collection[str], wanted_by: str = EXPERIMENTS) -> None:
        """Let go of the bundles that one of those who hold them wants no more: all ``but`` these."""
        with self._holding:
            self._wanted[wanted_by] = frozenset(but)
            wanted = frozenset().union(*self._wanted.values())
            self._held = {version: kept for version, kept in self._held.items() if version in wanted}

    def state_of(self, version: str) -> ServingState:
        """Return the state of a bundle that is held; raises ``LookupError`` for another."""
        kept = self._held.get(version)
        if kept is None or kept.state is None:
            raise LookupError(f"bundle {version} is not held")
        return kept.state

    def load(self, version: str) -> tuple[Bundle, Models]:
        """Read a bundle and build its models; raises ``ValueError`` with its reason where it cannot serve."""
        bundle = load_bundle(self._root / version, self._settings.schema_hash)
        return bundle, Models.of(bundle)

    def _swap_champion(self) -> bool:
        """Return whether another champion was put in place."""
        version = BundleAliases(self._root).get(CHAMPION)
        current = self._holder.current
        if version is None or self._stays_refused(version) or (current and current.models.version == version):
            return False
        for candidate in self._candidates(version, current is None):
            try:
                state = self._put_in_place(self._champion, candidate)
            except BundleRefusedError as error:
                self._refuse(candidate, error)
                _log.error("bundle refused", version=candidate, check=error.kind, reason=str(error))
                if candidate == version:
                    self._refused = version
                    self._refusal_recorded = version in self._refusals.all()
                continue
            self._in_service(state, wanted=version)
            return True
        return False

    def _put_in_place(
        self, kept: KeptState, version: str, *, by_champions_clock: bool = False
    ) -> ServingState:
        """Raise ``BundleRefusedError`` for a bundle that must not serve, and what the feature store does."""
        champion = self._holder.current
        try:
            bundle, models = self.load(version)
        except ValueError as error:  # a BundleError is one
            raise BundleRefusedError(refusal_kind(error), str(error)) from error
        clock = champion.clock if champion and by_champions_clock else self._clock_of(bundle)
        if champion is None:  # nobody is served meanwhile
            return kept.put_in_place(bundle, models, clock)
        rest = self._rest if kept is self._champion else self._stopping.wait
        return kept.put_in_place(bundle, models, clock, champion.trained, Pace(self._settings.rest, rest))

    def _rest(self, seconds: float) -> None:
        """Rest from preparing states, and let those that serve follow the titles if that is due."""
        end = time.monotonic() + seconds
        if self._wall() - self._followed_at >= self._settings.follow_every:
            self.follow()
        self._stopping.wait(max(0.0, end - time.monotonic()))

    def _stays_refused(self, version: str) -> bool:
        """Say whether a version was refused and nobody asked to try it again, which removes the record."""
        recorded = self._refusal_recorded
        return version == self._refused and not (recorded and version not in self._refusals.all())

    def _candidates(self, version: str, first: bool) -> Iterator[str]:
        """Yield the champion and, for a worker that has none yet, the champions before it.

        There those come first of which no refusal is known, so that a worker that starts anew does not serve
        what the others refused beside the champion that they have.
        """
        if not first:
            yield version
            return
        versions = [version, *self._earlier()]
        refused = self._refusals.all()
        yield from sorted(versions, key=lambda one: one in refused)

    def _earlier(self) -> list[str]:
        try:
            return BundleAliases(self._root).earlier_champions()
        except ValueError as error:
            _log.error("the history of the aliases cannot be read", reason=str(error))
            return []

    def _refuse(self, version: str, error: BundleRefusedError) -> None:
        self._refusals.record(version, error.kind, str(error), self._wall())
        self._metrics.bundle_refused(error.kind)

    def _in_service(self, state: ServingState, wanted: str) -> None:
        for kept in self._held.values():
            kept.live_by(state.clock)
        version = state.models.version
        self._refused = None if version == wanted else wanted
        self._refusal_recorded = wanted in self._refusals.all()
        self._refusals.clear(version)
        self._metrics.bundle_swapped()
        _log.info("bundle in service", version=version, exact=state.models.als_index.exact)

    def _clock_of(self, bundle: Bundle) -> Clock:
        end = bundle.manifest.data_window.end
        return service_clock(self._settings.clock_mode, end, self._wall, self._started_at)
