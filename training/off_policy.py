"""What a bundle's ranker would earn in explored slots, before any member sees it.

Each explored slot was filled by a draw from a stratum of titles with known probabilities. The candidate's
ranker says which title of the stratum it would have shown; where the draw happened to show that one, its
outcome tells what the candidate would have got, and the probability of the draw how much it counts. What is
estimated is plays per explored slot: the choice among titles just outside the best, all else of the page
being as it was. See docs/off_policy.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.off_policy import METHODS, Estimate, LoggedSlots, difference, estimate
from feature_repo import schema as s
from feature_repo.store import FeatureGateway
from feature_repo.transforms.encoding import Arrays
from feature_repo.transforms.ranking import RANKING_FEATURES, at_place, ranking_features
from feature_repo.transforms.towers import context_inputs
from training.bundle import BundleContents
from training.datasets import members_as_of, titles_as_of
from training.explored_slots import ExploredSlots
from training.interactions import rows_of
from training.ranker import Ranker
from training.reward_model import cross_fitted_rewards
from training.two_tower import TwoTower, TwoTowerConfig
from training.two_tower_examples import member_histories

LOGGING: Final = "logging"
"""The policy that filled the slots, and what its own plays say of it."""
_SLOTS_AT_ONCE: Final = 1_000
_TOWER_COLUMN: Final = RANKING_FEATURES.index("two_tower_cosine")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OffPolicyEstimates:
    """Plays per explored slot: of each policy by each method, and by how much the candidate is ahead.

    ``agreement``: the share of slots in which both rankers show the same title, 0 to 1 (less the distance in
    total variation, where they choose at random).
    """

    values: Mapping[str, Mapping[str, Estimate]]
    differences: Mapping[str, Estimate]
    agreement: float


def evaluate_off_policy(
    gateway: FeatureGateway,
    slots: ExploredSlots,
    candidate: BundleContents,
    against: BundleContents,
    *,
    temperature: float = 0.0,
    clip: float | None = None,
    seed: int = 0,
) -> OffPolicyEstimates:
    """Estimate what ``candidate`` and ``against`` would earn in the slots; see :func:`compare_policies`."""
    matrix = offered_features(gateway, slots)
    policies = [
        choices_of(gateway, slots, matrix, contents, temperature=temperature)
        for contents in (candidate, against)
    ]
    return compare_policies(slots, matrix, *policies, clip=clip, seed=seed)


def compare_policies(
    slots: ExploredSlots,
    matrix: NDArray[np.float32],
    candidate: Floats,
    against: Floats,
    *,
    clip: float | None = None,
    seed: int = 0,
) -> OffPolicyEstimates:
    """Return the estimates of two policies and of the one that filled the slots, each with its interval.

    ``candidate`` and ``against`` (m,) are the probabilities with which they would show each offered title;
    ``matrix`` (m, features) is what the reward model of the doubly robust estimator learns from, dealing the
    members with ``seed``. ``clip`` bounds the weights.
    """
    rewards = cross_fitted_rewards(
        matrix, slots.slot_of, slots.drawn, slots.played, slots.user_ids, seed=seed
    )
    policies = {"candidate": candidate, "against": against, LOGGING: slots.propensities}
    logged = {name: _logged(slots, chosen, rewards) for name, chosen in policies.items()}
    return OffPolicyEstimates(
        values={
            name: {method: estimate(part, method, clip) for method in METHODS}
            for name, part in logged.items()
        },
        differences={
            method: difference(logged["candidate"], logged["against"], method, clip) for method in METHODS
        },
        agreement=float(np.minimum(candidate, against).sum() / len(slots)),
    )


def choices_of(
    gateway: FeatureGateway,
    slots: ExploredSlots,
    matrix: NDArray[np.float32],
    contents: BundleContents,
    *,
    trees: int | None = None,
    temperature: float = 0.0,
) -> Floats:
    """Return with which probability each offered title is shown by a bundle's ranker, (m,).

    ``matrix`` is that of :func:`offered_features`; what the bundle's towers think goes into it. With
    ``trees`` only the first ones of the ranker count.
    """
    matrix[:, _TOWER_COLUMN] = tower_scores(gateway, slots, contents)
    ranker = Ranker.from_bytes(contents.ranker)
    if trees is not None:
        ranker = Ranker(ranker.booster[:trees])
    return choices(ranker.margin(at_place(matrix)), slots.offsets, temperature)


def choices(margins: NDArray[np.float32], offsets: NDArray[np.int64], temperature: float = 0.0) -> Floats:
    """Return with which probability each offered title is shown by a ranker with these margins, (m,).

    At ``temperature`` 0 the best of a slot is, equal ones sharing alike; above, a softmax of the margins
    (log-odds of a play) divided by it. Raises ``ValueError`` for a negative temperature.
    """
    if temperature < 0:
        raise ValueError(f"temperature = {temperature}: must be 0, which takes the best, or above")
    sizes = np.diff(offsets)
    apart = margins.astype(np.float64) - np.repeat(np.maximum.reduceat(margins, offsets[:-1]), sizes)
    weights = np.exp(apart / temperature) if temperature else (apart == 0).astype(np.float64)
    return np.asarray(weights / np.repeat(np.add.reduceat(weights, offsets[:-1]), sizes), dtype=np.float64)


def offered_features(gateway: FeatureGateway, slots: ExploredSlots) -> NDArray[np.float32]:
    """Return ``ranking_features`` of every offered title as known at its page's instant, (m, features).

    Each stands where its slot stood; what a bundle's towers think of it is NaN (see :func:`tower_scores`).
    """
    matrix = np.empty((len(slots.title_ids), len(RANKING_FEATURES)), dtype=np.float32)
    for part in _parts(slots):
        matrix[slots.offered_in(part)] = _features(gateway, slots.take(part))
    return matrix


def tower_scores(
    gateway: FeatureGateway, slots: ExploredSlots, contents: BundleContents
) -> NDArray[np.float32]:
    """Return the inner products of a bundle's two-tower vectors, (m,); NaN for titles it does not know."""
    tower = TwoTower(contents.title_ids, contents.tower_weights, TwoTowerConfig(), {})
    history, mask = member_histories(gateway, slots.user_ids, slots.instants, contents.title_ids)
    context = context_inputs(slots.instants.astype(np.float64), slots.device_types)
    vectors = tower.user_vectors(history, mask, context)
    rows = rows_of(slots.title_ids, contents.title_ids)
    scores, slot_of = np.empty(len(rows), dtype=np.float32), slots.slot_of
    for part in _parts(slots):
        offered = slots.offered_in(part)
        titles = contents.tower_title_vectors[rows[offered]]
        scores[offered] = (vectors[slot_of[offered]] * titles).sum(axis=1)
    scores[rows < 0] = np.nan
    return scores


