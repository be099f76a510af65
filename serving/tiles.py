"""From placed rows to the page as it is answered: names, sources and reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from feature_repo import schema as s
from feature_repo.transforms import candidate_mix as mix
from feature_repo.transforms.candidate_mix import Merged
from serving.api.models import Row, Tile
from serving.candidates.generators import CATALOGUE
from serving.candidates.query import Query
from serving.page.placing import PlacedRow
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
_ROW_REASONS: Final = {
    "continue_watching": "Continue watching",
    "trending_now": "Trending now",
    "new_releases": "New",
}


def describe(query: Query, page: Sequence[PlacedRow], merged: Merged, ranked: Ranked) -> list[Row]:
    """Return the rows with everything a reader of the page is told."""
    retrieval = dict(zip(merged.rows.tolist(), merged.scores.tolist(), strict=True))
    ranking: dict[int, float] = {}
    if ranked.scores is not None:
        ranking = dict(zip(ranked.rows.tolist(), ranked.scores.tolist(), strict=True))
    catalogue = query.catalogue
    rows = []
    for placed in page:
        tiles = [
            Tile(
                title_id=catalogue.title_ids[title],
                name=catalogue.names[title],
                position=position,
                sources=list(merged.sources[title]),
                reason=_reason(placed, merged.sources[title]),
                retrieval_score=retrieval[title],
                ranking_score=ranking.get(title),
                propensity=DETERMINISTIC,
            )
            for position, title in enumerate(placed.titles, start=1)
        ]
        seed = None if placed.seed is None else catalogue.title_ids[placed.seed]
        rows.append(Row.model_validate({
            s.ROW_TYPE: placed.row_type, "title": placed.title, "seed_title_id": seed, "tiles": tiles,
        }))  # fmt: skip
    return rows


def _reason(row: PlacedRow, sources: Sequence[str]) -> str:
    if row.seed is not None:
        return row.title
    if row.row_type in _ROW_REASONS:
        return _ROW_REASONS[row.row_type]
    return next(reason for source, reason in _REASONS if source in sources)
