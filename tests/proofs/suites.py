"""The proofs, each a list of findings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.analysis.power import power_at, sequential_power_at
from tests.proofs.findings import Finding, mean, rate
from tests.proofs.guardrails import breached
from tests.proofs.layers import interaction_p_values
from tests.proofs.lifts import ALPHA, Judged, judged
from tests.proofs.population import Population
from tests.proofs.pre_periods import PrePeriod, log_ratios
from tests.proofs.sample_ratios import caught, expected_rate
from tests.proofs.wear import trends

FAMILY: Final = 5
"""Experiments that run at once, in the proof of Holm's correction."""
LIFTS: Final = (0.05, 0.1, 0.2)


def no_difference(experiments: int, seed: int) -> list[Finding]:
    """A/A experiments: every rejection is false."""
    found = judged(Population(), experiments, seed)
    uncorrected = any_after_holm(found.p, FAMILY, correction=False)
    return [
        rate("naive z-test over impressions, at the end", found.naive, "0.05, were they independent"),
        rate("clustered test, at the end", found.fixed, "0.05"),
        rate("clustered test, looked at daily", found.fixed_peeked, "far over 0.05"),
        rate("confidence sequence, looked at daily", found.sequential, "0.05 at most"),
        rate("clustered interval covers", found.fixed_covers, "0.95"),
        rate("confidence sequence covers on all days", found.sequence_covers, "0.95 at least"),
        rate(f"any of {FAMILY} sequences at once, no correction", uncorrected, "more"),
        rate(f"any of {FAMILY} sequences at once, Holm", any_after_holm(found.p, FAMILY), "0.05 at most"),
        mean("design effect", found.design_effect, ""),
    ]  # fmt: skip