def _parts(slots: ExploredSlots) -> list[NDArray[np.int64]]:
    return np.array_split(np.arange(len(slots)), -(-len(slots) // _SLOTS_AT_ONCE))


def _features(gateway: FeatureGateway, slots: ExploredSlots) -> NDArray[np.float32]:
    slot = slots.slot_of
    instants = slots.instants[slot]
    member = members_as_of(gateway, slots.user_ids, slots.instants)
    context: Arrays = {
        s.REQUEST_TIMESTAMP: instants.astype(np.float64),
        s.DEVICE_TYPE: slots.device_types[slot],
        s.TWO_TOWER_SCORE: np.full(1, np.nan, dtype=np.float32),
        s.ROW_INDEX: slots.row_indices[slot],
        s.POSITION: slots.positions[slot],
    }
    offered = {name: values[slot] for name, values in member.items()}
    return ranking_features(offered, titles_as_of(gateway, slots.title_ids, instants), context)


def _logged(slots: ExploredSlots, chosen: Floats, rewards: Floats) -> LoggedSlots:
    return LoggedSlots(
        rewards=slots.played.astype(np.float64),
        logging=slots.propensities[slots.drawn],
        target=chosen[slots.drawn],
        members=slots.user_ids,
        predicted=rewards[slots.drawn],
        predicted_policy=np.add.reduceat(chosen * rewards, slots.offsets[:-1]),
    )
