"""What the challenger would have shown, beside what the champion did: one record of numbers a page.

A record names no member, no title and no page, so that nothing of a member has to be deleted from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict

from serving.homepage import MadePage

TOP: Final = 40
"""Candidates at the top of the order that are compared, as many as a page has tiles at least."""
DECILES: Final = tuple(np.linspace(0, 1, 11).tolist())


class ShadowRecord(BaseModel):
    """One page made by both.

    ``overlap`` (0 to 1) is the share of the champion's TOP candidates that are among the challenger's TOP;
    ``correlation`` (-1 to 1) Spearman's rho of the places of candidates that both have. ``champion_scores``
    and ``challenger_scores`` are deciles (11) of what candidates were ordered by, ``differences`` those of
    challenger less champion over common candidates. All are null where the challenger failed (``error``),
    and those of scores where the two order by different things. Times are in milliseconds, stages only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime
    champion: str
    challenger: str
    device: str
    personal: bool
    champion_ms: float
    challenger_ms: float | None = None
    error: str | None = None
    champion_degraded: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    overlap: float | None = None
    correlation: float | None = None
    champion_scores: tuple[float, ...] | None = None
    challenger_scores: tuple[float, ...] | None = None
    differences: tuple[float, ...] | None = None


def compare(champion: MadePage, challenger: MadePage, at: datetime) -> ShadowRecord:
    """Compare the pages that two bundles made of one request."""
    ours, theirs = _order(champion), _order(challenger)
    scored = _by_the_same(champion, challenger)
    return ShadowRecord(
        **_of(champion, at),
        challenger=challenger.homepage.bundle,
        challenger_ms=milliseconds(challenger),
        degraded=tuple(challenger.homepage.degraded),
        overlap=overlap(list(ours), list(theirs)),
        correlation=rank_correlation(list(ours), list(theirs)),
        champion_scores=_deciles(list(ours.values())) if scored else None,
        challenger_scores=_deciles(list(theirs.values())) if scored else None,
        differences=_deciles([theirs[t] - ours[t] for t in ours if t in theirs]) if scored else None,
    )


def failed(champion: MadePage, challenger: str, error: Exception, at: datetime) -> ShadowRecord:
    """Return the record of a page that the challenger could not make: only the kind of error is kept."""
    return ShadowRecord(**_of(champion, at), challenger=challenger, error=type(error).__name__)


def milliseconds(made: MadePage) -> float:
    """Return what the stages of a page took together."""
    return sum(took for _, took in made.run.timings)


def overlap(ours: Sequence[str], theirs: Sequence[str], top: int = TOP) -> float | None:
    """Return which share of our ``top`` is in theirs; None where there is nothing to compare."""
    first = ours[:top]
    return len(set(first) & set(theirs[:top])) / len(first) if first else None


def rank_correlation(ours: Sequence[str], theirs: Sequence[str]) -> float | None:
    """Return Spearman's rho over what is in both orders, None for fewer than two.

    Without ties it is 1 - 6 Σd² / (n (n² - 1)), with d the differences of the n places (Spearman 1904).
    """
    place = {title: n for n, title in enumerate(theirs)}
    common = np.array([place[title] for title in ours if title in place])
    n = len(common)
    if n < 2:
        return None
    differences = np.argsort(np.argsort(common)) - np.arange(n)
    return float(1 - 6 * np.sum(differences.astype(np.float64) ** 2) / (n * (n * n - 1)))


def _of(champion: MadePage, at: datetime) -> dict[str, object]:
    page = champion.homepage
    return {
        "at": at, "champion": page.bundle, "device": champion.query.request.device,
        "personal": champion.query.member.personal, "champion_ms": milliseconds(champion),
        "champion_degraded": tuple(page.degraded),
    }  # fmt: skip


def _order(made: MadePage) -> dict[str, float]:
    """Return the candidates, best first, with what they were ordered by."""
    ranked, title_ids = made.assembled.ranked, made.query.catalogue.title_ids
    ids = [title_ids[row] for row in ranked.rows.tolist()]
    return dict(zip(ids, ranked.relevance.tolist(), strict=True))


def _by_the_same(champion: MadePage, challenger: MadePage) -> bool:
    return (champion.assembled.ranked.scores is None) == (challenger.assembled.ranked.scores is None)


def _deciles(scores: Sequence[float]) -> tuple[float, ...] | None:
    if not scores:
        return None
    found: NDArray[np.float64] = np.quantile(np.asarray(scores, dtype=np.float64), DECILES)
    return tuple(found.tolist()) if np.isfinite(found).all() else None
