"""Decisions carried out against real aliases of bundles, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from experiments.definitions import Status
from experiments.errors import ExperimentError, TransitionError, UnknownExperimentError
from experiments.promotion import carry_out
from experiments.records import DecisionRecord
from experiments.starting import start_experiment
from experiments.store import ExperimentStore
from tests.experiments.promoting_home import LATER, NEW, NOW, OLD, THIRD, Home
from training.bundle import BundleError

if TYPE_CHECKING:
    pass


def test_a_promoted_ranker_is_champion_and_its_evidence_is_on_record(home: Home) -> None:
    home.run()
    record = home.decide("promote", "new")
    assert home.champion == NEW
    ended = home.store.get("one")
    assert (ended.status, ended.reason, ended.ended_at) == (Status.PROMOTED, "plays +3 %", LATER)
    expected = {
        "experiment": "one", "decided_at": "2026-11-16T12:00:00Z", "action": "promote", "arm": "new",
        "reason": "plays +3 %", "evidence": {"lift": 0.03}, "champion_before": OLD, "champion_after": NEW,
        "decided_by": "rule",
    }  # fmt: skip
    assert home.files == {"one-20261116T120000.000000Z.json": expected}
    assert home.store.decisions("one") == [record]
    assert record.model_dump(mode="json") == expected


def test_an_arm_may_name_a_version(home: Home) -> None:
    arms = [
        {"name": "control", "share": 400},
        {"name": "new", "share": 300, "treatment": {"bundle": "challenger"}},
        {"name": "third", "share": 300, "treatment": {"bundle": THIRD}},
    ]
    home.run(arms=arms)
    assert home.decide("promote", "third").champion_after == THIRD
    assert home.champion == THIRD


@pytest.mark.parametrize("layer", ["candidate", "post_filter", "ui"])
def test_other_layers_leave_the_champion(home: Home, layer: str) -> None:
    home.run(layer=layer)
    record = home.decide("promote", "new")
    assert (record.champion_before, record.champion_after) == (None, None)
    assert home.champion == OLD
    assert home.status() is Status.PROMOTED
    assert len(home.files) == 1


def test_a_hold_is_a_record_and_nothing_else(home: Home) -> None:
    home.run()
    before = home.store.get("one")
    records = [home.decide("hold", now=LATER + timedelta(days=day), reason="too early") for day in range(2)]
    assert home.store.get("one") == before
    assert home.champion == OLD
    assert home.store.decisions("one") == records
    assert len(home.files) == 2


@pytest.mark.parametrize("status", ["draft", "running", "paused"])
def test_a_rollback_ends_it_for_control(home: Home, status: str) -> None:
    home.store.create(home.define(), NOW)
    for step in {"draft": [], "running": ["running"], "paused": ["running", "paused"]}[status]:
        home.store.change_status("one", Status(step), NOW)
    record = home.decide("roll_back", "new", reason="retention -2 %")
    assert home.status() is Status.ROLLED_BACK
    assert home.store.get("one").reason == "retention -2 %"
    assert home.champion == OLD
    assert (record.champion_before, record.champion_after) == (None, None)
    assert len(home.files) == len(home.store.decisions("one")) == 1


def test_a_promotion_is_taken_back(home: Home) -> None:
    home.run()
    home.decide("promote", "new")
    back = home.decide("roll_back", now=LATER + timedelta(days=1), decided_by="operator")
    assert home.champion == OLD
    assert home.aliases.earlier_champions() == []  # a rollback of bundles does not bring it back
    assert home.status() is Status.ROLLED_BACK
    assert home.store.get("one").ended_at == LATER  # its arms were dealt until then
    assert (back.champion_before, back.champion_after) == (NEW, OLD)
    assert len(home.files) == 2


def test_a_bundle_that_became_champion_since_stays(home: Home) -> None:
    home.run()
    home.decide("promote", "new")
    home.aliases.set("champion", THIRD)
    back = home.decide("roll_back", now=LATER + timedelta(days=1))
    assert home.champion == THIRD
    assert home.status() is Status.ROLLED_BACK
    assert (back.champion_before, back.champion_after) == (None, None)


def test_what_was_champion_already_is_not_taken_from_service_by_a_rollback(home: Home) -> None:
    home.run()
    home.aliases.set("champion", NEW)
    home.decide("promote", "new")
    home.decide("roll_back", now=LATER + timedelta(days=1))
    assert home.champion == NEW


def test_the_same_decision_twice_is_the_same_decision(home: Home) -> None:
    home.run()
    for action, arm in (("hold", None), ("promote", "new"), ("roll_back", None)):
        first = home.decide(action, arm)
        champion, files = home.champion, home.files
        assert home.decide(action, arm) == first
        if action != "hold":  # a hold on another day is another decision
            assert home.decide(action, arm, now=LATER + timedelta(days=2), reason="again") == first
        assert (home.champion, home.files) == (champion, files)
    assert [r.action for r in home.store.decisions("one")] == ["hold", "promote", "roll_back"]


def test_decisions_of_one_instant_have_a_file_each(home: Home) -> None:
    home.run()
    home.decide("hold")
    assert home.decide("promote", "new").decided_at == LATER + timedelta(microseconds=1)
    assert [of["action"] for of in home.files.values()] == ["hold", "promote"]


def test_what_cannot_be_decided_changes_nothing(home: Home) -> None:
    home.run()
    home.store.create(home.define("draft"), NOW)
    home.run("ended", "ui")
    home.decide("roll_back", name="ended")
    refusals: list[tuple[type[Exception], str, tuple[Any, ...]]] = [
        (ExperimentError, "has no arm 'old': control, new", ("promote", "old")),
        (ExperimentError, "which arm", ("promote", None)),
        (
            ExperimentError,
            "changes nothing: roll the experiment back, or promote one of new",
            ("promote", "control"),
        ),
        (
            TransitionError,
            "'draft' is draft: to promote it, it must be running or paused",
            ("promote", "new", "draft"),
        ),
        (TransitionError, "is draft", ("hold", None, "draft")),
        (TransitionError, "is rolled_back", ("promote", "new", "ended")),
        (UnknownExperimentError, "no experiment 'two'", ("hold", None, "two")),
    ]
    before = (home.champion, home.files, home.store.all())
    for error, told, arguments in refusals:
        with pytest.raises(error, match=told):
            home.decide(*arguments)
    assert (home.champion, home.files, home.store.all()) == before
    assert home.store.decisions("one") == []


def test_a_bundle_that_is_gone_is_not_promoted_and_leaves_no_record(home: Home) -> None:
    arms = [{"name": "control", "share": 500},
            {"name": "new", "share": 500, "treatment": {"bundle": "20250101T000000Z-00000000"}}]  # fmt: skip
    home.run(arms=arms)
    with pytest.raises(BundleError, match="no bundle 20250101T000000Z-00000000"):
        home.decide("promote", "new")
    assert (home.champion, home.status(), home.files) == (OLD, Status.RUNNING, {})
    assert home.store.decisions("one") == []


def test_the_bundle_that_was_tried_is_promoted_whatever_is_challenger_by_then(home: Home) -> None:
    home.run()
    assert home.store.get("one").definition.arm("new").treatment.bundle == NEW
    home.aliases.set("challenger", THIRD)
    home.store.change_status("one", Status.PAUSED, LATER)
    start_experiment(home.store, home.aliases, "one", LATER)
    assert home.decide("promote", "new").champion_after == NEW
    assert home.champion == NEW


def test_without_a_challenger_there_is_nothing_to_start(home: Home) -> None:
    (home.bundles / "aliases.json").write_text(json.dumps({"champion": OLD}))
    with pytest.raises(ExperimentError, match="no bundle is called challenger"):
        home.run()
    assert home.status() is Status.DRAFT


def test_an_alias_that_was_never_made_a_version_is_not_promoted(home: Home) -> None:
    home.store.create(home.define(), NOW)
    home.store.change_status("one", Status.RUNNING, NOW)
    with pytest.raises(ExperimentError, match="which versions members saw"):
        home.decide("promote", "new")
    assert (home.champion, home.status(), home.files) == (OLD, Status.RUNNING, {})


def test_of_two_arms_promoted_at_once_one_wins(home: Home, open_store: Callable[[], ExperimentStore]) -> None:
    arms = [{"name": "control", "share": 400}, {"name": "a", "share": 300, "treatment": {"bundle": NEW}},
            {"name": "b", "share": 300, "treatment": {"bundle": THIRD}}]  # fmt: skip
    home.run(arms=arms)
    other, together = open_store(), Barrier(2)

    def promote(store: ExperimentStore, arm: str) -> str:
        together.wait()
        try:
            carry_out(
                store, home.aliases, home.decisions, "one", "promote", arm, "won", {}, LATER, "operator"
            )
        except TransitionError:
            return "refused"
        return arm

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(promote, (home.store, other), ("a", "b")))
    assert sorted(answers)[1:] == ["refused"]
    winner = sorted(answers)[0]
    assert home.champion == {"a": NEW, "b": THIRD}[winner]
    assert [record.arm for record in home.store.decisions("one")] == [winner]
    assert [of["arm"] for of in home.files.values()] == [winner]


def test_the_same_decision_at_once_is_taken_once(
    home: Home, open_store: Callable[[], ExperimentStore]
) -> None:
    home.run()
    stores, together = [open_store() for _ in range(3)], Barrier(3)

    def promote(store: ExperimentStore) -> DecisionRecord:
        together.wait()
        return carry_out(
            store, home.aliases, home.decisions, "one", "promote", "new", "won", {}, LATER, "rule"
        )

    with ThreadPoolExecutor(3) as pool:
        records = list(pool.map(promote, stores))
    assert records == [records[0]] * 3
    assert home.store.decisions("one") == records[:1]
    assert len(home.files) == 1
