"""What another policy would earn, from slots that were filled at random with known probabilities.

A slot offered some titles; the log holds which was drawn, with which probability, and what came of it. The
weight of a slot is how much likelier the target policy is to make the same choice:

    w = target probability / logging probability

IPS is the mean of w * reward (Horvitz and Thompson, "A Generalization of Sampling Without Replacement From a
Finite Universe", JASA 47, 1952). SNIPS divides the sum of w * reward by the sum of w, which is biased by
O(1/n) and varies less (Swaminathan and Joachims, "The Self-Normalized Estimator for Counterfactual
Learning", NIPS 2015). The doubly robust estimator corrects a model's predictions q by what they miss in the
log, mean(q(policy) + w * (reward - q(logged))): it is right where the probabilities are, whatever the model,
and varies the less the better the model is (Dudik, Langford and Li, ICML 2011; Dudik, Erhan, Langford and
Li, "Doubly Robust Policy Evaluation and Optimization", Statistical Science 29, 2014). The model must not
have seen the slot it predicts: fit it on other members.

All three are ratios of two sums over members, whose slots are not independent. Intervals are those of the
delta method over members (Deng, Knoblich and Lu, "Applying the Delta Method in Metric Analytics", KDD 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Method = Literal["ips", "snips", "doubly_robust"]
METHODS: Final[tuple[Method, ...]] = ("ips", "snips", "doubly_robust")
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class LoggedSlots:
    """n slots of a log as parallel arrays.

    ``rewards``: what came of the logged action, any finite number; ``logging``: the probability, above 0,
    with which it was drawn; ``target``: the probability, 0 to 1, with which the target policy takes it;
    ``members``: whose slot it is. ``predicted`` and ``predicted_policy``: a model's reward of the logged
    action, and its mean over what the target policy would do; the doubly robust estimator needs both.
    Raises ``ValueError`` naming the field that does not fit.
    """

    rewards: Floats
    logging: Floats
    target: Floats
    members: NDArray[Any]
    predicted: Floats | None = None
    predicted_policy: Floats | None = None

    def __post_init__(self) -> None:
        slots = len(self.rewards)
        if slots == 0:
            raise ValueError(
                "rewards is empty: there is no slot to learn from; log some explored slots first"
            )
        for name in ("rewards", "logging", "target", "predicted", "predicted_policy"):
            values = getattr(self, name)
            if values is not None:
                _check_finite(name, values, slots)
        if len(self.members) != slots:
            raise ValueError(f"members has {len(self.members)} entries for {slots} slots; give one per slot")
        if not self.logging.min() > 0 or self.logging.max() > 1 + 1e-6:
            raise ValueError(
                f"logging spans {self.logging.min()} to {self.logging.max()}: a logged action has a "
                "probability above 0 and at most 1"
            )
        if self.target.min() < 0 or self.target.max() > 1 + 1e-6:
            raise ValueError(
                f"target spans {self.target.min()} to {self.target.max()}: probabilities lie in 0 to 1"
            )

    def weights(self, clip: float | None = None) -> Floats:
        """Return target / logging, (n,), none above ``clip``.

        A clipped weight bounds the variance and brings a bias towards 0, or for the doubly robust
        estimator towards the model (Ionides, "Truncated Importance Sampling", JCGS 17, 2008).
        """
        if clip is not None and not clip > 0:
            raise ValueError(f"clip = {clip}: must be above 0; None clips nothing")
        ratio = self.target / self.logging
        return ratio if clip is None else np.minimum(ratio, clip)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval; infinite bounds where one member alone says nothing about others.

    ``effective_slots``: how many slots of weight 1 tell as much, (sum w)^2 / sum w^2 (Kish 1965);
    ``clipped_share``: the share of slots whose weight was cut.
    """

    value: float
    low: float
    high: float
    standard_error: float
    slots: int
    members: int
    effective_slots: float
    clipped_share: float


def estimate(
    slots: LoggedSlots, method: Method, clip: float | None = None, confidence: float = CONFIDENCE
) -> Estimate:
    """Return the target policy's mean reward per slot, with an interval clustered by member.

    Raises ``ValueError`` where SNIPS finds no slot in which the target policy could have done the same,
    and for the doubly robust estimator without predictions.
    """
    part = _sums(slots, method, clip)
    error = part.standard_error()
    weights, raw = slots.weights(clip), slots.weights()
    squares = float(np.square(weights).sum())
    return Estimate(
        part.value, *_around(part.value, error, part.members, confidence), error, len(weights), part.members,
        effective_slots=float(weights.sum()) ** 2 / squares if squares else 0.0,
        clipped_share=float((raw > weights).mean()),
    )  # fmt: skip


