"""The likely cause of a feature's differences: the classic skews, each known by the trace that it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from feature_repo import schema as s
from feature_repo.transforms.decay import (
    MICROSECONDS_PER_DAY,
    MICROSECONDS_PER_HOUR,
    MICROSECONDS_PER_SECOND,
    TRENDING_TIME_CONSTANT_DAYS,
    VELOCITY_TIME_CONSTANT_DAYS,
)
from feature_repo.transforms.ranking import RANKING_FEATURES
from training.parity.comparison import Verdict

Floats = NDArray[np.float64]

ELAPSED: Final[Mapping[str, float]] = {
    "days_since_last_watch": MICROSECONDS_PER_DAY, "hours_since_session_watch": MICROSECONDS_PER_HOUR,
    "days_since_available": MICROSECONDS_PER_DAY, "title_age_years": 365.2425 * MICROSECONDS_PER_DAY,
}  # fmt: skip
"""Features that count time up to the request, with the microseconds of their unit."""
DECAYS: Final[Mapping[str, float]] = {
    "watch_velocity_now": VELOCITY_TIME_CONSTANT_DAYS, "log_decayed_plays_now": TRENDING_TIME_CONSTANT_DAYS,
}  # fmt: skip
"""Features that fade up to the request, with their time constants in days."""
AVERAGES: Final = frozenset({
    "mean_session_minutes", "session_completion", "session_minutes", "mean_completion", "play_rate",
    "runtime_to_session_ratio", "genre_affinity", "strongest_genre_affinity", "session_genre_affinity",
    "hours_from_preferred_hour", "log_watch_count", "log_view_count", *DECAYS,
})  # fmt: skip
"""Features that sum up viewing over some time."""
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CODES: Final[Mapping[str, Sequence[object]]] = {
    "device_code": s.DEVICES, "title_type_code": s.TITLE_TYPES, "request_weekday": _WEEKDAYS,
    "request_hour": range(24), "device_is_preferred": ("other", "preferred"),
    "device_is_session_device": ("other", "the session's"), "language_match": ("other", "the member's"),
}  # fmt: skip
"""Features that are codes, with what each code stands for."""
_MOST: Final = 0.9
"""A trace counts where so many of the differences bear it."""
_STEADY: Final = 0.02
_RELATED: Final = 0.3
_SHORTEST_FADING: Final = 5
"""Seconds; a value that faded for less has lost less than its rounding can tell."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One feature over the candidates whose values differ without explanation, and over all of them.

    ``served`` and ``replayed`` (d,) are of the differing ones, ``verdicts`` (d,) theirs;
    ``all_served`` and ``all_replayed`` (n, features) are the whole matrices. ``elapsed_us`` (d,): how long a
    value that fades had faded, NaN for features that do not; ``stale_seconds`` (d,) is NaN unless stale.
    """

    name: str
    served: Floats
    replayed: Floats
    verdicts: NDArray[np.int8]
    all_served: NDArray[np.float32]
    all_replayed: NDArray[np.float32]
    elapsed_us: Floats
    stale_seconds: Floats

    @property
    def both_known(self) -> NDArray[np.bool_]:
        """Where neither side is unknown."""
        found: NDArray[np.bool_] = np.isfinite(self.served) & np.isfinite(self.replayed)
        return found


def likely_cause(trace: Trace) -> str:
    """Return what probably went wrong, in words that begin with the kind of skew; never empty."""
    for known in _CAUSES:
        if found := known(trace):
            return found
    return "unknown: the values follow no known pattern; compare the code of the two paths"


def span(seconds: float) -> str:
    """Return a span of time in the unit that fits it, such as ``90 min``."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _stale(trace: Trace) -> str:
    old = trace.verdicts == Verdict.STALE
    if old.mean() < _MOST:
        return ""
    ages = trace.stale_seconds[old]
    return (
        f"stale materialization: values as of {span(float(ages.min()))} to {span(float(ages.max()))} before"
    )


def _default(trace: Trace) -> str:
    """One constant where nothing is known, or wherever it differs."""
    invented = np.isfinite(trace.served) & np.isnan(trace.replayed)
    if invented.mean() >= _MOST and _constant(trace.served[invented]):
        return (
            f"default value: {trace.served[invented][0]:g} is served where nothing is known (NaN in training)"
        )
    known = trace.both_known
    varied = len(np.unique(trace.replayed[known])) > 2
    if trace.name not in CODES and known.mean() >= _MOST and varied and _constant(trace.served[known]):
        return f"default value: {trace.served[known][0]:g} is served whatever training would see"
    return ""


def _lost(trace: Trace) -> str:
    lost = np.isnan(trace.served) & np.isfinite(trace.replayed)
    if lost.mean() < _MOST:
        return ""
    return "missing online: nothing is served where training knows a value; not materialized, or expired"