def any_after_holm(p: NDArray[np.float64], family: int, correction: bool = True) -> NDArray[np.bool_]:
    """Return, for families of so many p-values, whether Holm rejects any: where its first step does."""
    families = p[: len(p) // family * family].reshape(-1, family)
    return np.asarray(families.min(axis=1) * (family if correction else 1) <= ALPHA)


def hard_cases(experiments: int, seed: int) -> list[Finding]:
    """A/A experiments of unusual members."""
    cases = {
        "300 members": Population(members=300),
        "300 members, a few of them very active": Population(members=300, activity_shape=0.3),
        "members very unlike": Population(concentration=10.0),
        "members all alike": Population(late=0.0, concentration=1e6),
        "nearly all join late, eight times as active": Population(late=0.7, late_busier=8.0),
        "a play rate of 1 %": Population(rate=0.01, concentration=100.0),
    }
    findings = []
    for place, (name, population) in enumerate(cases.items()):
        found = judged(population, experiments, seed + place)
        findings.append(rate(f"{name}: clustered test, at the end", found.fixed, "0.05"))
        findings.append(rate(f"{name}: sequence, looked at daily", found.sequential, "0.05 at most"))
    return findings


def known_lift(experiments: int, seed: int) -> list[Finding]:
    """Experiments with a lift: how often it is seen, beside what was computed beforehand."""
    findings: list[Finding] = []
    for place, lift in enumerate(LIFTS):
        found = judged(Population(), experiments, seed + 1 + place, lift)
        fixed, sequential = computed_power(Population(), found, lift)
        stopped = found.days_to_stop[np.isfinite(found.days_to_stop)]
        findings += [
            mean(f"lift {lift:.0%}: as estimated", found.lift, f"{lift}"),
            rate(f"lift {lift:.0%}: seen by the clustered test", found.fixed, f"{fixed:.3f}"),
            rate(f"lift {lift:.0%}: seen by the sequence", found.sequential, f"{sequential:.3f} at least"),
            rate(f"lift {lift:.0%}: clustered interval covers", found.fixed_covers, "0.95"),
            rate(f"lift {lift:.0%}: sequence covers on all days", found.sequence_covers, "0.95 at least"),
        ]
        if len(stopped) > 1:
            findings.append(mean(f"lift {lift:.0%}: days until the sequence sees it", stopped, "28 at most"))
    return findings


def computed_power(population: Population, found: Judged, lift: float) -> tuple[float, float]:
    """Return the power of the fixed and of the sequential test as computed for the size there is."""
    days = np.arange(population.days)
    present = (1 - population.late) * population.days + population.late * (population.days - days).mean()
    impressions = population.members * population.impressions_a_day * present
    effect = float(found.design_effect.mean())
    return (
        power_at(impressions, population.rate, lift, design_effect=effect),
        sequential_power_at(impressions, population.rate, lift, design_effect=effect),
    )


def broken_bucketing(experiments: int, seed: int) -> list[Finding]:
    """One arm loses 5 % of its members."""
    findings = [rate("20,000 members, none lost", caught(20_000, 0.0, experiments, seed), "0.001")]
    for members in (20_000, 50_000, 100_000):
        name = f"{members:,} members, 5 % of one arm lost"
        expected = f"{expected_rate(members, 0.05):.3f}"
        findings.append(rate(name, caught(members, 0.05, experiments, seed), expected))
    return findings


def pre_period(experiments: int, seed: int) -> list[Finding]:
    """CUPED where half of the variance is known beforehand."""
    setting = PrePeriod()
    plain, better, said = log_ratios(setting, experiments, seed, lift=0.05)
    truth = np.log1p(0.05)
    covers = np.abs(better - truth) <= 1.96 * np.sqrt(said)
    expected = f"{setting.expected_ratio:.3f}"
    ratios = [float(better.var(ddof=1) / plain.var(ddof=1))]
    bootstrap = np.random.default_rng(seed)
    for _ in range(500):
        drawn = bootstrap.integers(0, experiments, experiments)
        ratios.append(float(better[drawn].var(ddof=1) / plain[drawn].var(ddof=1)))
    low, high = np.percentile(ratios[1:], [2.5, 97.5])
    return [
        mean("log ratio without", plain, f"{truth:.4f}"),
        mean("log ratio with", better, f"{truth:.4f}"),
        Finding("variance, with over without", ratios[0], float(low), float(high), expected),
        rate("interval with covers", covers, "0.95"),
    ]  # fmt: skip


def between_layers(experiments: int, seed: int) -> list[Finding]:
    """Two experiments of different layers."""
    none = interaction_p_values(experiments, seed, together=0.0)
    some = interaction_p_values(experiments, seed + 1, together=-0.3)
    return [
        rate("interaction found where there is none", none <= ALPHA, "0.05"),
        rate("interaction of -30 % found", some <= ALPHA, "nearly always"),
    ]


def retention(experiments: int, seed: int) -> list[Finding]:
    """The guardrail with a margin of 1 %, looked at on the 28 days on which members mature."""
    findings = []
    for members in (2_800, 28_000):
        for change in (0.0, -0.05, -0.1):
            found = breached(experiments, seed, change, members)
            name = f"{members:,} members an arm, retention {change:+.0%}"
            expected = "" if change else "0.05 at most"
            findings.append(rate(f"{name}: breached on the last day", found[:, -1], expected))
            findings.append(rate(f"{name}: breached on any day", found.any(axis=1), ""))
    return findings


def wearing_off(experiments: int, seed: int) -> list[Finding]:
    """A lift of 20 % that stays, and one that halves every 5 days."""
    _, stays = trends(Population(), experiments, seed, 0.2, None)
    slopes, fades = trends(Population(), experiments, seed + 1, 0.4, 5.0)
    return [
        rate("trend found in a lift that stays", stays <= ALPHA, "0.05 at most"),
        rate("falling trend found in one that halves in 5 days", (fades <= ALPHA) & (slopes < 0), "often"),
    ]  # fmt: skip


PROOFS: Final[dict[str, Callable[[int, int], list[Finding]]]] = {
    "aa": no_difference, "hard": hard_cases, "power": known_lift, "sample-ratio": broken_bucketing,
    "cuped": pre_period, "interaction": between_layers, "retention": retention, "novelty": wearing_off,
}  # fmt: skip
