"""Bundles come into service: loaded, warmed with real requests, swapped in by one assignment."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from feature_repo import schema as s
from serving.candidates.query import PageRequest
from serving.catalogue import Catalogue
from serving.clock import Clock, ClockMode, service_clock
from serving.homepage import HomepageMaker
from serving.members import FeatureReader
from serving.metrics import Metrics, Unobserved
from serving.models import Models
from serving.state import ServingState, StateHolder
from training.bundle import CHAMPION, Bundle, BundleAliases, load_bundle

WARM_UP_PAGES: Final = 40
"""XGBoost's first calls take several times as long as later ones."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    """How the keeper works: the clock it gives to states, and how often it looks."""

    clock_mode: ClockMode = "auto"
    poll_every: timedelta = timedelta(seconds=5)
    refresh_every: timedelta = timedelta(minutes=5)
    schema_hash: str | None = None
    """What the feature definitions hash to; a bundle made for others is refused."""


class StateKeeper:
    """Keeps the holder's state up to date: new champions by the alias, fresh titles by the hour hand.

    A bundle that cannot serve is refused with its reason, and the state before it stays.
    """

    def __init__(
        self,
        root: Path,
        reader: FeatureReader,
        holder: StateHolder,
        metrics: Metrics,
        wall: Clock,
        settings: KeeperSettings,
    ) -> None:
        self._root = root
        self._reader = reader
        self._holder = holder
        self._metrics = metrics
        self._wall = wall
        self._settings = settings
        self._started_at = wall()
        self._refreshed_at = self._started_at
        self._refused: str | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def check(self) -> None:
        """Look once: swap in a champion that changed, or refresh titles that are due. Never raises."""
        try:
            if (
                not self._swap_champion()
                and self._wall() - self._refreshed_at >= self._settings.refresh_every
            ):
                self._refresh_titles()
        except Exception:  # the thread that keeps the state must outlive whatever is wrong today
            _log.exception("keeping the serving state failed; trying again")

    def start(self) -> None:
        """Check now, and from now on in the background."""
        self.check()
        self._thread = threading.Thread(target=self._keep_checking, name="state-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the background checks."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _keep_checking(self) -> None:
        while not self._stopping.wait(self._settings.poll_every.total_seconds()):
            self.check()

    def _swap_champion(self) -> bool:
        """Return whether another champion was put in place."""
        version = BundleAliases(self._root).get(CHAMPION)
        current = self._holder.current
        if version is None or version == self._refused or (current and current.models.version == version):
            return False
        try:
            bundle = load_bundle(self._root / version, self._settings.schema_hash)
            models = Models.of(bundle)
        except ValueError as error:  # a BundleError is one
            self._refused = version
            self._metrics.bundle_refused()
            _log.error("bundle refused", version=version, reason=str(error))
            return False
        self._put_in_place(bundle, models)
        return True

    def _put_in_place(self, bundle: Bundle, models: Models) -> None:
        end = bundle.manifest.data_window.end
        clock = service_clock(self._settings.clock_mode, end, self._wall, self._started_at)
        catalogue = read_catalogue(self._reader, bundle.contents.title_ids.tolist(), clock())
        user_ids = bundle.contents.user_ids.tolist()
        state = ServingState.of(models, catalogue, clock, user_ids[0] if user_ids else "newcomer")
        warn_of_other_vectors(state)
        warm_up(self._reader, state, user_ids)
        self._holder.swap(state)
        self._refreshed_at = self._wall()
        self._refused = None
        self._metrics.bundle_swapped()
        _log.info(
            "bundle in service", version=models.version, titles=len(catalogue), exact=models.index.exact
        )

    def _refresh_titles(self) -> None:
        current = self._holder.current
        if current is None:
            return
        self._refreshed_at = self._wall()
        try:
            catalogue = read_catalogue(self._reader, current.catalogue.title_ids, current.clock())
        except Exception:
            self._metrics.snapshot_refreshed(False)
            raise
        state = current.with_catalogue(catalogue)
        warn_of_other_vectors(state)
        self._holder.swap(state)
        self._metrics.snapshot_refreshed(True)


def read_catalogue(reader: FeatureReader, title_ids: list[str] | tuple[str, ...], now: datetime) -> Catalogue:
    """Read the titles' features through the gateway, in the order of the bundle's rows."""
    return Catalogue.prepare(reader.title_snapshot(list(title_ids), now))


def warm_up(reader: FeatureReader, state: ServingState, user_ids: list[str]) -> None:
    """Make some pages of real members, and of somebody unknown, before anybody waits for one."""
    maker = HomepageMaker(reader, Unobserved())
    members = user_ids[:: max(1, len(user_ids) // WARM_UP_PAGES)][:WARM_UP_PAGES] or [state.example_user_id]
    for page in range(WARM_UP_PAGES):
        device = s.DEVICES[page % len(s.DEVICES)]
        maker.make(state, PageRequest(members[page % len(members)], device, state.clock()))


def warn_of_other_vectors(state: ServingState) -> None:
    """Warn where the store's vectors are of another model than the bundle's, which then stand in."""
    if not state.vector_versions:
        _log.warning(
            "the feature store holds vectors of another model",
            version=state.models.version, remedy="materialize the embeddings of this bundle",
        )  # fmt: skip
