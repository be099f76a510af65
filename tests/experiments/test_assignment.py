"""Which arm a member sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import chi2_contingency, chisquare

from experiments.assignment import Assigner, arm_of, bucket
from experiments.definitions import Experiment, ExperimentDefinition, MemberTraits, Status

NOW = datetime(2026, 11, 1, tzinfo=UTC)
VECTORS = json.loads((Path(__file__).parent / "assignment_vectors.json").read_text())
MEMBERS = [f"m{number:06d}" for number in range(20_000)]
NOBODY = MemberTraits()


def experiment(
    name: str = "one", layer: str = "ranker", traffic: int = 1000, first: int = 0,
    shares: tuple[int, ...] = (500, 500), status: Status = Status.RUNNING, **rest: Any,
) -> Experiment:  # fmt: skip
    arms = [{"name": f"arm{number}", "share": share} for number, share in enumerate(shares)]
    asked = {"name": name, "layer": layer, "arms": arms, "traffic": traffic, **rest}
    definition = ExperimentDefinition.model_validate(asked)
    return Experiment(definition=definition, first_bucket=first, status=status, created_at=NOW)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['salt']}:{v['user_id']}")
def test_the_published_vectors_hold(vector: dict[str, Any]) -> None:
    assert bucket(vector["user_id"], vector["salt"]) == vector["bucket"]


def test_another_process_with_another_hash_seed_deals_alike() -> None:
    code = "from experiments.assignment import bucket; print([bucket(str(n), 'layer/ui') for n in range(50)])"
    answers = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert answers == {f"{[bucket(str(n), 'layer/ui') for n in range(50)]}\n"}


def test_buckets_are_even() -> None:
    counts = Counter(bucket(member, "layer/ranker") for member in MEMBERS)
    assert chisquare([counts[number] for number in range(1000)]).pvalue > 0.001


def test_layers_and_arms_are_independent_of_each_other() -> None:
    one, other = experiment("one"), experiment("other", "ui")
    table = [[0, 0], [0, 0]]
    for member in MEMBERS:
        table[arm_of(one, member).name == "arm1"][arm_of(other, member).name == "arm1"] += 1
    assert chi2_contingency(table).pvalue > 0.001


def test_a_later_experiment_on_the_same_buckets_deals_its_members_anew() -> None:
    first, second = experiment("first", traffic=200), experiment("second", traffic=200)
    inside = [m for m in MEMBERS if bucket(m, "layer/ranker") < 200]
    table = [[0, 0], [0, 0]]
    for member in inside:
        table[arm_of(first, member).name == "arm1"][arm_of(second, member).name == "arm1"] += 1
    assert chi2_contingency(table).pvalue > 0.001


def test_arms_get_their_shares() -> None:
    counts = Counter(arm_of(experiment(shares=(100, 300, 600)), m).name for m in MEMBERS)
    observed = [counts[f"arm{number}"] for number in range(3)]
    assert chisquare(observed, [2_000, 6_000, 12_000]).pvalue > 0.001


def test_a_member_is_in_one_experiment_of_a_layer_and_always_in_the_same_arm() -> None:
    assigner = Assigner(
        [experiment("a", first=0, traffic=400), experiment("b", first=400, traffic=600)], holdout=0
    )
    for member in MEMBERS[:500]:
        first = assigner.assign(member, NOBODY).labels
        assert list(first) == ["ranker"]
        inside = bucket(member, "layer/ranker") < 400
        assert first["ranker"].split("/")[0] == ("a" if inside else "b")
        assert assigner.assign(member, NOBODY).labels == first


def test_members_of_the_holdout_see_no_experiment() -> None:
    assigner = Assigner([experiment()], holdout=80)
    held = [m for m in MEMBERS if assigner.assign(m, NOBODY).held_out]
    assert held == [m for m in MEMBERS if bucket(m, "holdout") < 80]
    assert all(assigner.assign(m, NOBODY).labels == {} for m in held)
    assert all(assigner.assign(m, NOBODY).labels for m in MEMBERS if m not in set(held))


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.RUNNING])
def test_only_running_experiments_have_members(status: Status) -> None:
    assert Assigner([experiment(status=status)], 0).assign("m1", NOBODY).labels == {}


@pytest.mark.parametrize(
    ("rule", "admitted", "refused"),
    [
        ({"countries": ["KR"]}, MemberTraits(country="KR"), MemberTraits(country="US")),
        ({"countries": ["KR"]}, MemberTraits(country="KR"), MemberTraits()),
        ({"languages": ["ko"]}, MemberTraits(language="ko"), MemberTraits(language="en")),
        ({"devices": ["tv"]}, MemberTraits(device="tv"), MemberTraits(device="web")),
        ({"watched_at_least": 5}, MemberTraits(watch_count=5), MemberTraits(watch_count=4)),
        ({"watched_at_most": 5}, MemberTraits(watch_count=5), MemberTraits(watch_count=6)),
    ],
)
def test_only_the_eligible_are_in(
    rule: dict[str, Any], admitted: MemberTraits, refused: MemberTraits
) -> None:
    assigner = Assigner([experiment(eligibility=rule)], 0)
    assert list(assigner.assign("m1", admitted).labels) == ["ranker"]
    assert assigner.assign("m1", refused).labels == {}
