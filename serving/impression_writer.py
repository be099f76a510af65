"""From the pages of one worker into the lake, off the request path and in bounded memory.

A page costs its request a place in a queue. One thread takes the queue away every few seconds, or when it is
long, and writes it as a Parquet file of each table, which appears by rename. Where the lake does not take it,
the thread tries again, with the same rows under the same name, so that none stands there twice; meanwhile the
queue fills, and once it is full the newest pages are dropped and counted. Nothing waits for the lake but this
thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Condition, Thread
from typing import Final, Protocol
from uuid import uuid4

import structlog

from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import EXPLORED_SLOTS, SERVED_FEATURES, SHOWN_TILES
from serving.impressions import ShownPage, explored_slots, shown_tiles
from serving.served_features import served_features
from serving.settings import ImpressionSettings

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 15.0

_log = structlog.get_logger(__name__)


class ImpressionObserver(Protocol):
    """Counts tiles; :class:`serving.metrics.Metrics` is one."""

    def impressions_written(self, tiles: int) -> None:
        """Tiles are in the lake."""

    def impressions_dropped(self, tiles: int) -> None:
        """Tiles are lost."""

    def impressions_queued(self, tiles: int) -> None:
        """So many tiles wait to be written."""


class ImpressionWriter:
    """Writes what it is offered. Start it after the fork: its thread lives in the process that makes it.

    ``open_lake`` is called by the thread, and again where it fails with ``OSError``.
    """

    def __init__(
        self, open_lake: Callable[[], Lake], observer: ImpressionObserver, settings: ImpressionSettings
    ) -> None:
        self._open_lake, self._observer, self._settings = open_lake, observer, settings
        self._lake: Lake | None = None
        self._changed = Condition()
        self._waiting: list[ShownPage] = []
        self._waiting_tiles = 0
        self._held = self._held_inputs = 0
        self._flushing = self._closing = self._dropping = False
        self._name, self._files = uuid4().hex[:12], 0
        self._thread = Thread(target=self._work, name="impressions", daemon=True)
        self._thread.start()

    @property
    def held(self) -> int:
        """Tiles in memory: those that wait, and those being written."""
        return self._held

    def offer(self, page: ShownPage) -> bool:
        """Take a page in; where there is no room for it, count its tiles as dropped and return False."""
        with self._changed:
            if taken := not self._closing and self._held + page.tiles <= self._settings.queue_tiles:
                page = self._bounded(page)
                self._waiting.append(page)
                self._waiting_tiles += page.tiles
                self._held += page.tiles
                if self._waiting_tiles >= self._settings.flush_tiles:
                    self._changed.notify_all()
        if taken:
            self._observer.impressions_queued(self._held)
        else:
            self._drop(page.tiles)
        return taken

    def _bounded(self, page: ShownPage) -> ShownPage:
        """Take no more rows of the sample than tiles; beyond that pages go without."""
        rows = _sampled_rows(page)
        if self._held_inputs + rows > self._settings.queue_tiles:
            return replace(page, ranker_input=None)
        self._held_inputs += rows
        return page

    def flush(self, seconds: float) -> bool:
        """Write what waits now; return whether all of it is in the lake after that time at most."""
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._held == 0, seconds)

    def close(self) -> bool:
        """Take in nothing more and write what waits, with one attempt; return whether all is in the lake.

        Waits ``stop_seconds`` at most; what is not written by then is lost, and the log says how much.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(self._settings.stop_seconds)
        left = self._held
        if self._thread.is_alive() and left:
            _log.error("the lake did not take the last impressions in time; they are lost", tiles=left)
        return not left

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            if batch:
                self._write(batch)

    def _next_batch(self) -> list[ShownPage] | None:
        """Wait for pages and return them; None at the end."""
        with self._changed:
            self._changed.wait_for(self._is_due, self._settings.flush_seconds)
            if self._closing and not self._waiting:
                return None
            batch, self._waiting, self._waiting_tiles = self._waiting, [], 0
            return batch

    def _is_due(self) -> bool:
        full = self._waiting_tiles >= self._settings.flush_tiles
        return self._closing or full or (self._flushing and bool(self._waiting))

    def _write(self, batch: list[ShownPage]) -> None:
        tiles = sum(page.tiles for page in batch)
        written = False
        try:
            written = self._append_at_last(batch)
        except Exception:  # rows that no table takes: an error of ours, which must not hold up what follows
            _log.exception("impressions cannot be written", tiles=tiles)
        if written:
            self._observer.impressions_written(tiles)
            self._dropping = False
        else:
            self._observer.impressions_dropped(tiles)
        with self._changed:
            self._held -= tiles
            self._held_inputs -= sum(map(_sampled_rows, batch))
            self._flushing = self._flushing and self._held > 0
            self._changed.notify_all()
        self._observer.impressions_queued(self._held)

    def _append_at_last(self, batch: list[ShownPage]) -> bool:
        """Append to the lake, again and again while that fails; return False where the end came first."""
        explored, shown = explored_slots(batch), shown_tiles(batch)
        sampled = served_features(page.ranker_input for page in batch if page.ranker_input is not None)
        self._files += 1
        name = f"pages-{self._name}-{self._files:08d}"
        pause = _FIRST_PAUSE_SECONDS
        while True:
            closing = self._closing
            try:
                if self._lake is None:
                    self._lake = self._open_lake()
                with self._lake.transaction() as transaction:
                    # A tile that is there has its slot: slots become visible first.
                    transaction.append(EXPLORED_SLOTS, explored, name)
                    if len(sampled):
                        transaction.append(SERVED_FEATURES, sampled, name)
                    transaction.append(SHOWN_TILES, shown, name)
                return True
            except OSError as error:
                if pause == _FIRST_PAUSE_SECONDS or closing:
                    _log.error("the lake takes no impressions", reason=str(error), tiles=shown.num_rows)
                if closing:
                    return False
            with self._changed:
                self._changed.wait_for(lambda: self._closing, pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _drop(self, tiles: int) -> None:
        self._observer.impressions_dropped(tiles)
        if not self._dropping:
            self._dropping = True
            _log.error("impressions dropped: the lake takes them too slowly, or not at all", tiles=tiles)


def _sampled_rows(page: ShownPage) -> int:
    return 0 if page.ranker_input is None else len(page.ranker_input)
