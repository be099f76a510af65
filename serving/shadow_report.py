"""From records of shadow traffic to a verdict: does the challenger behave as a bundle of its kind should?

The verdict says whether something is wrong with the challenger, not whether it is better: that takes an
experiment. What it goes by is stated in :class:`ShadowBounds`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from serving.shadow_comparison import DECILES, ShadowRecord

Verdict = Literal["sound", "caught", "too few pages"]
_NORMAL_10_TO_90 = 2.563
"""Standard deviations between the first and the last decile of a normal distribution."""


class ShadowBounds(BaseModel):
    """From where on a challenger is caught; shares from 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fewest_pages: int = Field(50, ge=1, description="of a day; fewer give no verdict")
    failed: float = Field(0.01, ge=0, le=1, description="share of pages that it could not make")
    degraded: float = Field(0.01, ge=0, le=1, description="share of degraded pages beyond the champion's")
    latency_ratio: float = Field(2.0, gt=0, description="its median time over the champion's")
    score_shift: float = Field(
        0.5, gt=0, description="distance of its scores from the champion's, in their standard deviations"
    )
    least_correlation: float = Field(
        0.2, ge=-1, le=1, description="median rank correlation that two models of one purpose have at least"
    )


class ShadowDay(BaseModel):
    """What a day's records of two bundles come to; null where no page gave it."""

    day: date
    champion: str
    challenger: str
    pages: int
    failed: float
    degraded: float
    champion_degraded: float
    champion_ms: float
    challenger_ms: float | None
    challenger_p99_ms: float | None
    latency_ratio: float | None
    overlap: float | None
    correlation: float | None
    score_shift: float | None
    differences: tuple[float, float, float] | None = Field(
        description="challenger's scores less the champion's: first decile, median, last decile"
    )
    verdict: Verdict
    reasons: list[str]


def report(records: Iterable[ShadowRecord], bounds: ShadowBounds | None = None) -> list[ShadowDay]:
    """Return a report for each day and pair of bundles, the first first."""
    bounds = ShadowBounds() if bounds is None else bounds
    groups: defaultdict[tuple[date, str, str], list[ShadowRecord]] = defaultdict(list)
    for record in records:
        groups[record.at.date(), record.champion, record.challenger].append(record)
    return [_day(*key, groups[key], bounds) for key in sorted(groups)]


def score_shift(champion: Sequence[float], challenger: Sequence[float]) -> float:
    """Return Wasserstein's distance of two distributions given by their deciles (11 each), the area between
    their quantile functions, in the champion's standard deviations as a normal one would have them.

    Infinite where the champion's scores are all the same and the challenger's are others.
    """
    between = np.abs(np.asarray(challenger) - np.asarray(champion))
    area = float(np.sum((between[1:] + between[:-1]) / 2 * np.diff(DECILES)))
    spread = (champion[9] - champion[1]) / _NORMAL_10_TO_90
    if spread <= 0:
        return 0.0 if area == 0 else float("inf")
    return area / spread


def _day(
    day: date, champion: str, challenger: str, records: list[ShadowRecord], bounds: ShadowBounds
) -> ShadowDay:
    made = [one for one in records if one.error is None]
    scored = [one for one in made if one.champion_scores and one.challenger_scores]
    times = [one.challenger_ms for one in made if one.challenger_ms is not None]
    champion_ms = float(np.median([one.champion_ms for one in records]))
    challenger_ms = float(np.median(times)) if times else None
    found = {
        "pages": len(records),
        "failed": 1 - len(made) / len(records),
        "degraded": _share([bool(one.degraded) for one in made]),
        "champion_degraded": _share([bool(one.champion_degraded) for one in records]),
        "champion_ms": champion_ms,
        "challenger_ms": challenger_ms,
        "challenger_p99_ms": float(np.percentile(times, 99)) if times else None,
        "latency_ratio": challenger_ms / champion_ms if challenger_ms and champion_ms else None,
        "overlap": _middle([one.overlap for one in made]),
        "correlation": _middle([one.correlation for one in made]),
        "score_shift": _shift(scored),
        "differences": _differences(scored),
    }
    reasons = _reasons(found, bounds)
    few = len(records) < bounds.fewest_pages
    verdict: Verdict = "too few pages" if few else "caught" if reasons else "sound"
    return ShadowDay.model_validate({
        "day": day, "champion": champion, "challenger": challenger, **found, "verdict": verdict,
        "reasons": reasons,
    })  # fmt: skip


def _reasons(found: Mapping[str, object], bounds: ShadowBounds) -> list[str]:
    """Say which bounds are crossed, with the value and the bound."""
    values = {name: value for name, value in found.items() if isinstance(value, float)}
    beyond = values["degraded"] - values["champion_degraded"]
    above = (
        ("failed pages", values["failed"], bounds.failed),
        ("degraded pages beyond the champion's", beyond, bounds.degraded),
        ("latency ratio", values.get("latency_ratio"), bounds.latency_ratio),
        ("score shift", values.get("score_shift"), bounds.score_shift),
    )
    reasons = [f"{name} {v:.3g}, at most {most:g}" for name, v, most in above if v is not None and v > most]
    correlation = values.get("correlation")
    if correlation is not None and correlation < bounds.least_correlation:
        reasons.append(f"rank correlation {correlation:.3g}, at least {bounds.least_correlation:g}")
    return reasons


def _share(flags: Sequence[bool]) -> float:
    return float(np.mean(flags)) if flags else 0.0


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _shift(scored: Sequence[ShadowRecord]) -> float | None:
    if not scored:
        return None
    champion = np.mean([one.champion_scores or () for one in scored], axis=0)
    challenger = np.mean([one.challenger_scores or () for one in scored], axis=0)
    return score_shift(champion.tolist(), challenger.tolist())


def _differences(scored: Sequence[ShadowRecord]) -> tuple[float, float, float] | None:
    known = [one.differences for one in scored if one.differences is not None]
    if not known:
        return None
    mean = np.mean(known, axis=0)
    return float(mean[1]), float(mean[5]), float(mean[9])
