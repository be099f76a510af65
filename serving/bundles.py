"""Bundles come into service: loaded, warmed with real requests, swapped in by one assignment."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.store import TitleSnapshot
from serving.arrivals import (
    ArrivalSource,
    content_inputs,
    selected,
    sound_content,
    sound_vectors,
    with_changes,
)
from serving.candidates.query import PageRequest
from serving.clock import Clock, ClockMode, service_clock
from serving.homepage import HomepageMaker
from serving.live_trending import LiveTrending, PlaySource
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
    """How the keeper works: the clock it gives to states, and how often it looks for what.

    ``poll_every``: another champion; ``refresh_every``: all titles; ``follow_every``: titles that changed;
    ``trend_every``: plays, from which the charts of all countries are made anew.
    """

    clock_mode: ClockMode = "auto"
    poll_every: timedelta = timedelta(seconds=5)
    refresh_every: timedelta = timedelta(minutes=5)
    follow_every: timedelta = timedelta(milliseconds=200)
    trend_every: timedelta = timedelta(milliseconds=800)
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
        arrivals: ArrivalSource | None = None,
        plays: PlaySource | None = None,
    ) -> None:
        self._root = root
        self._reader = reader
        self._holder = holder
        self._metrics = metrics
        self._wall = wall
        self._settings = settings
        self._arrivals = arrivals
        self._trending = None if plays is None else LiveTrending(plays)
        self._trended_at = datetime.min.replace(tzinfo=UTC)
        self._followed = ""
        self._started_at = wall()
        self._refreshed_at = self._started_at
        self._refused: str | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def check(self) -> None:
        """Look once: for another champion, or else for titles that changed or are due. Never raises."""
        try:
            if self._swap_champion():
                return
            if self._wall() - self._refreshed_at >= self._settings.refresh_every:
                self._refresh_titles()
            self._follow()
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
        """Take in the titles that changed since the last look; return whether that worked. Never raises."""
        try:
            self._follow()
        except Exception:  # as above
            _log.exception("following the changed titles failed; trying again")
            return False
        return True

    def _follow(self) -> None:
        state = self._holder.current
        if state is None or self._arrivals is None:
            self._follow_plays()
            return
        position, changed = self._arrivals.changes(self._followed)
        if changed:
            fresh = self._sound(self._reader.title_snapshot(list(changed), state.clock()))
            fresher = self._swap_titles(state, with_changes(state.snapshot, fresh))
            shown = sum(title_id in fresher.catalogue.row_of for title_id in fresh.row_of)
            self._metrics.titles_changed(shown, self._arrivals.age(self._followed))
        self._followed = position
        self._follow_plays()

    def _follow_plays(self) -> None:
        """Let trending follow the plays that the stream has counted."""
        state, now = self._holder.current, self._wall()
        if self._trending is None or state is None or now - self._trended_at < self._settings.trend_every:
            return
        self._trended_at = now
        charts = self._trending.charts(state)
        if charts is not None:
            self._holder.swap(replace(state, models=replace(state.models, trending=charts)))

    def _swap_titles(self, state: ServingState, snapshot: TitleSnapshot) -> ServingState:
        """Put a fresher snapshot in service; its first rows are those of the bundle."""
        snapshot, inputs = self._with_content(state.trained, snapshot)
        fresher = ServingState.of(state.trained, snapshot, inputs, state.clock, state.example_user_id)
        warn_of_other_vectors(fresher)
        self._holder.swap(fresher)
        if self._trending is not None:
            self._trending.forget()
        return fresher

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
        # Whatever changes from here on is in the feed after this position.
        followed = self._arrivals.position() if self._arrivals is not None else ""
        snapshot = self._read_titles(bundle.contents.title_ids.tolist(), clock())
        snapshot, inputs = self._with_content(models, snapshot)
        user_ids = bundle.contents.user_ids.tolist()
        state = ServingState.of(models, snapshot, inputs, clock, user_ids[0] if user_ids else "newcomer")
        warn_of_other_vectors(state)
        warm_up(self._reader, state, user_ids)
        self._holder.swap(state)
        self._followed = followed
        self._refreshed_at = self._wall()
        self._refused = None
        self._metrics.bundle_swapped()
        _log.info(
            "bundle in service",
            version=models.version,
            titles=len(state.catalogue),
            exact=models.als_index.exact,
        )

    def _refresh_titles(self) -> None:
        current = self._holder.current
        if current is None:
            return
        self._refreshed_at = self._wall()
        try:
            fresh = self._reader.title_snapshot(list(current.catalogue.title_ids), current.clock())
        except Exception:
            self._metrics.snapshot_refreshed(False)
            raise
        self._swap_titles(current, with_changes(current.snapshot, self._sound(fresh)))
        self._metrics.snapshot_refreshed(True)

    def _read_titles(self, trained: list[str], now: datetime) -> TitleSnapshot:
        """Read the bundle's titles, then those that came after it.

        The lake says which those are: it holds every title that was ever accepted, whereas the feed forgets,
        with Redis or by its length.
        """
        snapshot = self._reader.title_snapshot(trained, now)
        if self._arrivals is not None:
            later = sorted(set(self._arrivals.title_ids()).difference(trained))
            if later:
                snapshot = with_changes(snapshot, self._sound(self._reader.title_snapshot(later, now)))
        return snapshot

    def _sound(self, fresh: TitleSnapshot) -> TitleSnapshot:
        """Leave out titles whose vectors would spoil the others': a known title stays as it was."""
        sound = sound_vectors(fresh)
        self._refuse(fresh.title_ids[~sound].tolist(), "its collaborative vector is damaged")
        return fresh if sound.all() else selected(fresh, sound)

    def _with_content(
        self, trained: Models, snapshot: TitleSnapshot
    ) -> tuple[TitleSnapshot, NDArray[np.float32]]:
        """Read what the item tower needs of later titles, and leave out those it has no vector for."""
        bundled = len(trained.title_factors)
        inputs = content_inputs(self._reader, snapshot.title_ids[bundled:].tolist(), snapshot.taken_at)
        sound = sound_content(trained.taste.tower_weights, inputs)
        if sound.all():
            return snapshot, inputs
        keep = np.concatenate([np.ones(bundled, dtype=np.bool_), sound])
        self._refuse(snapshot.title_ids[~keep].tolist(), "its content vectors are damaged")
        return selected(snapshot, keep), inputs[sound]

    def _refuse(self, title_ids: list[str], reason: str) -> None:
        if title_ids:
            self._metrics.titles_refused(len(title_ids))
            _log.error("titles refused", titles=title_ids[:10], number=len(title_ids), reason=reason)


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