def difference(
    one: LoggedSlots,
    other: LoggedSlots,
    method: Method,
    clip: float | None = None,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Return by how much ``one`` earns more per slot than ``other``, two policies on the same slots.

    The interval knows that both were estimated from the same draws, so it is narrower than the two apart
    where they often agree. ``effective_slots`` is the smaller of the two. Raises as :func:`estimate` does,
    and ``ValueError`` where the slots are not the same.
    """
    if not np.array_equal(one.members, other.members) or not np.array_equal(one.rewards, other.rewards):
        raise ValueError("the two policies were not given the same slots; evaluate both on one log")
    first, second = _sums(one, method, clip), _sums(other, method, clip)
    value = first.value - second.value
    error = _clustered_error(first.influence() - second.influence())
    apart = estimate(one, method, clip), estimate(other, method, clip)
    return Estimate(
        value, *_around(value, error, first.members, confidence), error, len(one.rewards), first.members,
        effective_slots=min(a.effective_slots for a in apart),
        clipped_share=max(a.clipped_share for a in apart),
    )  # fmt: skip


def bootstrap_interval(
    slots: LoggedSlots,
    method: Method,
    clip: float | None = None,
    *,
    samples: int = 1_000,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Return the percentile interval over ``samples`` resamples of the members, to check :func:`estimate` by.

    Resamples in which SNIPS has no weight at all are left out. (Efron and Tibshirani, "An Introduction to the
    Bootstrap", 1993, ch. 13.)
    """
    part = _sums(slots, method, clip)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(part.members, np.full(part.members, 1 / part.members), size=samples)
    top, bottom = times @ part.numerators, times @ part.denominators
    values = top[bottom > 0] / bottom[bottom > 0]
    edges = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(edges[0]), float(edges[1])


@dataclass(frozen=True, slots=True, eq=False)
class _Ratio:
    """An estimator as the ratio of two sums; the arrays hold each member's part of them."""

    numerators: Floats
    denominators: Floats

    @property
    def members(self) -> int:
        return len(self.numerators)

    @property
    def value(self) -> float:
        return float(self.numerators.sum() / self.denominators.sum())

    def influence(self) -> Floats:
        """Return by how much each member moves the value, to first order; it sums to 0."""
        residual = self.numerators - self.value * self.denominators
        return np.asarray(residual / self.denominators.sum(), dtype=np.float64)

    def standard_error(self) -> float:
        return _clustered_error(self.influence())


def _sums(slots: LoggedSlots, method: Method, clip: float | None) -> _Ratio:
    weights = slots.weights(clip)
    if method == "snips":
        top, bottom = weights * slots.rewards, weights
        if not weights.any():
            raise ValueError(
                f"target is 0 in all {len(weights)} slots: the log holds none of the policy's choices; "
                "log more explored slots or use the doubly robust estimator"
            )
    elif method == "ips":
        top, bottom = weights * slots.rewards, np.ones(len(weights))
    else:
        top, bottom = _doubly_robust(slots, weights), np.ones(len(weights))
    _, member = np.unique(slots.members, return_inverse=True)
    return _Ratio(np.bincount(member, top).astype(np.float64), np.bincount(member, bottom).astype(np.float64))


def _doubly_robust(slots: LoggedSlots, weights: Floats) -> Floats:
    if slots.predicted is None or slots.predicted_policy is None:
        missing = "predicted" if slots.predicted is None else "predicted_policy"
        raise ValueError(f"{missing} is None: the doubly robust estimator needs a reward model's predictions")
    return slots.predicted_policy + weights * (slots.rewards - slots.predicted)


def _clustered_error(influence: Floats) -> float:
    members = len(influence)
    if members < 2:
        return float("inf")
    return float(np.sqrt(members / (members - 1) * np.square(influence).sum()))


def _around(value: float, error: float, members: int, confidence: float) -> tuple[float, float]:
    if members < 2:
        return -np.inf, np.inf
    reach = error * float(stats.t.ppf((1 + confidence) / 2, members - 1))
    return value - reach, value + reach


def _check_finite(name: str, values: Floats, slots: int) -> None:
    if len(values) != slots:
        raise ValueError(f"{name} has {len(values)} entries for {slots} slots; give one per slot")
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name} holds {values[~np.isfinite(values)][0]}: all entries must be finite numbers"
        )
