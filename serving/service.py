"""The service: everything a worker holds, opened after the fork and closed with it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import faiss
import structlog
from threadpoolctl import threadpool_limits

from feature_repo.arrivals import NewMember
from feature_repo.stream.event_log import EventLog, EventLogError
from feature_repo.title_texts import TitleText
from serving import intake
from serving.api.models import Homepage
from serving.arrivals import ArrivalSource
from serving.breaker import BreakerSettings, CircuitBreaker, CircuitOpenError
from serving.bundle_desk import BundleDesk
from serving.bundles import KeeperSettings, StateKeeper
from serving.candidates.query import PageRequest
from serving.clock import Clock, wall_clock
from serving.deletions import DeletionDesk
from serving.event_intake import EventIntake
from serving.example_members import ExampleMember, example_members
from serving.experiment_desk import ExperimentDesk, ExperimentPlaces
from serving.experiment_watch import ExperimentWatch, WatchClocks
from serving.homepage import HomepageMaker, IdSource, MadePage, unique_id
from serving.impressions import ImpressionLog, ShownPage
from serving.live_trending import PlaySource
from serving.load import LoadGate
from serving.members import FeatureReader
from serving.metrics import Metrics
from serving.recent_requests import RecentRequests
from serving.served_experiments import ServedExperiments
from serving.settings import ServingSettings
from serving.shadow import ShadowTraffic
from serving.shadow_log import ShadowLog
from serving.shown_seeds import SeedMemory
from serving.state import ServingState, StateHolder
from serving.static_pages import STATIC
from serving.steady_reader import GuardedMemory, SteadyReader
from serving.store_watch import StoreWatch
from serving.title_reading import ReadsBeside

OpenReader = Callable[[], tuple[FeatureReader, str | None]]
"""Connects to the feature store; returns it with the schema hash that bundles must carry (None: any)."""


OpenArrivals = Callable[[FeatureReader], ArrivalSource]
"""Opens where titles and members come in, beside the feature store."""
OpenMemory = Callable[[FeatureReader], SeedMemory]
"""Opens what remembers the seeds of pages, beside the feature store."""
OpenPlays = Callable[[FeatureReader], PlaySource]
"""Opens what the stream counts plays in, beside the feature store."""
OpenEvents = Callable[[FeatureReader], EventLog]
"""Opens the event log, which may lie beside the feature store; raises ``EventLogError`` where it is away."""
OpenImpressions = Callable[[Metrics], ImpressionLog]
"""Opens the log of what members are shown, which counts what becomes of it; connects to nothing yet."""

OpenDeletions = Callable[[FeatureReader, Callable[[], EventLog]], DeletionDesk]
"""Opens what forgets members, beside the feature store and the event log."""

_log = structlog.get_logger(__name__)
_SWITCH_SECONDS: Final = 0.0005


class NotReadyError(RuntimeError):
    """No bundle is in service yet."""


class BundleNotHeldError(LookupError):
    """A bundle that this server does not have in memory."""


class HomepageService:
    """Makes pages from the champion bundle, the bundles of experiments and the feature store.

    Building it connects to nothing, so that it can be built before workers fork; :meth:`start` does.
    """

    def __init__(
        self,
        bundles: Path,
        open_reader: OpenReader,
        *,
        settings: KeeperSettings | None = None,
        wall: Clock = wall_clock,
        new_id: IdSource = unique_id,
        pages: ServingSettings | None = None,
        open_arrivals: OpenArrivals | None = None,
        open_memory: OpenMemory | None = None,
        open_events: OpenEvents | None = None,
        open_plays: OpenPlays | None = None,
        experiments: ExperimentPlaces | None = None,
        open_impressions: OpenImpressions | None = None,
        shadow_folder: Path | None = None,
        open_deletions: OpenDeletions | None = None,
        titles_beside: ReadsBeside | None = None,
    ) -> None:
        self.metrics = Metrics()
        self._bundles = bundles
        self._open_reader = open_reader
        self._settings = KeeperSettings() if settings is None else settings
        self._wall = wall
        self._new_id = new_id
        self._pages = ServingSettings() if pages is None else pages
        self._open_arrivals = open_arrivals
        self._open_memory = open_memory
        self._open_events = open_events
        self._open_plays = open_plays
        self._places = experiments
        self.recent = RecentRequests(self._pages.bundles.recent_requests)
        self._nothing_runs = ServedExperiments.none(self._pages)
        self._open_impressions = open_impressions
        self._shadow_folder = shadow_folder
        self.shadow: ShadowTraffic | None = None
        self._impressions: ImpressionLog | None = None
        self._events: EventIntake | None = None
        self.load = LoadGate(self._pages.limits)
        self._store_watch: StoreWatch | None = None
        self._open_deletions = open_deletions
        self._beside = titles_beside
        self._deletions: DeletionDesk | None = None
        self._arrivals: ArrivalSource | None = None
        self._memory: SeedMemory | None = None
        self._holder = StateHolder()
        self._reader: FeatureReader | None = None
        self._maker: HomepageMaker | None = None
        self.keeper: StateKeeper | None = None
        self.watch: ExperimentWatch | None = None
        self._desk: ExperimentDesk | None = None

    def start(self, watch: bool = True) -> None:
        """Connect, put the champion and the experiments in service and (``watch``) keep them up to date."""
        limit_threads()
        reader, schema_hash = self._open_reader()
        self._arrivals = self._open_arrivals(reader) if self._open_arrivals is not None else None
        self._memory = self._open_memory(reader) if self._open_memory is not None else None
        settings = replace(self._settings, schema_hash=schema_hash, pages=self._pages)
        self._reader = reader
        if self._open_deletions is not None:
            self._deletions = self._open_deletions(reader, lambda: self.events.log)
        self._maker = self._maker_of(reader)
        self._store_watch = StoreWatch(
            reader.healthy, self.metrics.feature_store_answers, reader.newest_rows, self.metrics.views_as_of
        )
        self.keeper = StateKeeper(
            self._bundles, reader, self._holder, self.metrics, self._wall, settings, self._arrivals,
            None if self._open_plays is None else self._open_plays(reader), self.recent, self._beside,
        )  # fmt: skip
        if self._places is not None:
            clocks = WatchClocks(self._wall, self.now)
            self.watch = ExperimentWatch(
                self._places.open_store, self.keeper, self._pages, self.metrics, clocks
            )
            self._desk = ExperimentDesk(self.watch, self._places, self._bundles, self.now)
        self._try_events(reader)
        if self._open_impressions is not None:
            self._impressions = self._open_impressions(self.metrics)
        if watch and self._deletions is not None:
            self._deletions.start()
        if watch:
            self.keeper.start()
            self._store_watch.start()
        else:
            self.keeper.check()
        self.shadow = self._shadow_traffic(reader)
        if self.shadow is not None and watch:
            self.shadow.start()
        if self.watch is not None and watch:
            self.watch.start()
        elif self.watch is not None:
            self.watch.look()

    def _maker_of(self, reader: FeatureReader) -> HomepageMaker:
        """Return what makes pages, with a breaker between it and the store."""
        limits = self._pages.limits
        breaker = CircuitBreaker(
            "feature store", BreakerSettings(slow_seconds=limits.read_ms / 1e3),
            changed=self.metrics.breaker_changed,
        )  # fmt: skip
        if self._memory is not None:
            self._memory = GuardedMemory(self._memory, breaker)
        steady = SteadyReader(
            reader, breaker, self.now, self._canary, limits.kept_members, limits.kept_seconds,
            counted=self.metrics.member_read,
        )  # fmt: skip
        if self._deletions is not None:
            self._deletions.also_forget(steady.forget_those)
        return HomepageMaker(
            reader, self.metrics, self._new_id, self._pages, self._memory, lambda: self.experiments, steady,
            None if self._deletions is None else self._deletions.deleted,
        )  # fmt: skip

    def _canary(self) -> str | None:
        state = self._holder.current
        return next(iter(state.catalogue.title_ids), None) if state is not None else None

    def stop(self) -> None:
        """End the background work; what members were shown until now is written first."""
        if self.shadow is not None:
            self.shadow.stop()
        if self._store_watch is not None:
            self._store_watch.stop()
        if self.watch is not None:
            self.watch.stop()
        if self._deletions is not None:
            self._deletions.stop()
        if self._impressions is not None:
            self._impressions.close()
        if self.keeper is not None:
            self.keeper.stop()
        if self._events is not None:
            self._events.close()

    def _shadow_traffic(self, reader: FeatureReader) -> ShadowTraffic | None:
        settings, folder = self._pages, self._shadow_folder
        if folder is None or self.keeper is None or settings.shadow.share == 0:
            return None
        log = ShadowLog(folder, settings.shadow)
        return ShadowTraffic(self.keeper, reader, self.metrics, self.now, settings, log.append)

    @property
    def state(self) -> ServingState:
        """The state in service; raises :class:`NotReadyError` before there is one."""
        state = self._holder.current
        if state is None:
            raise NotReadyError("no bundle in service; publish one and point the champion alias to it")
        return state

    def bundle_state(self, bundle: str) -> ServingState:
        """Return the state of a bundle, by alias or version, that is in service or held beside the champion.

        Raises :class:`BundleNotHeldError` for another, ``ExperimentError`` for an alias that was never set.
        """
        champion, keeper = self.state, self.keeper
        version = bundle if keeper is None else keeper.version_of(bundle)
        if version == champion.models.version or keeper is None:
            return champion
        try:
            return keeper.state_of(version)
        except LookupError as error:
            raise BundleNotHeldError(
                f"bundle = {bundle!r}: this server does not hold it; name one of a running experiment, or "
                "make it the challenger and ask again in some seconds"
            ) from error

    def now(self) -> datetime:
        """Return the service's present: that of the state in service, the wall's before there is one."""
        state = self._holder.current
        return self._wall() if state is None else state.clock()

    def wall(self) -> datetime:
        """Return the wall's present, as this service was given it."""
        return self._wall()

    @property
    def experiments(self) -> ServedExperiments:
        """What experiments do to pages at this moment."""
        return self._nothing_runs if self.watch is None else self.watch.current

    @property
    def experiment_desk(self) -> ExperimentDesk:
        """What operators do to experiments; raises :class:`NotReadyError` where this server has none."""
        if self._desk is None:
            raise NotReadyError("this server knows no experiments: it has no store of them")
        return self._desk

    @property
    def bundle_desk(self) -> BundleDesk:
        """What operators do to bundles; raises :class:`NotReadyError` before the service was started."""
        if self.keeper is None:
            raise NotReadyError("the service was not started")
        return BundleDesk(self._bundles, self._wall, self.keeper.load)

    def homepage(self, request: PageRequest, state: ServingState, lean: bool = False) -> MadePage:
        """Make one page from ``state``, a ``lean`` one without its costly stages.

        Raises only where even the last resort of a stage fails: then there is :meth:`static_page`.
        """
        if self._maker is None:
            raise NotReadyError("the service was not started")
        return self._maker.make(state, request, lean)

    def static_page(self, request: PageRequest, state: ServingState) -> Homepage:
        """Return the bundle's own page, which needs nothing else."""
        self.metrics.fell_back(STATIC)
        return state.static_pages.page(request, self._new_id())

    def shown(self, made: MadePage) -> None:
        """Take note of a page that was answered. It is off the member's way: a failure is logged, no more.

        A preview leaves no trace.
        """
        if made.query.request.preview:
            return
        self.recent.add(made.query.request)
        self.metrics.page_answered(made.homepage.experiments.values(), made.held_out)
        self._log_tiles(made)
        self._remember_seeds(made.homepage)
        if self.shadow is not None:
            self.shadow.offer(made)

    def _log_tiles(self, made: MadePage) -> None:
        if self._impressions is None:
            return
        try:
            self._impressions.offer(ShownPage.of(made, self._pages.impressions.parity_share))
        except Exception:  # as below
            _log.exception("tiles not logged", page_id=made.homepage.page_id)

    def _remember_seeds(self, page: Homepage) -> None:
        if self._memory is None:
            return
        seeds = [row.seed_title_id for row in page.rows if row.seed_title_id is not None]
        try:
            self._memory.remember(page.user_id, seeds)
        except CircuitOpenError:
            pass  # the breaker has said so once
        except Exception:  # whatever the memory's store raises; the page is out already
            _log.exception("seeds not remembered", page_id=page.page_id)

    def sign_up(self, member: NewMember) -> bool:
        """Take in a member; return whether they are new. Raises as :func:`serving.intake.sign_up` does."""
        state, arrivals = self.state, self.arrivals
        return intake.sign_up(self._connected, arrivals, state, member)

    def example_members(self, limit: int) -> list[ExampleMember]:
        """Return some members that the bundle knows; raises what the feature store does."""
        deletions = self._deletions
        is_deleted = (lambda _: False) if deletions is None else deletions.deleted.is_deleted
        return example_members(self._connected, self.state, limit, is_deleted)

    def title_text(self, title_id: str) -> TitleText | None:
        """Return what is written of a title; None for one that the lake does not hold, or without a lake."""
        return None if self._arrivals is None else self._arrivals.title_text(title_id)

    def known_since(self, title_id: str) -> datetime:
        """Return since when a version of a title that comes in now is known."""
        return intake.next_version(self._connected, title_id, self.state.clock())

    @property
    def _connected(self) -> FeatureReader:
        if self._reader is None:
            raise NotReadyError("the service was not started")
        return self._reader

    @property
    def arrivals(self) -> ArrivalSource:
        """Where titles and members come in; raises :class:`NotReadyError` where there is no such place."""
        if self._arrivals is None:
            raise NotReadyError("this server takes in no titles and members: it has no lake to keep them")
        return self._arrivals

    @property
    def deletions(self) -> DeletionDesk:
        """What forgets members; raises :class:`NotReadyError` where this server has no such thing."""
        if self._deletions is None:
            raise NotReadyError(
                "this server deletes no members: it has no lake and no online store of its own"
            )
        return self._deletions

    @property
    def events(self) -> EventIntake:
        """Where events are taken in; raises :class:`NotReadyError` where this server takes in none."""
        if self._events is None:
            raise NotReadyError("this server takes in no events: it has no event log")
        return self._events

    def _try_events(self, reader: FeatureReader) -> None:
        """Open the event log, if there is one. Pages need none, so that a failure is logged, no more."""
        open_events = self._open_events
        if open_events is None:
            return
        self._events = EventIntake(lambda: open_events(reader), self.metrics.breaker_changed)
        try:
            _ = self._events.log
        except EventLogError as error:
            _log.error("the event log is away", reason=str(error))

    def feature_store_healthy(self) -> bool:
        """Say whether the feature store answers."""
        return self._reader is not None and self._reader.healthy()


def limit_threads() -> None:
    """One thread each for BLAS and FAISS: workers and their threads already fill the cores.

    A thread that works in the background gives the interpreter up sooner than after Python's 5 ms: a page
    gives it up at every answer of a store, and would wait so long for it each time.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    threadpool_limits(1)
    faiss.omp_set_num_threads(1)
