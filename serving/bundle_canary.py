"""Pages that a bundle must be able to make before a member sees one, and those it is warmed up with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import numpy as np

from feature_repo import schema as s
from serving.background_pace import Pace
from serving.bundle_validation import BundleRefusedError
from serving.candidates.query import PageRequest
from serving.homepage import HomepageMaker, MadePage
from serving.members import FeatureReader
from serving.metrics import Unobserved
from serving.recent_requests import RecentRequest
from serving.settings import ServingSettings
from serving.state import ServingState

WARM_UP_PAGES: Final = 40
"""XGBoost's first calls take several times as long as later ones."""
STRANGER: Final = "canary-stranger"
"""Stands for somebody whom no table knows."""
_SEED: Final = 0


def canary_requests(user_ids: Sequence[str], members: int, at: datetime) -> list[PageRequest]:
    """Return the requests that a bundle is tried with: the same members of a bundle whenever it is tried,
    on all devices in turn, and a stranger on each.
    """
    chosen = np.random.default_rng(_SEED).permutation(len(user_ids))[:members]
    requests = [
        PageRequest(user_ids[row], s.DEVICES[place % len(s.DEVICES)], at)
        for place, row in enumerate(sorted(chosen.tolist()))
    ]
    return requests + [PageRequest(STRANGER, device, at) for device in s.DEVICES]


def check_pages(
    reader: FeatureReader,
    state: ServingState,
    user_ids: Sequence[str],
    settings: ServingSettings,
    pace: Pace,
) -> None:
    """Make the canary's pages. Raises ``BundleRefusedError`` for one that is not whole, and what the feature
    store does where that is away, which is not the bundle's fault.
    """
    maker = HomepageMaker(reader, Unobserved(), settings=settings)
    judged, constant = 0, 0
    requests = canary_requests(user_ids, settings.bundles.canary_members, state.clock())
    for request in pace.steps(requests):
        made = _made(maker, reader, state, request)
        _check_whole(made)
        spread = _spread_of_scores(made)
        judged, constant = judged + (spread is not None), constant + (spread == 0)
    if judged and constant == judged:
        raise BundleRefusedError(
            "ranker", f"ranker: the same score for all candidates on {judged} pages; train a new bundle"
        )


def warm_up(
    reader: FeatureReader,
    state: ServingState,
    user_ids: Sequence[str],
    recent: Sequence[RecentRequest],
    pages: int,
    pace: Pace,
) -> None:
    """Make ``pages`` pages before anybody waits for one: those asked for last, else those of some members."""
    maker = HomepageMaker(reader, Unobserved())
    at = state.clock()
    for request in pace.steps(_warming(user_ids or [state.example_user_id], recent, pages, at)):
        maker.make(state, request)


def _warming(
    user_ids: Sequence[str], recent: Sequence[RecentRequest], pages: int, at: datetime
) -> Iterator[PageRequest]:
    for request in recent[:pages]:
        yield PageRequest(request.user_id, request.device, at, request.country)
    members = user_ids[:: max(1, len(user_ids) // pages)][:pages]
    for page in range(len(recent[:pages]), pages):
        yield PageRequest(members[page % len(members)], s.DEVICES[page % len(s.DEVICES)], at)


def _made(maker: HomepageMaker, reader: FeatureReader, state: ServingState, request: PageRequest) -> MadePage:
    made = maker.make(state, request)
    if made.homepage.degraded:
        # A store that went away meanwhile raises here; one that is back must not count against the bundle.
        reader.member_features(request.user_id, request.at)
        made = maker.make(state, request)
    return made


def _check_whole(made: MadePage) -> None:
    page, request = made.homepage, made.query.request
    titles = [tile.title_id for row in page.rows for tile in row.tiles]
    fewest = made.rules.fewest_tiles
    # Among few titles caps and rows may leave less; then a page as short as it must be is whole.
    enough = int(np.count_nonzero(made.query.eligible)) >= 2 * fewest
    if page.degraded:
        found = f"failed in {', '.join(page.degraded)}"
    elif not titles:
        found = "has no rows"
    elif enough and len(titles) < fewest:
        found = f"has {len(titles)} tiles, expected {fewest} at least"
    elif len(set(titles)) < len(titles):
        found = f"shows {next(title for title in titles if titles.count(title) > 1)} twice"
    else:
        return
    raise BundleRefusedError(
        "canary",
        f"the page of {request.user_id} on {request.device} {found}; see the log, and train a new bundle",
    )


def _spread_of_scores(made: MadePage) -> float | None:
    """Return how far the ranker's scores of a page lie apart, None where it did not decide among several.

    Raises ``BundleRefusedError`` for a score that is not finite.
    """
    scores = made.assembled.ranked.scores
    if scores is None or len(scores) < 2:
        return None
    if not np.isfinite(scores).all():
        raise BundleRefusedError(
            "ranker", f"ranker: scores that are not finite for {made.homepage.user_id}; train a new bundle"
        )
    return float(np.ptp(scores))
