"""Which arm a member sees: a salted stable hash to 1,000 buckets, the same on every machine, for ever.

    bucket(user_id, salt) = the first 8 bytes of SHA-256("<salt>:<user_id>" in UTF-8), big-endian, modulo 1000

Three kinds of salt keep three draws independent of each other: ``holdout`` says who sees no experiment,
``layer/<layer>`` where a member stands in a layer, of which each experiment owns a range of buckets, and
``arms/<experiment>`` which arm of it they get, so that members whom an earlier experiment of the same range
had together are dealt anew. (Tang, Agarwal, O'Brien and Meyer, "Overlapping Experiment Infrastructure", KDD
2010, on layers; 2**64 modulo 1000 favours no bucket by more than one part in 10**16.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from experiments.definitions import BUCKETS, Arm, Experiment, MemberTraits, Status

HOLDOUT_SALT: Final = "holdout"


def bucket(user_id: str, salt: str) -> int:
    """Return the bucket of a member under a salt, 0 to 999; a salt must not contain a colon."""
    digest = sha256(f"{salt}:{user_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS


def layer_salt(layer: str) -> str:
    """Return the salt of a layer."""
    return f"layer/{layer}"


def arms_salt(experiment: str) -> str:
    """Return the salt by which an experiment deals its arms."""
    return f"arms/{experiment}"


def arm_of(experiment: Experiment, user_id: str) -> Arm:
    """Return the arm that a member of the experiment's buckets gets."""
    place = bucket(user_id, arms_salt(experiment.name))
    arms = experiment.definition.arms
    for arm in arms:
        if place < arm.share:
            return arm
        place -= arm.share
    raise AssertionError(f"{experiment.name}: the shares of its arms do not sum to {BUCKETS}")


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a member sees: per layer the experiment and its arm; ``held_out`` members see none."""

    arms: Mapping[str, tuple[Experiment, Arm]] = field(default_factory=dict)
    held_out: bool = False

    @property
    def labels(self) -> dict[str, str]:
        """Layer to ``experiment/arm``, as pages and impressions bear it."""
        return {layer: f"{experiment.name}/{arm.name}" for layer, (experiment, arm) in self.arms.items()}


class Assigner:
    """Deals members to the running experiments.

    ``holdout`` is how many of the 1,000 buckets see no experiment. Experiments that do not run are passed
    over; those of one layer must own disjoint buckets, which the store sees to.
    """

    def __init__(self, experiments: Sequence[Experiment], holdout: int) -> None:
        self._holdout = holdout
        self._running = tuple(e for e in experiments if e.status is Status.RUNNING)
        self._salts = {e.definition.layer: layer_salt(e.definition.layer) for e in self._running}

    def held_out(self, user_id: str) -> bool:
        """Say whether a member sees no experiment at all."""
        return bucket(user_id, HOLDOUT_SALT) < self._holdout

    def assign(self, user_id: str, traits: MemberTraits) -> Assignment:
        """Return the arms of a member."""
        if self.held_out(user_id):
            return Assignment(held_out=True)
        places = {layer: bucket(user_id, salt) for layer, salt in self._salts.items()}
        arms: dict[str, tuple[Experiment, Arm]] = {
            e.definition.layer: (e, arm_of(e, user_id))
            for e in self._running
            if places[e.definition.layer] in e.buckets and e.definition.eligibility.admits(traits)
        }
        return Assignment(arms)