def _encoding(trace: Trace) -> str:
    """Codes that map one to one to other codes."""
    meanings = CODES.get(trace.name)
    if meanings is None:
        return ""
    column = RANKING_FEATURES.index(trace.name)
    served, replayed = trace.all_served[:, column], trace.all_replayed[:, column]
    known = np.isfinite(served) & np.isfinite(replayed)
    pairs = np.unique(np.stack([replayed[known], served[known]]), axis=1).astype(int)
    if len(set(pairs[0].tolist())) < pairs.shape[1] or len(set(pairs[1].tolist())) < pairs.shape[1]:
        return ""
    if trace.name == "request_hour" and len(set(((pairs[1] - pairs[0]) % 24).tolist())) == 1:
        return f"encoding: hours are {int((pairs[1] - pairs[0])[0] % 24)} ahead, another time zone"
    moved = [f"{_meaning(meanings, a)} as {_meaning(meanings, b)}" for a, b in pairs.T.tolist() if a != b]
    return f"encoding: codes are permuted, {', '.join(moved)}" if moved else ""


def _exchanged(trace: Trace) -> str:
    """The column of another feature stands in this one's place."""
    served = trace.all_served[:, RANKING_FEATURES.index(trace.name)]
    if len(np.unique(served)) < 2:
        return ""
    same = (trace.all_replayed == served[:, None]) | (
        np.isnan(trace.all_replayed) & np.isnan(served)[:, None]
    )
    others = [
        RANKING_FEATURES[c] for c in np.flatnonzero(same.all(axis=0)) if RANKING_FEATURES[c] != trace.name
    ]
    return f"encoding: holds the values of {others[0]}, the order of the columns differs" if others else ""


def _elapsed(trace: Trace) -> str:
    """Time that was counted up to another instant than the request's."""
    unit, known = ELAPSED.get(trace.name), trace.both_known
    if unit is None or known.mean() < _MOST:
        return ""
    behind = (trace.replayed - trace.served)[known] * unit / 1e6
    late = behind[behind > 0].sum() >= _MOST * np.abs(behind).sum()
    if late and (trace.served[known] >= 0).all():
        when = f"{span(float(np.median(behind[behind > 0])))} before the request in the median"
        return f"elapsed time: taken at extraction, {when}, not by the request's clock"
    if (behind < 0).mean() >= _MOST and _steady(behind):
        return f"elapsed time: by a clock {span(float(-np.median(behind)))} ahead of the request's"
    return ""


def _decay(trace: Trace) -> str:
    """A value that fades with another time constant, or that stopped to fade at extraction.

    served = w exp(-t / a) and replayed = w exp(-t / b) give 1 / a = 1 / b - ln(served / replayed) / t.
    """
    days = DECAYS.get(trace.name)
    faded = trace.both_known & (trace.served > 0) & (trace.replayed > 0)
    faded &= trace.elapsed_us > _SHORTEST_FADING * MICROSECONDS_PER_SECOND
    if days is None or faded.mean() < _MOST:
        return ""
    served, replayed = trace.served[faded], trace.replayed[faded]
    if trace.name.startswith("log_"):
        served, replayed = np.expm1(served), np.expm1(replayed)
    elapsed = trace.elapsed_us[faded] / MICROSECONDS_PER_DAY
    rate = 1 / days - np.log(served / replayed) / elapsed
    typical = float(np.median(rate))
    if np.abs(typical) * days < _STEADY:
        return "elapsed time: the value stopped fading at extraction, its decay does not reach the request"
    if _steady(rate) and typical > 0:
        return f"window of an average: fades over {1 / typical:.3g} days, in training over {days:.3g}"
    behind = np.log(served / replayed) * days * 86_400
    if (behind > 0).mean() >= _MOST:
        return f"elapsed time: faded up to {span(float(np.median(behind)))} before the request in the median"
    return ""


def _scale(trace: Trace) -> str:
    known = trace.both_known & (trace.replayed != 0)
    if known.mean() < _MOST or len(np.unique(trace.replayed[known])) < 3:
        return ""
    ratio = (trace.served[known] / trace.replayed[known]).astype(np.float64)
    factor = float(np.median(ratio))
    if not _steady(ratio, 1e-4) or abs(factor - 1) < _STEADY:
        return ""
    return f"unit: {factor:.4g} times the value of training"


def _window(trace: Trace) -> str:
    """Values that go along with those of training, and are others."""
    known = trace.both_known
    if trace.name not in AVERAGES or known.mean() < _MOST:
        return ""
    pairs = np.unique(np.stack([trace.served[known], trace.replayed[known]]), axis=1)
    if pairs.shape[1] < 3 or _constant(pairs[0]) or _constant(pairs[1]):
        return ""
    if float(spearmanr(pairs[0], pairs[1]).statistic) < _RELATED:
        return ""
    return "window of an average: goes along with training's value, over another window or with other weights"


_CAUSES: Final[tuple[Callable[[Trace], str], ...]] = (
    _stale, _default, _lost, _encoding, _exchanged, _elapsed, _decay, _scale, _window,
)  # fmt: skip


def _constant(values: Floats) -> bool:
    return len(np.unique(values)) == 1


def _steady(values: Floats, spread: float = _STEADY) -> bool:
    """Say whether the middle eight tenths of the values lie within ``spread`` of their median."""
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
    return bool(high - low <= spread * abs(middle))


def _meaning(meanings: Sequence[object], code: int) -> object:
    return meanings[code] if 0 <= code < len(meanings) else code
