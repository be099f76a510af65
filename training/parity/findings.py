"""The proof itself: every feature's verdicts with examples and a likely cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.store import FeatureGateway
from feature_repo.transforms.ranking import RANKING_FEATURES
from training.bundle import BundleContents
from training.parity.causes import Trace, likely_cause
from training.parity.comparison import Compared, Verdict, compare
from training.parity.replay import Replay
from training.parity.served import ServedPages
from training.parity.staleness import LADDER, with_stale
from training.ranker import Ranker

STALE_WITHIN: Final = timedelta(hours=2)
"""An hour between two trainings that materialize, the next hour's snapshot, and some minutes on top."""
_SCORE: Final = "ranking_score"
_SCORE_TOLERANCE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Example:
    """One candidate's value on both sides; ``stale_seconds`` is None unless the value is an older one."""

    page_id: str
    user_id: str
    title_id: str
    instant: datetime
    verdict: str
    served: float | None
    replayed: float | None
    stale_seconds: float | None


@dataclass(frozen=True, slots=True)
class FeatureParity:
    """One feature: how many served values are what, and why.

    ``equal`` to the bit and ``close`` within the tolerance are both parity. ``unexplained`` counts what is
    missing, different or older than allowed; ``oldest_seconds`` is the age of the oldest stale value.
    """

    name: str
    values: int
    equal: int
    close: int
    stale: int
    missing: int
    different: int
    unexplained: int
    oldest_seconds: float
    cause: str
    examples: tuple[Example, ...]

    @property
    def unexplained_share(self) -> float:
        """Unexplained values of all, 0 to 1."""
        return self.unexplained / self.values if self.values else 0.0


def prove(
    gateway: FeatureGateway,
    served: ServedPages,
    bundles: Mapping[str, BundleContents],
    *,
    stale_within: timedelta = STALE_WITHIN,
    ladder: Sequence[timedelta] = LADDER,
    examples: int = 3,
) -> list[FeatureParity]:
    """Replay the pages and return what became of each of RANKING_FEATURES, then of the ranker's score.

    Values up to ``stale_within`` old are explained; they are looked for at the instants of the ``ladder``,
    of which each takes a retrieval. The score is compared with what the bundle says of the
    served features. Raises ``KeyError`` for a bundle that ``bundles`` lacks.
    """
    if not len(served):
        return []
    replay = Replay.of(gateway, served, bundles)
    found = compare(served.matrix, replay.matrix(replay.present))
    found = with_stale(found, replay, stale_within, ladder)
    unexplained = found.unexplained(stale_within)
    features = [
        _feature(column, found, unexplained[:, column], replay, examples)
        for column in range(len(RANKING_FEATURES))
    ]
    return [*features, _score(served, bundles, examples)]


def _feature(
    column: int, found: Compared, unexplained: NDArray[np.bool_], replay: Replay, examples: int
) -> FeatureParity:
    verdicts, ages = found.verdicts[:, column], found.ages[:, column]
    counts = np.bincount(verdicts, minlength=len(Verdict))
    differing = unexplained if unexplained.any() else verdicts == Verdict.STALE
    worst = _worst(found, column, differing, examples)
    return FeatureParity(
        name=RANKING_FEATURES[column],
        values=len(verdicts),
        equal=int(counts[Verdict.EQUAL]),
        close=int(counts[Verdict.CLOSE]),
        stale=int(counts[Verdict.STALE]),
        missing=int(counts[Verdict.MISSING]),
        different=int(counts[Verdict.DIFFERENT]),
        unexplained=int(unexplained.sum()),
        oldest_seconds=float(np.nan_to_num(ages).max()),
        cause=likely_cause(_trace(column, found, differing, replay)) if differing.any() else "",
        examples=tuple(_example(replay.served, found, row, column) for row in worst),
    )


def _trace(column: int, found: Compared, differing: NDArray[np.bool_], replay: Replay) -> Trace:
    name = RANKING_FEATURES[column]
    served = replay.served
    now, elapsed = served.instants[served.page_of].astype(np.float64), np.full(len(served), np.nan)
    if name == "watch_velocity_now":
        elapsed = now - replay.present.members[s.LAST_WATCHED_AT][served.page_of]
    elif name == "log_decayed_plays_now":
        elapsed = now - replay.present.titles[s.DECAYED_PLAYS_AT]
    return Trace(
        name,
        found.served[differing, column].astype(np.float64),
        found.replayed[differing, column].astype(np.float64),
        found.verdicts[differing, column],
        found.served,
        found.replayed,
        elapsed[differing],
        found.ages[differing, column],
    )


def _worst(found: Compared, column: int, differing: NDArray[np.bool_], examples: int) -> list[int]:
    """Return the differing rows with the largest gaps, those of an unknown value first."""
    rows = np.flatnonzero(differing)
    gap = np.abs(found.served[rows, column] - found.replayed[rows, column])
    order = np.argsort(-np.where(np.isnan(gap), np.inf, gap), kind="stable")
    return [int(row) for row in rows[order][:examples]]


def _example(served: ServedPages, found: Compared, row: int, column: int) -> Example:
    age = float(found.ages[row, column])
    return _told(
        served, row, Verdict(int(found.verdicts[row, column])), float(found.served[row, column]),
        float(found.replayed[row, column]), None if np.isnan(age) else age,
    )  # fmt: skip


def _told(
    served: ServedPages, row: int, verdict: Verdict, value: float, expected: float, age: float | None = None
) -> Example:
    page = int(served.page_of[row])
    return Example(
        str(served.page_ids[page]), str(served.user_ids[page]), str(served.title_ids[row]),
        datetime.fromtimestamp(int(served.instants[page]) / 1e6, UTC), verdict.name.lower(),
        None if np.isnan(value) else value, None if np.isnan(expected) else expected, age,
    )  # fmt: skip


def _score(served: ServedPages, bundles: Mapping[str, BundleContents], examples: int) -> FeatureParity:
    """Compare the scores with those that each page's bundle gives the served features."""
    expected = np.empty(len(served), dtype=np.float32)
    for name in np.unique(served.bundles).tolist():
        rows = (served.bundles == name)[served.page_of]
        expected[rows] = Ranker.from_bytes(bundles[name].ranker).score(served.matrix[rows])
    gap = np.abs(served.scores - expected)
    equal, wrong = gap == 0, ~(gap <= _SCORE_TOLERANCE)
    worst = np.flatnonzero(wrong)[np.argsort(-gap[wrong], kind="stable")][:examples]
    told = [
        _told(served, int(row), Verdict.DIFFERENT, float(served.scores[row]), float(expected[row]))
        for row in worst
    ]
    cause = "another model: the page's bundle scores the served features otherwise" if wrong.any() else ""
    return FeatureParity(
        _SCORE, len(gap), int(equal.sum()), int((~equal & ~wrong).sum()), 0, 0, int(wrong.sum()),
        int(wrong.sum()), 0.0, cause, tuple(told),
    )  # fmt: skip
