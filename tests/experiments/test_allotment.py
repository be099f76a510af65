"""Whatever is asked for in whatever order, no member is ever in two experiments of a layer."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import create_engine, update

from experiments.allotment import free_ranges
from experiments.assignment import Assigner, bucket, layer_salt
from experiments.definitions import Experiment, ExperimentDefinition, MemberTraits, Status
from experiments.errors import ExperimentConflictError, TransitionError
from experiments.store import ExperimentStore
from experiments.tables import EXPERIMENTS

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MEMBERS: Final = [f"m{number}" for number in range(60)]
LAYERS: Final = ("ranker", "ui")


def definition(name: str, layer: str, traffic: int, first_bucket: int | None) -> ExperimentDefinition:
    arms = [{"name": "a", "share": 500}, {"name": "b", "share": 500}]
    asked = {"name": name, "layer": layer, "arms": arms, "traffic": traffic, "first_bucket": first_bucket}
    return ExperimentDefinition.model_validate(asked)


def experiment(first: int, traffic: int) -> Experiment:
    return Experiment(
        definition=definition(f"e{first}", "ui", traffic, first), first_bucket=first, created_at=NOW
    )


def test_what_is_free_lies_between_the_owners() -> None:
    assert free_ranges([]) == [range(1000)]
    assert free_ranges([experiment(900, 100), experiment(0, 50)]) == [range(50, 900)]
    assert free_ranges([experiment(10, 20), experiment(30, 10)]) == [range(10), range(40, 1000)]
    assert free_ranges([experiment(0, 1000)]) == []
    # Rows put in by hand may lie within each other.
    assert free_ranges([experiment(10, 500), experiment(100, 20)]) == [range(10), range(510, 1000)]


class Life(RuleBasedStateMachine):
    """Creates, starts, pauses, rolls back, moves rows by hand and sweeps, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._url = f"sqlite:///{Path(self._folder.name) / 'experiments.db'}"
        self.store = ExperimentStore.open(self._url)
        self._count = 0
        self._by_hand: set[str] = set()

    def teardown(self) -> None:
        self.store.close()
        self._folder.cleanup()

    def _now(self) -> datetime:
        self._count += 1
        return NOW + timedelta(hours=self._count)

    def _one(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from([e.name for e in self.store.all()]))

    def _attempt(self, call: Any, *arguments: Any) -> bool:
        """Do it and say whether it was done; a refusal must have changed nothing."""
        before = (self.store.all(), self.store.revision())
        try:
            call(*arguments)
        except (ExperimentConflictError, TransitionError):
            assert (self.store.all(), self.store.revision()) == before
            return False
        assert self.store.revision() == before[1] + 1
        return True

    @rule(
        layer=st.sampled_from(LAYERS), traffic=st.integers(100, 500),
        first=st.none() | st.integers(0, 900), start=st.booleans(),
    )  # fmt: skip
    def create(self, layer: str, traffic: int, first: int | None, start: bool) -> None:
        now = self._now()
        name = f"e{self._count}"
        asked = definition(name, layer, traffic if first is None else min(traffic, 1000 - first), first)
        created = self._attempt(self.store.create, asked, now)
        if created and start:
            self._attempt(self.store.change_status, name, Status.RUNNING, now)

    @precondition(lambda self: self.store.names())
    @rule(data=st.data(), status=st.sampled_from([Status.RUNNING, Status.PAUSED, Status.ROLLED_BACK]))
    def change(self, data: st.DataObject, status: Status) -> None:
        self._attempt(self.store.change_status, self._one(data), status, self._now())

    @precondition(lambda self: self.store.names())
    @rule(data=st.data(), first=st.integers(0, 900))
    def move_by_hand_and_sweep(self, data: st.DataObject, first: int) -> None:
        name = self._one(data)
        first = min(first, 1000 - self.store.get(name).definition.traffic)
        engine = create_engine(self._url)
        with engine.begin() as connection:
            moved = update(EXPERIMENTS).where(EXPERIMENTS.c.name == name)
            connection.execute(moved.values(first_bucket=first))
        engine.dispose()
        self._by_hand.add(name)
        self.sweep()
        self._attempt(self.store.change_status, name, Status.RUNNING, self._now())

    @rule()
    def sweep_what_is_right(self) -> None:
        assert self.sweep() == set()

    def sweep(self) -> set[str]:
        running = {e.name for e in self.store.running()}
        paused = {alert.experiment for alert in self.store.sweep(self._now())}
        assert {e.name for e in self.store.running()} == running - paused
        return paused

    @invariant()
    def no_bucket_has_two_owners(self) -> None:
        """Nor, where rows were moved by hand, two that run."""
        for one, other in combinations(self.store.all(), 2):
            by_hand = {one.name, other.name} & self._by_hand
            run = one.status is other.status is Status.RUNNING
            own = one.status.owns_buckets and other.status.owns_buckets
            if one.definition.layer == other.definition.layer and (run if by_hand else own):
                assert not set(one.buckets) & set(other.buckets)

    @invariant()
    def no_member_is_in_two_experiments_of_a_layer(self) -> None:
        running = self.store.running()
        assigner = Assigner(running, holdout=50)
        for member in MEMBERS:
            inside = [e for e in running if bucket(member, layer_salt(e.definition.layer)) in e.buckets]
            layers = [e.definition.layer for e in inside]
            assert len(layers) == len(set(layers))
            dealt = assigner.assign(member, MemberTraits())
            assert dealt.held_out or {e.name for e, _ in dealt.arms.values()} == {e.name for e in inside}


Life.TestCase.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
TestLife = Life.TestCase
