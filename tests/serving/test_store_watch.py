from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
import structlog

from serving.store_watch import StoreWatch

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Store:
    """A store that answers, or says that it does not, or raises; and what the watch told of it."""

    def __init__(self) -> None:
        self.answers: bool | Exception = True
        self.newest: Mapping[str, datetime] | Exception = {"titles": NOON}
        self.told: list[bool] = []
        self.fresh: list[Mapping[str, datetime]] = []
        self.looked = Event()

    def healthy(self) -> bool:
        if isinstance(self.answers, Exception):
            raise self.answers
        return self.answers

    def newest_rows(self) -> Mapping[str, datetime]:
        if isinstance(self.newest, Exception):
            raise self.newest
        return self.newest

    def changed(self, answers: bool) -> None:
        self.told.append(answers)
        self.looked.set()

    def watch(self, every: timedelta = timedelta(hours=1)) -> StoreWatch:
        return StoreWatch(self.healthy, self.changed, self.newest_rows, self.fresh.append, every)


@pytest.fixture
def store() -> Store:
    return Store()


def test_every_look_tells_whether_the_store_answers_and_how_fresh_its_views_are(store: Store) -> None:
    watch = store.watch()
    assert watch.look()
    store.answers = False
    assert not watch.look()
    assert store.told == [True, False]
    assert store.fresh == [{"titles": NOON}]


def test_a_store_that_raises_does_not_answer(store: Store) -> None:
    store.answers = ConnectionError("away")
    assert not store.watch().look()
    assert (store.told, store.fresh) == ([False], [])


def test_a_store_that_goes_away_between_two_questions_leaves_the_freshness_as_it_was(store: Store) -> None:
    watch = store.watch()
    store.newest = ConnectionError("away")
    assert watch.look()
    assert (store.told, store.fresh) == ([True], [])


def test_only_a_change_is_logged(store: Store) -> None:
    watch = store.watch()
    with structlog.testing.capture_logs() as logs:
        for answers in (True, True, False, False, True):
            store.answers = answers
            watch.look()
    assert [(entry["answers"], entry["log_level"]) for entry in logs] == [
        (True, "info"), (False, "error"), (True, "info"),
    ]  # fmt: skip


def test_it_looks_at_its_start_and_again_in_the_background_until_it_is_stopped(store: Store) -> None:
    watch = store.watch(timedelta(milliseconds=5))
    watch.start()
    assert store.told
    store.looked.clear()
    assert store.looked.wait(60)
    watch.stop()
    looks = len(store.told)
    store.looked.clear()
    assert not store.looked.wait(0.05)
    assert len(store.told) == looks


def test_one_that_was_never_started_stops_at_once(store: Store) -> None:
    store.watch().stop()
    assert store.told == []
