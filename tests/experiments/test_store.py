"""One contract, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from experiments.definitions import Experiment, Status
from experiments.errors import (
    ExperimentConflictError,
    ExperimentExistsError,
    HoldoutError,
    StoreUnavailableError,
    TransitionError,
    UnknownExperimentError,
)
from experiments.records import Alert, ClockReading, DecisionRecord
from experiments.store import ExperimentStore

if TYPE_CHECKING:
    from tests.experiments.conftest import Define, Edit

NOW = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
Open = Callable[[], ExperimentStore]


def test_what_was_created_is_read_back_by_another_store(
    store: ExperimentStore, open_store: Open, define: Define
) -> None:
    definition = define(hypothesis="다양성", eligibility={"countries": ["KR"]}, rule={"minimum_lift": 0.02})
    created = store.create(definition, NOW)
    assert created == Experiment(definition=definition, first_bucket=0, created_at=NOW)
    assert open_store().get("one") == created
    assert open_store().all() == [created]


def test_instants_come_back_in_utc_to_the_microsecond(store: ExperimentStore, define: Define) -> None:
    seoul = timezone(timedelta(hours=9))
    store.create(define(), NOW.astimezone(seoul))
    found = store.change_status("one", Status.RUNNING, LATER.astimezone(seoul))
    assert (found.created_at, found.started_at) == (NOW, LATER)
    assert found.created_at.tzinfo is UTC


def test_an_instant_without_a_time_zone_is_refused(store: ExperimentStore, define: Define) -> None:
    with pytest.raises(ValueError, match="timezone"):
        store.create(define(), NOW.replace(tzinfo=None))
    assert store.all() == []


def test_without_a_wish_the_first_gap_that_fits_is_given(store: ExperimentStore, define: Define) -> None:
    store.create(define("a", traffic=100, first_bucket=50), NOW)
    store.create(define("b", traffic=200, first_bucket=200), NOW)
    assert store.create(define("c", traffic=60), NOW).buckets == range(400, 460)
    assert store.create(define("d", traffic=50), NOW).buckets == range(0, 50)
    assert store.create(define("e", traffic=50), NOW).buckets == range(150, 200)


def test_layers_do_not_get_in_each_others_way(store: ExperimentStore, define: Define) -> None:
    store.create(define("a", "ranker", 1000), NOW)
    assert store.create(define("b", "ui", 1000), NOW).buckets == range(1000)
    assert [e.name for e in store.all("ui")] == ["b"]


def test_an_overlap_is_refused_and_each_in_the_way_is_named_with_its_buckets(
    store: ExperimentStore, define: Define
) -> None:
    store.create(define("a", traffic=100, first_bucket=0), NOW)
    store.create(define("b", traffic=100, first_bucket=100), NOW)
    store.create(define("c", traffic=100, first_bucket=700), NOW)
    with pytest.raises(ExperimentConflictError) as refused:
        store.create(define("d", traffic=100, first_bucket=50), NOW)
    told = str(refused.value)
    assert "'d' asks for buckets 50 to 149" in told
    assert "'a' (draft) owns 0 to 99 and 'b' (draft) owns 100 to 199" in told
    assert "'c'" not in told
    assert "free are 200 to 699 and 800 to 999" in told
    assert [e.name for e in store.all()] == ["a", "b", "c"]


def test_buckets_that_touch_do_not_overlap(store: ExperimentStore, define: Define) -> None:
    store.create(define("a", traffic=100, first_bucket=100), NOW)
    store.create(define("b", traffic=100, first_bucket=0), NOW)
    assert store.create(define("c", traffic=800, first_bucket=200), NOW).buckets.stop == 1000
    with pytest.raises(ExperimentConflictError, match="no bucket is free, roll back one of them"):
        store.create(define("d", traffic=2), NOW)


def test_more_than_all_of_a_layer_is_refused(store: ExperimentStore, define: Define) -> None:
    store.create(define("a", traffic=600), NOW)
    with pytest.raises(
        ExperimentConflictError, match=r"to 1001, over 1000 \(100 %\).*'a' \(draft\) owns 0 to 599"
    ):
        store.create(define("b", traffic=401), NOW)
    assert store.create(define("c", traffic=400), NOW).buckets == range(600, 1000)


def test_traffic_that_fits_in_no_gap_is_told_the_widest(store: ExperimentStore, define: Define) -> None:
    store.create(define("a", traffic=200, first_bucket=400), NOW)
    with pytest.raises(ExperimentConflictError, match=r"fits in no gap.*lower traffic to 400 or less"):
        store.create(define("b", traffic=500), NOW)


def test_ended_experiments_leave_their_buckets_not_their_name(store: ExperimentStore, define: Define) -> None:
    store.create(define("a-1", traffic=1000), NOW)
    store.change_status("a-1", Status.ROLLED_BACK, NOW, "withdrawn")
    with pytest.raises(ExperimentExistsError, match=r"'a-1' already.*'a-2'"):
        store.create(define("a-1", traffic=10), NOW)
    assert store.create(define("a-2", traffic=1000), NOW).buckets == range(1000)


def test_an_unknown_name_is_answered_with_close_ones(store: ExperimentStore, define: Define) -> None:
    store.create(define("larger-tiles"), NOW)
    with pytest.raises(UnknownExperimentError, match="'larger-tile': did you mean 'larger-tiles'"):
        store.get("larger-tile")
    with pytest.raises(UnknownExperimentError, match="list"):
        store.change_status("quite-different", Status.RUNNING, NOW)


ALLOWED = {
    ("draft", "running"), ("draft", "rolled_back"),
    ("running", "paused"), ("running", "promoted"), ("running", "rolled_back"),
    ("paused", "running"), ("paused", "promoted"), ("paused", "rolled_back"),
}  # fmt: skip
WAY = {"draft": [], "running": ["running"], "paused": ["running", "paused"],
       "promoted": ["running", "promoted"], "rolled_back": ["rolled_back"]}  # fmt: skip


def test_an_experiment_goes_only_where_its_life_leads(store: ExperimentStore, define: Define) -> None:
    for origin, way in WAY.items():
        for target in Status:
            name = f"{origin}-{target}".replace("_", "-")
            store.create(define(name, traffic=2), NOW)
            for status in way:
                store.change_status(name, Status(status), NOW)
            before = store.get(name)
            if (origin, target.value) in ALLOWED:
                assert store.change_status(name, target, LATER, "because").status is target
                assert store.get(name).reason == "because"
            else:
                allowed = [to for begin, to in sorted(ALLOWED) if begin == origin]
                with pytest.raises(TransitionError) as refused:
                    store.change_status(name, target, LATER)
                assert all(to in str(refused.value) for to in allowed)
                assert store.get(name) == before


def test_a_pause_keeps_the_start_and_an_end_has_its_instant(store: ExperimentStore, define: Define) -> None:
    store.create(define(), NOW)
    hours = [NOW + timedelta(hours=number) for number in range(5)]
    store.change_status("one", Status.RUNNING, hours[1])
    assert store.change_status("one", Status.PAUSED, hours[2]).ended_at is None
    store.change_status("one", Status.RUNNING, hours[3])
    ended = store.change_status("one", Status.ROLLED_BACK, hours[4])
    assert (ended.created_at, ended.started_at, ended.ended_at) == (hours[0], hours[1], hours[4])


def test_starting_again_looks_for_overlaps_again(store: ExperimentStore, edit: Edit, define: Define) -> None:
    for name in ("a", "b"):
        store.create(define(name), NOW)
        store.change_status(name, Status.RUNNING, NOW)
    store.change_status("b", Status.PAUSED, NOW)
    edit("b", first_bucket=299)
    with pytest.raises(
        ExperimentConflictError, match=r"'b' cannot run.*'a' \(running\) owns 0 to 299.*roll back 'a'"
    ):
        store.change_status("b", Status.RUNNING, NOW)
    assert store.get("b").status is Status.PAUSED
    edit("b", first_bucket=300)
    assert store.change_status("b", Status.RUNNING, NOW).status is Status.RUNNING


def test_of_two_creators_at_once_exactly_one_gets_the_buckets(open_store: Open, define: Define) -> None:
    stores = [open_store() for _ in range(4)]
    for turn in range(5):
        together = Barrier(len(stores))

        def create(number: int, turn: int = turn, together: Barrier = together) -> str:
            together.wait()
            try:
                name = f"turn{turn}-{number}"
                return (
                    stores[number]
                    .create(define(name, traffic=101, first_bucket=turn * 150 + number), NOW)
                    .name
                )
            except ExperimentConflictError as error:
                return str(error)

        with ThreadPoolExecutor(len(stores)) as pool:
            answers = list(pool.map(create, range(len(stores))))
        winners = [answer for answer in answers if " " not in answer]
        assert len(winners) == 1
        assert all(f"'{winners[0]}' (draft) owns" in answer for answer in answers if answer not in winners)
    assert len(stores[0].all()) == 5


def test_of_two_stores_that_open_a_new_database_at_once_both_do(open_store: Open) -> None:
    together = Barrier(4)

    def open_one(_: int) -> int:
        together.wait()
        return open_store().holdout()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(open_one, range(4))) == [50] * 4


def test_one_store_serves_several_threads(store: ExperimentStore, define: Define) -> None:
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda n: store.create(define(f"e{n}", traffic=50), NOW), range(16)))
    assert sorted(e.first_bucket for e in created) == list(range(0, 800, 50))
    assert store.revision() == 16


def test_the_holdout_is_5_percent_and_can_be_up_to_10_or_none(
    store: ExperimentStore, open_store: Open
) -> None:
    assert store.holdout() == 50
    for thousandths in (100, 50, 0):
        store.set_holdout(thousandths)
        assert open_store().holdout() == thousandths
    for thousandths in (-1, 1, 49, 101, 1000):
        with pytest.raises(HoldoutError, match=f"{thousandths} thousandths: use 50 to 100, or 0"):
            store.set_holdout(thousandths)


@pytest.mark.parametrize("standing", [["running"], ["running", "paused"]])
def test_the_holdout_stays_while_members_are_dealt(
    store: ExperimentStore, define: Define, standing: list[str]
) -> None:
    store.create(define(), NOW)
    for status in standing:
        store.change_status("one", Status(status), NOW)
    with pytest.raises(HoldoutError, match="'one'"):
        store.set_holdout(100)
    store.set_holdout(50)  # what it is already deals nobody anew
    assert store.holdout() == 50
    store.change_status("one", Status.ROLLED_BACK, NOW)
    store.set_holdout(100)
    assert store.holdout() == 100


def test_the_revision_rises_with_every_change_and_only_then(store: ExperimentStore, define: Define) -> None:
    seen = [store.revision()]

    def risen() -> bool:
        seen.append(store.revision())
        return seen[-1] > seen[-2]

    store.create(define(), NOW)
    assert risen()
    store.set_holdout(60)
    assert risen()
    store.change_status("one", Status.RUNNING, NOW)
    assert risen()
    with pytest.raises(TransitionError):
        store.change_status("one", Status.RUNNING, NOW)
    with pytest.raises(ExperimentConflictError):
        store.create(define("two", first_bucket=0), NOW)
    store.set_holdout(60)
    store.sweep(NOW)
    store.all()
    assert not risen()
    # A server that raises an alert must not make all others read anew.
    store.alert("one", "cannot be applied", NOW)
    assert not risen()


def test_an_alert_is_kept_once_an_hour(store: ExperimentStore, open_store: Open, define: Define) -> None:
    store.create(define(), NOW)
    first = store.alert("one", "no challenger is set", NOW)
    assert first == Alert(experiment="one", at=NOW, message="no challenger is set")
    assert open_store().alert("one", "no challenger is set", NOW + timedelta(minutes=59)) == first
    other = store.alert("one", "another", NOW)
    again = store.alert("one", "no challenger is set", NOW + timedelta(minutes=61))
    assert store.alerts("one") == [first, other, again]
    with pytest.raises(UnknownExperimentError):
        store.alert("two", "message", NOW)


def decided(**changes: object) -> DecisionRecord:
    record = {
        "experiment": "one", "decided_at": NOW, "action": "hold", "reason": "too early", "decided_by": "rule",
        "evidence": {"lift": 0.01, "interval": [-0.1, 0.12], "by_day": {"1": None}, "name": "한국"},
    }  # fmt: skip
    return DecisionRecord.model_validate(record | changes)


def test_decisions_are_kept_in_order_and_once(
    store: ExperimentStore, open_store: Open, define: Define
) -> None:
    store.create(define(), NOW)
    later, earlier = decided(decided_at=LATER, action="promote", arm="new"), decided()
    for record in (later, earlier, earlier):
        assert store.record(record) == record
    assert open_store().decisions("one") == [earlier, later]
    assert store.decisions("two") == []
    with pytest.raises(UnknownExperimentError):
        store.record(decided(experiment="two"))


def test_two_decisions_of_one_instant_are_kept_apart(store: ExperimentStore, define: Define) -> None:
    store.create(define(), NOW)
    for _ in range(2):
        store.record(decided())
        store.record(decided(reason="look again"))
    kept = store.decisions("one")
    assert [record.reason for record in kept] == ["too early", "look again"]
    assert kept[1].decided_at - kept[0].decided_at == timedelta(microseconds=1)


def test_what_failed_within_a_decision_leaves_nothing(store: ExperimentStore, define: Define) -> None:
    store.create(define(), NOW)
    before = (store.get("one"), store.revision())

    def fail() -> None:
        with store.deciding("one") as deciding:
            deciding.settle(decided(action="roll_back"), Status.ROLLED_BACK)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (store.get("one"), store.revision()) == before
    assert store.decisions("one") == []


def test_a_database_that_is_gone_is_named(url: str, define: Define) -> None:
    store = ExperimentStore.open(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in ("experiment_alerts", "experiment_decisions", "experiments"):
            connection.execute(text(f"DROP TABLE {table}"))
    engine.dispose()
    with pytest.raises(StoreUnavailableError, match=r"experiment store .*experiments"):
        store.create(define(), NOW)
    store.close()


def test_the_clock_left_last_is_kept(store: ExperimentStore) -> None:
    assert store.clock() is None
    seoul = timezone(timedelta(hours=9))
    for hours in (0, 1):
        reading = ClockReading(service=NOW + timedelta(hours=hours), wall=LATER.astimezone(seoul))
        store.keep_clock(reading)
        assert store.clock() == reading
