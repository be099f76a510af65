"""The state of one bundle, made ready to serve and kept up to date with its titles and their plays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

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
from serving.background_pace import AT_ONCE, Pace
from serving.bundle_canary import WARM_UP_PAGES, check_pages, warm_up
from serving.bundle_validation import check_models
from serving.clock import Clock
from serving.live_trending import LiveTrending, PlaySource
from serving.members import FeatureReader
from serving.metrics import Metrics
from serving.models import Models
from serving.recent_requests import RecentRequests
from serving.settings import ServingSettings
from serving.state import ServingState, StateHolder
from serving.steady_reader import StoreColdError
from serving.title_reading import TitleReading
from training.bundle import Bundle

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class StateSources:
    """What states are made from and kept up to date with, and how often; see ``KeeperSettings``.

    ``pages`` says what a whole page is, and when a bundle is refused; ``recent`` what to warm up with.
    """

    reader: FeatureReader
    titles: TitleReading
    metrics: Metrics
    wall: Clock
    refresh_every: timedelta
    trend_every: timedelta
    warm_up_pages: int = WARM_UP_PAGES
    arrivals: ArrivalSource | None = None
    plays: PlaySource | None = None
    pages: ServingSettings = field(default_factory=ServingSettings)
    recent: RecentRequests = field(default_factory=lambda: RecentRequests(0))


class KeptState:
    """Keeps the state of one bundle in a holder, where requests take it from.

    ``counts`` says whether titles taken in are counted in the metrics, which one state per worker does.
    """

    def __init__(self, sources: StateSources, holder: StateHolder, *, counts: bool = True) -> None:
        self._sources, self._holder, self._counts = sources, holder, counts
        self._trending = None if sources.plays is None else LiveTrending(sources.plays)
        self._trended_at = datetime.min.replace(tzinfo=UTC)
        self._followed = ""
        self._refreshed_at = sources.wall()
        self._trained_at = float("nan")

    @property
    def state(self) -> ServingState | None:
        """The state as it serves, None before the first bundle."""
        return self._holder.current

    def put_in_place(
        self,
        bundle: Bundle,
        models: Models,
        clock: Clock,
        champion: Models | None = None,
        pace: Pace = AT_ONCE,
    ) -> ServingState:
        """Read the titles, validate beside the ``champion``, warm up and serve; all at a ``pace``.

        Raises ``BundleRefusedError`` for a bundle that must not serve, and what the feature store does, with
        nothing changed.
        """
        sources = self._sources
        check_models(models, bundle.contents.title_ids.tolist(), champion, sources.pages.bundles)
        # Whatever changes from here on is in the feed after this position.
        followed = sources.arrivals.position() if sources.arrivals is not None else ""
        snapshot = self._read_titles(bundle.contents.title_ids.tolist(), clock(), pace)
        _require_known(snapshot)
        snapshot, inputs = self._with_content(models, snapshot)
        user_ids = bundle.contents.user_ids.tolist()
        state = ServingState.of(models, snapshot, inputs, clock, user_ids[0] if user_ids else "newcomer")
        warn_of_other_vectors(state)
        check_pages(sources.reader, state, user_ids, sources.pages, pace)
        pages = sources.warm_up_pages
        warm_up(sources.reader, state, user_ids, sources.recent.latest(pages), pages, pace)
        self._holder.swap(state)
        self._trained_at = bundle.manifest.created_at.timestamp()
        self._tell_freshness(state)
        self._followed = followed
        self._refreshed_at = sources.wall()
        return state

    def live_by(self, clock: Clock) -> None:
        """Take another clock for the service's present."""
        state = self.state
        if state is not None and state.clock is not clock:
            self._holder.swap(replace(state, clock=clock))

    def refresh_if_due(self, pace: Pace = AT_ONCE) -> None:
        """Read all titles anew where that is due, at a ``pace``; raises what the feature store does."""
        if self._sources.wall() - self._refreshed_at >= self._sources.refresh_every:
            self._refresh_titles(pace)

    def follow(self) -> None:
        """Take in the titles that changed since the last look, and the plays; raises what Redis does."""
        state, arrivals = self.state, self._sources.arrivals
        if state is None or arrivals is None:
            self._follow_plays()
            return
        position, changed = arrivals.changes(self._followed)
        if changed:
            fresh = self._sound(self._sources.reader.title_snapshot(list(changed), state.clock()))
            fresher = self._swap_titles(state, with_changes(state.snapshot, fresh))
            if self._counts:
                shown = sum(title_id in fresher.catalogue.row_of for title_id in fresh.row_of)
                self._sources.metrics.titles_changed(shown, arrivals.age(self._followed))
        self._followed = position
        self._follow_plays()

    def _follow_plays(self) -> None:
        """Let trending follow the plays that the stream has counted."""
        state, now = self.state, self._sources.wall()
        if self._trending is None or state is None or now - self._trended_at < self._sources.trend_every:
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

    def _refresh_titles(self, pace: Pace) -> None:
        current, sources = self.state, self._sources
        if current is None:
            return
        self._refreshed_at = sources.wall()
        # What changes while the titles are read may be older in what was read: it is followed once more.
        followed = self._followed
        try:
            fresh = sources.titles.read(list(current.catalogue.title_ids), current.clock(), pace)
            _require_known(fresh)
        except Exception:
            sources.metrics.snapshot_refreshed(False)
            raise
        latest = self.state or current
        self._tell_freshness(self._swap_titles(latest, with_changes(latest.snapshot, self._sound(fresh))))
        self._followed = followed
        sources.metrics.snapshot_refreshed(True)

    def _tell_freshness(self, state: ServingState) -> None:
        """Show how old the models and the titles' features are; one state per worker does."""
        if self._counts:
            built_at = state.snapshot.columns[s.DECAYED_PLAYS_AT]
            newest = float(np.nanmax(built_at)) / 1e6 if np.isfinite(built_at).any() else float("nan")
            self._sources.metrics.serving_as_of(self._trained_at, newest)

    def _read_titles(self, trained: list[str], now: datetime, pace: Pace) -> TitleSnapshot:
        """Read the bundle's titles, then those that came after it.

        The lake says which those are: it holds every title that was ever accepted, whereas the feed forgets,
        with Redis or by its length.
        """
        titles, arrivals = self._sources.titles, self._sources.arrivals
        snapshot = titles.read(trained, now, pace)
        if arrivals is not None:
            later = sorted(set(arrivals.title_ids()).difference(trained))
            if later:
                snapshot = with_changes(snapshot, self._sound(titles.read(later, now, pace)))
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
        later = snapshot.title_ids[bundled:].tolist()
        inputs = content_inputs(self._sources.reader, later, snapshot.taken_at)
        sound = sound_content(trained.taste.tower_weights, inputs)
        if sound.all():
            return snapshot, inputs
        keep = np.concatenate([np.ones(bundled, dtype=np.bool_), sound])
        self._refuse(snapshot.title_ids[~keep].tolist(), "its content vectors are damaged")
        return selected(snapshot, keep), inputs[sound]

    def _refuse(self, title_ids: list[str], reason: str) -> None:
        if title_ids and self._counts:
            self._sources.metrics.titles_refused(len(title_ids))
            _log.error("titles refused", titles=title_ids[:10], number=len(title_ids), reason=reason)


def _require_known(snapshot: TitleSnapshot) -> None:
    """Raise :class:`StoreColdError` where the store has lost its titles: those in service are better."""
    named = int((snapshot.columns[s.NAME] != "").sum())
    if 2 * named < len(snapshot.title_ids):
        raise StoreColdError(
            f"the feature store knows {named} of {len(snapshot.title_ids)} titles; "
            "bring them back: python -m feature_repo materialize"
        )


def warn_of_other_vectors(state: ServingState) -> None:
    """Warn where the store's vectors are of another model than the bundle's, which then stand in."""
    if not state.vector_versions:
        _log.warning(
            "the feature store holds vectors of another model",
            version=state.models.version, remedy="materialize the embeddings of this bundle",
        )  # fmt: skip
