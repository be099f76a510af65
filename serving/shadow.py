"""Shadow traffic: a share of the pages is made once more from the challenger, off the request path.

A request leaves its page in a bounded queue after it was answered, if it is drawn and the server has time;
one thread makes the page again from the challenger's state and keeps how the two agree. Nobody sees that
page, and nothing is remembered, logged as shown or counted of it.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Condition, Thread
from typing import Final, Protocol

import structlog

from serving.clock import Clock
from serving.homepage import HomepageMaker, MadePage
from serving.members import FeatureReader
from serving.metrics import Metrics, Unobserved
from serving.served_experiments import ServedExperiments
from serving.settings import ServingSettings
from serving.shadow_comparison import ShadowRecord, compare, failed, milliseconds
from serving.state import ServingState

SHADOW: Final = "shadow"
_LOOK_SECONDS: Final = 5.0
_REST: Final = 2.0
"""How many times as long as a page took the thread rests after it: requests come first."""

_log = structlog.get_logger(__name__)


class ChallengerStates(Protocol):
    """Where the challenger is held; ``serving.bundles.StateKeeper`` is one."""

    def aliases(self) -> Mapping[str, str]:
        """Return the aliases that are set."""

    def hold(self, version: str, wanted_by: str) -> None:
        """Hold a bundle; raises ``ValueError`` with its reason where it cannot serve."""

    def release(self, but: tuple[str, ...], wanted_by: str) -> None:
        """Let go of all bundles but these."""

    def is_refused(self, version: str) -> bool:
        """Say whether a bundle was refused since it was last activated."""

    def state_of(self, version: str) -> ServingState:
        """Return the state of a bundle that is held; raises ``LookupError`` for another."""


@dataclass(frozen=True, slots=True)
class _Seeds:
    """The seeds that rested when the page was made; nothing is added to them."""

    resting_seeds: frozenset[str]

    def resting(self, user_id: str) -> frozenset[str]:  # noqa: ARG002  (of the page's own member)
        return self.resting_seeds

    def remember(self, user_id: str, seeds: object) -> None:
        """Nothing is remembered of a page that nobody sees."""


class ShadowTraffic:
    """Makes pages from the challenger. Start it after the fork: its thread lives where it is started.

    ``keep`` takes the records. :meth:`work_off` does what the thread does, for whoever has none.
    """

    def __init__(
        self,
        states: ChallengerStates,
        reader: FeatureReader,
        metrics: Metrics,
        clock: Clock,
        settings: ServingSettings,
        keep: Callable[[ShadowRecord], object],
    ) -> None:
        self._states, self._reader, self._metrics = states, reader, metrics
        self._clock, self._settings, self._keep = clock, settings, keep
        self._changed = Condition()
        self._waiting: deque[MadePage] = deque()
        self._closing = False
        self._challenger: str | None = None
        self._refused: str | None = None
        self._looked_at = float("-inf")
        self._thread: Thread | None = None

    @property
    def challenger(self) -> str | None:
        """The version that pages are made from at the moment."""
        return self._challenger

    @property
    def waiting(self) -> int:
        """How many pages wait."""
        return len(self._waiting)

    def offer(self, made: MadePage) -> bool:
        """Take in a page that was answered, if it is drawn and there is room; never waits for more than a
        moment, and does no work.
        """
        shadow, challenger = self._settings.shadow, self._challenger
        page = made.homepage
        if challenger is None or page.bundle == challenger or not drawn(page.page_id, shadow.share):
            return False
        if milliseconds(made) > shadow.request_budget_ms:
            self._metrics.shadow_page("shed_server_busy")
            return False
        with self._changed:
            taken = not self._closing and len(self._waiting) < shadow.queue_pages
            if taken:
                self._waiting.append(made)
                self._changed.notify_all()
        if not taken:
            self._metrics.shadow_page("shed_queue_full")
        return taken

    def start(self) -> None:
        """Work in the background from now on."""
        self._thread = Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the background work; pages that wait are given up."""
        with self._changed:
            self._closing = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Follow the alias: hold the challenger, let go of the one before. Never raises."""
        try:
            aliases = self._states.aliases()
            version = aliases.get("challenger")
            if version == aliases.get("champion"):
                version = None
            refused = version is not None and version == self._refused and self._states.is_refused(version)
            if version == self._challenger or (refused and self._challenger is None):
                return
            self._challenger = None
            self._states.release((), SHADOW)
            if version is not None:
                self._states.hold(version, SHADOW)
            self._challenger, self._refused = version, None
        except ValueError as error:
            self._refused = version  # the states have recorded why
            _log.error("the challenger cannot be compared", version=version, reason=str(error))
        except Exception:  # the feature store, most likely; at the next look again
            _log.exception("the challenger cannot be held; trying again")

    def work_off(self) -> int:
        """Compare the pages that wait, in this thread; return how many there were."""
        done = 0
        while self._waiting:
            self._compare(self._waiting.popleft())
            done += 1
        return done

    def _work(self) -> None:
        while not self._closing:
            if time.monotonic() - self._looked_at >= _LOOK_SECONDS:
                self.look()
                self._looked_at = time.monotonic()
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._waiting, _LOOK_SECONDS)
                made = self._waiting.popleft() if self._waiting else None
            if made is not None:
                begin = time.monotonic()
                self._compare(made)
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, _REST * (time.monotonic() - begin))

    def _compare(self, made: MadePage) -> None:
        version = self._challenger
        if version is None:
            return
        begin = time.perf_counter()
        try:
            record = compare(made, self._again(made, self._states.state_of(version)), self._clock())
        except Exception as error:  # whatever the challenger is made of must not end the thread
            _log.exception("the challenger made no page", version=version)
            record = failed(made, version, error, self._clock())
        seconds = time.perf_counter() - begin
        if record.error is None and record.overlap is not None:
            self._metrics.shadow_compared(seconds, record.overlap, record.correlation)
        self._metrics.shadow_page("compared" if record.error is None else "failed")
        self._keep(record)

    def _again(self, made: MadePage, state: ServingState) -> MadePage:
        """Make the same page from another state: the same draws, seeds, generators and rules."""
        plan, query = made.plan, made.query
        settings = self._settings.model_copy(update={"page": plan.rules})
        served = ServedExperiments(settings, plan.generators)
        maker = HomepageMaker(
            self._reader, Unobserved(), lambda: made.homepage.page_id, settings,
            _Seeds(query.member.resting_seeds), lambda: served,
        )  # fmt: skip
        return maker.make(state, replace(query.request, arms=()))


def drawn(page_id: str, share: float) -> bool:
    """Say whether a page is among the ``share`` (0 to 1) of pages; by a hash of its id, always the same."""
    number = int.from_bytes(hashlib.sha256(f"shadow:{page_id}".encode()).digest()[:8])
    return number < share * 2**64
