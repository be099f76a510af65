"""Off-policy estimates of real rankers against the truth of the simulated service.

Pages with explored slots are made for members of a simulated home, strata and probabilities as
:mod:`feature_repo.page.exploration` has them, and what is drawn is looked at and played as the simulation
does: examination of the place, times the world's play probability. A pool of members is the population. Each
repetition draws members from it with replacement, draws what their slots show and what comes of it, and
estimates the plays of both rankers from that log alone; the truth is what the world says of the whole pool.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray

from experiments.off_policy import METHODS, Estimate
from feature_repo.cli import open_gateway
from feature_repo.page.exploration import UNIFORM_SHARE
from feature_repo.settings import Settings
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.history import examination_probability
from feature_repo.simulation.world import World, device_codes
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY
from training.bundle import load_bundle
from training.explored_slots import ExploredSlots
from training.off_policy import choices_of, compare_policies, offered_features

SLOTS_OF_A_PAGE: Final = 4

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Population:
    """Slots of a pool of members, nothing drawn yet; ``plays`` (m,): how likely each title is played."""

    slots: ExploredSlots
    plays: Floats

    def value_of(self, chosen: Floats) -> float:
        """Return the true plays per slot of a policy that shows offered titles with these probabilities."""
        return float((chosen * self.plays).sum() / len(self.slots))

    def slots_of(self) -> list[NDArray[np.int64]]:
        """Return each member's slots."""
        _, member = np.unique(self.slots.user_ids, return_inverse=True)
        return np.split(np.argsort(member, kind="stable"), np.cumsum(np.bincount(member))[:-1])


@dataclass(frozen=True, slots=True)
class Covered:
    """How an estimator did over the repetitions, against ``truth``.

    ``coverage``: the share of intervals that held it; ``mean`` and ``deviation`` are of the estimates,
    ``claimed`` the mean of the standard errors they came with.
    """

    policy: str
    method: str
    truth: float
    mean: float
    deviation: float
    claimed: float
    coverage: float


def population(
    world: World, end: datetime, *, members: int, stratum: int, seed: int, days: int = 1
) -> Population:
    """Make one page each for ``members`` members, in the last ``days`` before ``end``.

    A stratum holds ``stratum`` titles that the member may be shown, those with more appeal more often, as a
    merge would find them.
    """
    rng = np.random.default_rng(seed)
    users = np.sort(rng.choice(len(world.user_ids), min(members, len(world.user_ids)), replace=False))
    instants = epoch_microseconds(end) - rng.integers(1, days * MICROSECONDS_PER_DAY, len(users))
    devices = np.array(["tv", "mobile", "web", ""])[rng.integers(0, 4, len(users))]
    titles = np.concatenate(
        [_titles(world, user, at, stratum, rng) for user, at in zip(users, instants, strict=True)]
    )
    slot_user, slot_at = users.repeat(SLOTS_OF_A_PAGE), instants.repeat(SLOTS_OF_A_PAGE)
    slot_device = devices.repeat(SLOTS_OF_A_PAGE)
    number = len(slot_user)
    rows, positions = np.ones(number, np.float32), np.tile(np.arange(3, 7, dtype=np.float32), len(users))
    examined = _examination()[positions.astype(int) - 1]
    relevance = rng.random((number, stratum))
    probabilities = np.exp(relevance) / np.exp(relevance).sum(axis=1, keepdims=True)
    probabilities = UNIFORM_SHARE / stratum + (1 - UNIFORM_SHARE) * probabilities
    plays = examined[:, None] * world.play_probability_of(
        slot_user[:, None], titles.reshape(number, stratum), slot_at[:, None].astype(np.float64),
        device_codes(slot_device)[:, None],
    )  # fmt: skip
    offsets = np.arange(number + 1) * stratum
    slots = ExploredSlots(
        world.user_ids[slot_user], slot_at, slot_device, rows, positions, np.zeros(number, bool),
        offsets[:-1].copy(), offsets, world.title_ids[titles], probabilities.ravel(),
    )  # fmt: skip
    return Population(slots, plays.ravel())


def drawn(pool: Population, slots: NDArray[np.int64], rng: np.random.Generator) -> ExploredSlots:
    """Return some slots, each with a title drawn by its probabilities and what came of it."""
    log, plays = pool.slots.take(slots), pool.plays[pool.slots.offered_in(slots)]
    cumulated = np.cumsum(log.propensities)
    before = np.concatenate([[0.0], cumulated])[log.offsets]
    wanted = before[:-1] + rng.random(len(log)) * (before[1:] - before[:-1])
    shown = np.minimum(np.searchsorted(cumulated, wanted, side="right"), log.offsets[1:] - 1)
    return replace(log, drawn=shown, played=rng.random(len(log)) < plays[shown])


