"""The conflict sweep, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from experiments.definitions import Status
from experiments.errors import DamagedExperimentError
from experiments.store import ExperimentStore

if TYPE_CHECKING:
    from tests.experiments.conftest import Define, Edit

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
Open = Callable[[], ExperimentStore]


def test_the_sweep_pauses_the_later_of_two_that_overlap_and_names_the_other(
    store: ExperimentStore, edit: Edit, define: Define
) -> None:
    for hours, name in enumerate(("first", "second", "third")):
        store.create(define(name), NOW)
        store.change_status(name, Status.RUNNING, NOW + timedelta(hours=hours))
    edit("first", first_bucket=350)  # second: 300 to 599, third: 600 to 899
    before = store.revision()
    alerts = store.sweep(LATER)
    assert [(alert.experiment, alert.at) for alert in alerts] == [("second", LATER), ("third", LATER)]
    assert "'first', which started earlier, owns buckets 350 to 599 of the layer ranker" in alerts[0].message
    assert "owns buckets 600 to 649" in alerts[1].message
    assert [e.name for e in store.running()] == ["first"]
    assert store.get("second").reason == alerts[0].message
    assert store.alerts() == alerts
    assert store.alerts("third") == alerts[1:]
    assert store.revision() > before
    assert store.sweep(LATER) == []


def test_one_that_the_sweep_paused_is_in_nobodys_way(
    store: ExperimentStore, edit: Edit, define: Define
) -> None:
    """b overlaps a and is paused for it; c overlaps only b and stays."""
    for hours, name in enumerate("abc"):
        store.create(define(name), NOW)
        store.change_status(name, Status.RUNNING, NOW + timedelta(hours=hours))
    edit("b", first_bucket=299)
    edit("c", first_bucket=590)
    assert [alert.experiment for alert in store.sweep(LATER)] == ["b"]
    assert [e.name for e in store.running()] == ["a", "c"]


def test_several_that_sweep_at_once_raise_one_alert(open_store: Open, edit: Edit, define: Define) -> None:
    stores = [open_store() for _ in range(4)]
    for name in ("a", "b"):
        stores[0].create(define(name), NOW)
        stores[0].change_status(name, Status.RUNNING, NOW)
    edit("b", first_bucket=0)
    together = Barrier(4)

    def sweep(store: ExperimentStore) -> int:
        together.wait()
        return len(store.sweep(LATER))

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(sweep, stores)) == [0, 0, 0, 1]
    assert len(stores[0].alerts()) == 1


@pytest.mark.parametrize("broken", ["no JSON", "{}", '{"name": "b", "layer": "moon"}'])
def test_a_damaged_row_is_named_and_leaves_the_others_alone(
    store: ExperimentStore, edit: Edit, define: Define, broken: str
) -> None:
    for name in ("a", "b"):
        store.create(define(name), NOW)
        store.change_status(name, Status.RUNNING, NOW)
    edit("b", definition=broken)
    for read in (store.all, store.running, lambda: store.get("b")):
        with pytest.raises(DamagedExperimentError, match="experiment 'b' in the store is not valid"):
            read()
    alerts = store.sweep(LATER)
    assert [alert.experiment for alert in alerts] == ["b"]
    assert [e.name for e in store.running()] == ["a"]
    assert store.get("a").status is Status.RUNNING


def test_a_row_not_named_as_its_definition_is_damaged(
    store: ExperimentStore, edit: Edit, define: Define
) -> None:
    store.create(define("a"), NOW)
    edit("a", definition=define("b").model_dump_json())
    with pytest.raises(DamagedExperimentError, match="definition is of 'b'"):
        store.get("a")
