"""From placed rows to the page as it is answered: names, sources and reasons."""

from __future__ import annotations

from functools import lru_cache
from math import isnan
from typing import Any, Final

from feature_repo import schema as s
from feature_repo.page.assembly import Page, PlacedRow
from feature_repo.page.row_plans import CONTINUE_WATCHING, NEW_RELEASES, TOP_PICKS, TRENDING_NOW
from feature_repo.transforms import candidate_mix as mix
from feature_repo.transforms.candidate_mix import Merged
from serving.api.models import Row
from serving.candidates.generators import CATALOGUE
from serving.candidates.query import Query
from serving.page.ranked import Ranked

DETERMINISTIC: Final = 1.0
"""The propensity of a tile that was bound to be shown."""
_REASONS: Final = (
    (mix.CONTINUE_WATCHING, "You began this"),
    (mix.ALS, "Matches your taste"),
    (mix.TWO_TOWER, "About what you like"),
    (mix.SIMILAR, "Like something you watched"),
    (mix.TRENDING_IN_COUNTRY, "Trending in your country"),
    (mix.TRENDING, "Trending"),
    (mix.POPULARITY, "Popular"),
    (mix.NEW_TITLES, "New"),
    (CATALOGUE, "In the catalogue"),
)
"""What a personal row says about a tile, by the first of these generators that found it."""
EXPLORED: Final = "Something different"
_ROW_REASONS: Final = {
    CONTINUE_WATCHING: "Continue watching",
    TRENDING_NOW: "Trending now",
    NEW_RELEASES: "New",
}
_ROW_TITLES: Final = {
    CONTINUE_WATCHING: "Continue Watching",
    TOP_PICKS: "Top Picks for You",
    TRENDING_NOW: "Trending Now",
    NEW_RELEASES: "New Releases",
}


def describe(query: Query, page: Page, merged: Merged, ranked: Ranked) -> list[Row]:
    """Return the rows with everything a reader of the page is told."""
    catalogue = query.catalogue
    watched = dict(query.member.recent)

    def tile(placed: PlacedRow, position: int, place: int) -> dict[str, Any]:
        title = int(ranked.rows[place])
        propensity = page.propensities.get(place)
        return {
            s.TITLE_ID: catalogue.title_ids[title],
            s.NAME: catalogue.names[title],
            s.POSITION: position,
            "sources": merged.sources[title],
            "reason": EXPLORED if propensity is not None else _reason(query, placed, merged.sources[title]),
            "retrieval_score": float(ranked.retrieval[place]),
            "ranking_score": None if ranked.scores is None else float(ranked.scores[place]),
            s.PROPENSITY: DETERMINISTIC if propensity is None else propensity,
            s.WATCH_FRACTION: _fraction(watched.get(catalogue.title_ids[title])),
        }

    described = []
    for placed in page.rows:
        tiles = [tile(placed, position, place) for position, place in enumerate(placed.places, start=1)]
        seed = None if placed.seed is None else catalogue.title_ids[placed.seed]
        described.append(Row.model_validate({
            s.ROW_TYPE: placed.row_type, "title": row_title(query, placed), "seed_title_id": seed,
            "tiles": tiles,
        }))  # fmt: skip
    return described


def row_title(query: Query, row: PlacedRow) -> str:
    """Name a row after what it is: picks for somebody we know, what is popular for others."""
    if row.seed is not None:
        return f"Because You Watched {query.catalogue.names[row.seed]}"
    if row.genre is not None:
        return s.GENRES[row.genre]
    if row.row_type == TOP_PICKS and not query.member.personal:
        return "Popular Now"
    return _ROW_TITLES[row.row_type]


def _fraction(watched: float | None) -> float | None:
    return None if watched is None or isnan(watched) else min(max(watched, 0.0), 1.0)


def _reason(query: Query, row: PlacedRow, sources: tuple[str, ...]) -> str:
    if row.seed is not None:
        return row_title(query, row)
    if row.row_type in _ROW_REASONS:
        return _ROW_REASONS[row.row_type]
    return _found_by(sources)


@lru_cache(maxsize=512)
def _found_by(sources: tuple[str, ...]) -> str:
    return next(reason for source, reason in _REASONS if source in sources)
