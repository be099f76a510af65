"""The service: everything a worker holds, opened after the fork and closed with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import faiss
from threadpoolctl import threadpool_limits

from feature_repo.arrivals import NewMember
from serving import intake
from serving.api.models import Homepage
from serving.arrivals import ArrivalSource
from serving.bundles import KeeperSettings, StateKeeper
from serving.candidates.query import PageRequest
from serving.clock import Clock, wall_clock
from serving.homepage import HomepageMaker, IdSource, unique_id
from serving.members import FeatureReader
from serving.metrics import Metrics
from serving.page.layout import Layout
from serving.pipeline import Run
from serving.settings import ServingSettings
from serving.state import ServingState, StateHolder

OpenReader = Callable[[], tuple[FeatureReader, str | None]]
"""Connects to the feature store; returns it with the schema hash that bundles must carry (None: any)."""


OpenArrivals = Callable[[FeatureReader], ArrivalSource]
"""Opens where titles and members come in, beside the feature store."""


class NotReadyError(RuntimeError):
    """No bundle is in service yet."""


class HomepageService:
    """Makes pages from the champion bundle and the feature store.

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
        layout: Layout | None = None,
        pages: ServingSettings | None = None,
        open_arrivals: OpenArrivals | None = None,
    ) -> None:
        self.metrics = Metrics()
        self._bundles = bundles
        self._open_reader = open_reader
        self._settings = KeeperSettings() if settings is None else settings
        self._wall = wall
        self._new_id = new_id
        self._layout = layout
        self._pages = pages
        self._open_arrivals = open_arrivals
        self._arrivals: ArrivalSource | None = None
        self._holder = StateHolder()
        self._reader: FeatureReader | None = None
        self._maker: HomepageMaker | None = None
        self.keeper: StateKeeper | None = None

    def start(self, watch: bool = True) -> None:
        """Connect, put the champion in service and (``watch``) keep it up to date in the background."""
        limit_threads()
        reader, schema_hash = self._open_reader()
        self._arrivals = self._open_arrivals(reader) if self._open_arrivals is not None else None
        settings = replace(self._settings, schema_hash=schema_hash)
        self._reader = reader
        self._maker = HomepageMaker(reader, self.metrics, self._layout, self._new_id, self._pages)
        self.keeper = StateKeeper(
            self._bundles, reader, self._holder, self.metrics, self._wall, settings, self._arrivals
        )
        if watch:
            self.keeper.start()
        else:
            self.keeper.check()

    def stop(self) -> None:
        """End the background work."""
        if self.keeper is not None:
            self.keeper.stop()

    @property
    def state(self) -> ServingState:
        """The state in service; raises :class:`NotReadyError` before there is one."""
        state = self._holder.current
        if state is None:
            raise NotReadyError("no bundle in service; publish one and point the champion alias to it")
        return state

    def homepage(self, request: PageRequest, state: ServingState) -> tuple[Homepage, Run]:
        """Make one page from ``state``."""
        if self._maker is None:
            raise NotReadyError("the service was not started")
        return self._maker.make(state, request)

    def sign_up(self, member: NewMember) -> bool:
        """Take in a member; return whether they are new. Raises as :func:`serving.intake.sign_up` does."""
        state, arrivals = self.state, self.arrivals
        return intake.sign_up(self._connected, arrivals, state, member)

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

    def feature_store_healthy(self) -> bool:
        """Say whether the feature store answers."""
        return self._reader is not None and self._reader.healthy()


def limit_threads() -> None:
    """One thread each for BLAS and FAISS: workers and their threads already fill the cores."""
    threadpool_limits(1)
    faiss.omp_set_num_threads(1)