def covered(
    pool: Population,
    matrix: NDArray[np.float32],
    candidate: Floats,
    against: Floats,
    *,
    repetitions: int,
    members: int,
    seed: int,
    clip: float | None = None,
) -> list[Covered]:
    """Estimate both policies and their difference from ``repetitions`` logs of ``members`` members each."""
    rng, of_member = np.random.default_rng(seed), pool.slots_of()
    found: dict[tuple[str, str], list[Estimate]] = {}
    for number in range(repetitions):
        parts = [of_member[member] for member in rng.integers(0, len(of_member), members)]
        slots = np.concatenate(parts)
        offered = pool.slots.offered_in(slots)
        # Somebody drawn twice is two members.
        ids = np.repeat(np.arange(members).astype(str), [len(part) for part in parts])
        log = replace(drawn(pool, slots, rng), user_ids=ids)
        estimates = compare_policies(
            log, matrix[offered], candidate[offered], against[offered], seed=number, clip=clip
        )
        for policy, values in [*estimates.values.items(), ("difference", estimates.differences)]:
            for method in METHODS:
                found.setdefault((policy, method), []).append(values[method])
    truths = {
        "candidate": pool.value_of(candidate), "against": pool.value_of(against),
        "logging": pool.value_of(pool.slots.propensities),
    }  # fmt: skip
    truths["difference"] = truths["candidate"] - truths["against"]
    return [_covered(policy, method, truths[policy], values) for (policy, method), values in found.items()]


def _covered(policy: str, method: str, truth: float, estimates: list[Estimate]) -> Covered:
    values = np.array([one.value for one in estimates])
    held = [one.low <= truth <= one.high for one in estimates]
    errors = np.mean([one.standard_error for one in estimates])
    return Covered(
        policy, method, truth, float(values.mean()), float(values.std(ddof=1)), float(errors),
        float(np.mean(held)),
    )  # fmt: skip


def _titles(world: World, user: int, at: int, stratum: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the titles of a page's strata, distinct, by appeal."""
    weights = np.exp(world.title_appeal.astype(np.float64) - world.title_appeal.max())
    allowed = world.may_be_shown(np.array([user]), np.arange(len(weights))) & (world.title_available_us <= at)
    weights *= allowed
    return rng.choice(len(weights), SLOTS_OF_A_PAGE * stratum, replace=False, p=weights / weights.sum())


def _examination() -> Floats:
    return examination_probability(SimulationConfig())[0]


@click.command("off-policy")
@click.option("--bundle", "candidate", required=True, help="Version of the candidate in MARQUEE_HOME.")
@click.option("--against", help="Version of what it is compared with.  [default: its own first --trees]")
@click.option("--trees", default=5, show_default=True, help="Of the candidate's ranker, without --against.")
@click.option("--pool", default=4_000, show_default=True, help="Members of the population.")
@click.option("--members", default=1_000, show_default=True, help="Members of each log, four slots each.")
@click.option("--stratum", default=20, show_default=True, help="Titles a slot is drawn from.")
@click.option("--repetitions", default=200, show_default=True, help="Logs that are drawn.")
@click.option("--temperature", default=0.0, show_default=True, help="As of `training off-policy`.")
@click.option("--clip", type=float, help="Largest weight.  [default: none]")
@click.option("--seed", default=0, show_default=True, help="Of all that is drawn.")
def off_policy(
    candidate: str,
    against: str | None,
    trees: int,
    pool: int,
    members: int,
    stratum: int,
    repetitions: int,
    temperature: float,
    clip: float | None,
    seed: int,
) -> None:
    """Hold off-policy intervals of two bundles of a simulated home against the truth.

    \b
    Example:
        python -m tests.proofs off-policy --bundle 20260102T030405Z-0a1b2c3d
    """
    settings = Settings.from_environment()
    bundles = [load_bundle(settings.bundles / version) for version in (candidate, against or candidate)]
    end = max(bundle.manifest.data_window.end for bundle in bundles)
    people = population(World.load(settings.simulation), end, members=pool, stratum=stratum, seed=seed)
    chosen = []
    with open_gateway(settings) as gateway:
        matrix = offered_features(gateway, people.slots)
        for bundle, first in ((bundles[1], None if against else trees), (bundles[0], None)):
            chosen.append(
                choices_of(
                    gateway, people.slots, matrix, bundle.contents, trees=first, temperature=temperature
                )
            )
    click.echo(f"{'policy':<12}{'method':<15}{'truth':>8}{'mean':>8}{'sd':>8}{'claimed':>8}{'coverage':>9}")
    for row in covered(
        people, matrix, chosen[1], chosen[0], repetitions=repetitions, members=members, seed=seed, clip=clip
    ):
        click.echo(
            f"{row.policy:<12}{row.method:<15}{row.truth:>8.4f}{row.mean:>8.4f}{row.deviation:>8.4f}"
            f"{row.claimed:>8.4f}{row.coverage:>9.3f}"
        )
