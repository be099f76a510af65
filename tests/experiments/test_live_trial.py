"""A trial of two real bundles in the live simulated service ends with the truly better one in service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import xgboost as xgb

from experiments.decision import Verdict
from experiments.judging import judge, settle
from experiments.opening import open_store
from experiments.records import DecisionRecord
from feature_repo import schema as s
from feature_repo.backfill import backfill
from feature_repo.ingest.lake import Lake
from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.simulate import simulate
from feature_repo.store import FeatureGateway
from serving.rehearsal.home import beginning, rehearse, start_trial
from serving.rehearsal.visits import Rehearsed
from tests.conftest import train_small
from tests.proofs.live_trial import CONTROL, NAME, TREATMENT, definition
from training.bundle import CHAMPION, BundleAliases, load_bundle, write_bundle
from training.ranker import Ranker

pytestmark = pytest.mark.slow
END = datetime(2026, 3, 10, tzinfo=UTC)
DAYS = 9


def contrary(ranker: bytes) -> bytes:
    """Return the ranker with the sign of every leaf turned: what it liked it dislikes."""
    model = json.loads(Ranker.from_bytes(ranker).booster.save_raw("json"))
    for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
        for node, left in enumerate(tree["left_children"]):
            if left == -1:
                tree["split_conditions"][node] *= -1
                tree["base_weights"][node] *= -1
    booster = xgb.Booster()
    booster.load_model(bytearray(json.dumps(model).encode()))
    return bytes(booster.save_raw("ubj"))


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, str, Rehearsed]]:
    """A home whose champion is contrary and whose challenger is sound, after a trial of some days."""
    home = tmp_path_factory.mktemp("trial")
    alone = Settings(home, str(home / "lake"), None)
    simulated = simulate(SimulationConfig(titles=400, members=420, days=9, sessions_per_day=1.2), 3, END)
    lake = Lake(alone.lake)
    tables = (simulated.titles, simulated.members, simulated.events, simulated.impressions)
    for table, data in zip((s.TITLES, s.MEMBERS, s.EVENTS, s.IMPRESSIONS), tables, strict=True):
        lake.replace(table, data)
    simulated.world.save(alone.simulation)
    backfill(lake, END, seed=0)
    with running_redis(alone) as url:
        settings = Settings(home, alone.lake, url)
        gateway = FeatureGateway.open(settings, url)
        gateway.apply()
        sound = load_bundle(settings.bundles / train_small(gateway, lake, settings, simulated, END))
        manifest = sound.manifest
        wrong = write_bundle(
            settings.bundles, replace(sound.contents, ranker=contrary(sound.contents.ranker)),
            created_at=END + timedelta(hours=1), seed=0, parent=None, metrics={},
            data_window=(manifest.data_window.start, manifest.data_window.end),
            schema_hash=manifest.schema_hash,
        )  # fmt: skip
        aliases = BundleAliases(settings.bundles)
        aliases.set("challenger", manifest.version)
        aliases.set(CHAMPION, wrong)
        start_trial(settings, definition(DAYS), beginning(settings))
        yield settings, manifest.version, rehearse(settings, beginning(settings), DAYS, seed=1)


@pytest.fixture(scope="module")
def decided(ended: tuple[Settings, str, Rehearsed]) -> tuple[Verdict, DecisionRecord]:
    settings, end = ended[0], END + timedelta(days=DAYS)
    store = open_store(settings)
    judged = judge(store, settings, NAME, end)
    record = settle(store, settings, judged, end)
    store.close()
    return judged.verdict, record


def test_the_truth_prefers_the_challenger(ended: tuple[Settings, str, Rehearsed]) -> None:
    tallies = ended[2].tallies
    true = [tallies[f"{NAME}/{arm}"].true_play_rate for arm in (CONTROL, TREATMENT)]
    assert true[1] > 1.3 * true[0]


def test_the_experiment_finds_it_and_promotes_it(
    ended: tuple[Settings, str, Rehearsed], decided: tuple[Verdict, DecisionRecord]
) -> None:
    settings, sound, _ = ended
    verdict, record = decided
    assert (verdict.action, verdict.arm) == ("promote", TREATMENT)
    assert BundleAliases(settings.bundles).get(CHAMPION) == sound == record.champion_after


def test_the_interval_of_the_lift_holds_the_true_one(
    ended: tuple[Settings, str, Rehearsed], decided: tuple[Verdict, DecisionRecord]
) -> None:
    tallies = ended[2].tallies
    true = tallies[f"{NAME}/{TREATMENT}"].true_play_rate / tallies[f"{NAME}/{CONTROL}"].true_play_rate - 1
    settings, end = ended[0], END + timedelta(days=DAYS)
    store = open_store(settings)
    look = judge(store, settings, NAME, end).analysis.comparison(TREATMENT).looks[-1]
    store.close()
    assert look.low < true < look.high


def test_the_decision_left_its_evidence(
    ended: tuple[Settings, str, Rehearsed], decided: tuple[Verdict, DecisionRecord]
) -> None:
    [file] = Path(ended[0].home / "experiments" / "decisions").glob("*.json")
    kept = json.loads(file.read_text())
    assert kept["action"] == "promote"
    assert kept["evidence"]
    assert decided[1].decided_by == "rule"
