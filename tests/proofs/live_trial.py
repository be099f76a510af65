"""Two real bundles in the live simulated service: does an experiment find the better one, and promote it?

The champion's ranker is cut to its first trees and put in service as a bundle of its own; the whole one is
the challenger. Members of the simulated service then live on for some days (see :mod:`serving.rehearsal`),
dealt to both by an experiment, which its own rule decides in the end. What off-policy estimates said of both,
from the explored slots of the same days, is held against what the world says of those very slots.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from experiments.definitions import ExperimentDefinition
from experiments.judging import judge, settle
from experiments.off_policy import METHODS
from experiments.opening import open_store
from feature_repo.cli import open_gateway
from feature_repo.ingest.lake import Lake
from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.live_members import LiveMembers
from feature_repo.simulation.world import World
from feature_repo.store import FeatureGateway
from serving.rehearsal.home import beginning, rehearse, start_trial
from serving.rehearsal.visits import Rehearsed
from training.bundle import CHAMPION, Bundle, BundleAliases, load_bundle, write_bundle
from training.explored_slots import ExploredSlots, read_explored_slots
from training.off_policy import choices_of, compare_policies, offered_features
from training.ranker import Ranker

NAME: Final = "whole-ranker"
CONTROL: Final = "cut"
TREATMENT: Final = "whole"
_MOST_SLOTS: Final = 40_000

Floats = NDArray[np.float64]


def cut_champion(settings: Settings, trees: int, created_at: datetime) -> tuple[Bundle, Bundle]:
    """Put the champion with the first ``trees`` of its ranker in service, and itself up as the challenger.

    Returns (cut, whole).
    """
    aliases = BundleAliases(settings.bundles)
    version = aliases.get(CHAMPION)
    assert version is not None, f"no champion in {settings.bundles}"
    whole = load_bundle(settings.bundles / version)
    ranker = Ranker(Ranker.from_bytes(whole.contents.ranker).booster[:trees])
    manifest = whole.manifest
    cut = write_bundle(
        settings.bundles, replace(whole.contents, ranker=ranker.to_bytes()), created_at=created_at,
        data_window=(manifest.data_window.start, manifest.data_window.end),
        schema_hash=manifest.schema_hash, seed=manifest.seed, parent=version, metrics={},
    )  # fmt: skip
    aliases.set("challenger", version)
    aliases.set(CHAMPION, cut)
    return load_bundle(settings.bundles / cut), whole


def definition(days: int) -> ExperimentDefinition:
    """Return the experiment: half of the members see the challenger."""
    arms = [
        {"name": CONTROL, "share": 500},
        {"name": TREATMENT, "share": 500, "treatment": {"bundle": "challenger"}},
    ]
    # A few hundred members tell of great losses only.
    rule = {
        "minimum_days": days, "minimum_impressions": 10_000, "retention_days": 7, "retention_loss": 0.5,
    }  # fmt: skip
    return ExperimentDefinition.model_validate(
        {"name": NAME, "layer": "ranker", "traffic": 1000, "arms": arms, "rule": rule}
    )


def true_plays(world: World, slots: ExploredSlots) -> Floats:
    """Return how likely each offered title is looked at and played in its slot, (m,)."""
    live = LiveMembers(world, SimulationConfig(), np.random.default_rng(0))
    slot = slots.slot_of
    looked = live.examination(slots.row_indices, slots.positions)
    truth = world.play_probability(
        slots.user_ids[slot], slots.title_ids, slots.instants[slot].astype(np.float64),
        slots.device_types[slot],
    )  # fmt: skip
    return np.asarray(truth * looked[slot], dtype=np.float64)


def judged_from_the_log(
    gateway: FeatureGateway, world: World, slots: ExploredSlots, whole: Bundle, cut: Bundle
) -> list[tuple[str, str, float, float, float, float]]:
    """Return (policy, method, truth, estimate, low, high) of both rankers, and of how far one is ahead."""
    matrix = offered_features(gateway, slots)
    chosen = [choices_of(gateway, slots, matrix, bundle.contents) for bundle in (whole, cut)]
    found, plays = compare_policies(slots, matrix, *chosen), true_plays(world, slots)
    truths = [float((policy * plays).sum() / len(slots)) for policy in chosen]
    rows = []
    for method in METHODS:
        for name, truth, estimate in (
            (TREATMENT, truths[0], found.values["candidate"][method]),
            (CONTROL, truths[1], found.values["against"][method]),
            ("difference", truths[0] - truths[1], found.differences[method]),
        ):
            rows.append((name, method, truth, estimate.value, estimate.low, estimate.high))
    return rows


def live(settings: Settings, start: datetime, days: int, members: int | None, seed: int) -> Rehearsed:
    """Let the days pass."""
    with running_redis(settings) as url, Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("pages", total=None)
        return rehearse(
            Settings(settings.home, settings.lake, url), start, days, seed, members,
            lambda _, done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip


@click.command("live-trial")
@click.option("--days", default=14, show_default=True, type=click.IntRange(min=8), help="Days to live.")
@click.option("--members", type=int, help="How many come at all.  [default: all]")
@click.option("--trees", default=5, show_default=True, help="What is left of the champion's ranker.")
@click.option("--seed", default=1, show_default=True, help="Of all that is drawn.")
def live_trial(days: int, members: int | None, trees: int, seed: int) -> None:
    """Try an experiment on two bundles in a simulated home, decided by its rule; changes that home.

    \b
    Example:
        MARQUEE_HOME=var-trial python -m tests.proofs live-trial --days 14
    """
    settings, console = Settings.from_environment(), Console(width=120)
    start = beginning(settings)
    cut, whole = cut_champion(settings, trees, datetime.now(UTC))
    start_trial(settings, definition(days), start)
    lived = live(settings, start, days, members, seed)
    for name, tally in sorted(lived.tallies.items()):
        console.print(
            f"{name:<24}{tally.pages:>8,} pages {tally.tiles:>10,} tiles {tally.plays:>8,} plays  "
            f"play rate {tally.play_rate:.5f}  true {tally.true_play_rate:.5f}"
        )
    world, end = World.load(settings.simulation), start + timedelta(days=days)
    slots = read_explored_slots(Lake(settings.lake), start, end, most_slots=_MOST_SLOTS, seed=seed)
    with open_gateway(settings) as gateway:
        console.print(f"{len(slots):,} explored slots, plays per slot:")
        for name, method, truth, value, low, high in judged_from_the_log(gateway, world, slots, whole, cut):
            held = "holds" if low <= truth <= high else "MISSES"
            console.print(
                f"{name:<12}{method:<16} truth {truth:.5f}  estimate {value:.5f} "
                f"({low:.5f} to {high:.5f}) {held} the truth"
            )
    store = open_store(settings)
    judged = judge(store, settings, NAME, end)
    record = settle(store, settings, judged, end)
    store.close()
    console.print(f"{record.action}: {record.reason}")
    console.print(
        f"champion before {record.champion_before}, after {record.champion_after}, "
        f"the whole one is {whole.manifest.version}"
    )
