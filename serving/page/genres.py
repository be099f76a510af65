"""The genres of a page: which get a row, and how many the first tiles span."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from serving.candidates.query import Query
from serving.catalogue import NO_FRANCHISE, Rows
from serving.page.placing import PlacedRow, Placing

Genres = NDArray[np.bool_]
"""(titles, genres)"""


def genres_by_preference(query: Query, rows: Rows) -> list[int]:
    """Return the genres found among ``rows``, the member's favourite first, ties by how many titles."""
    counts = query.catalogue.genres[rows].sum(axis=0)
    preference = np.nan_to_num(query.member.features[s.GENRE_PREFERENCE][0])
    order = np.lexsort((-counts, -preference))
    favourites: list[int] = order[counts[order] > 0].tolist()
    return favourites


def spread_genres(page: Sequence[PlacedRow], ranked: Sequence[int], placing: Placing, genres: Genres) -> None:
    """Exchange last tiles of the first row of new titles until the tiles in view span enough genres.

    Judged over the page, not inside a row: where other rows bring variety, the first row stays as it is.
    Each exchange brings in the best candidate of a genre not yet in view, and must widen the span.
    """
    offered = [row for row in page if row.row_type != s.ROW_TYPES[0]]
    if not offered:
        return
    first = offered[0].titles
    span = _span(page, placing, genres)
    for place in reversed(range(len(first))):
        if span.sum() >= placing.layout.genres_in_view:
            return
        newcomer = _best_of_new_genre(first, place, span, ranked, placing, genres)
        if newcomer is None:
            return
        displaced, first[place] = first[place], newcomer
        widened = _span(page, placing, genres)
        if widened.sum() <= span.sum():
            first[place] = displaced
            continue
        placing.remove([displaced])
        placing.place([newcomer])
        span = widened


def _span(page: Sequence[PlacedRow], placing: Placing, genres: Genres) -> NDArray[np.bool_]:
    in_view = [title for row in page for title in row.titles][: placing.layout.tiles_in_view]
    spanned: NDArray[np.bool_] = np.logical_or.reduce(genres[in_view], axis=0)
    return spanned


def _best_of_new_genre(
    row: Sequence[int],
    place: int,
    span: NDArray[np.bool_],
    ranked: Sequence[int],
    placing: Placing,
    genres: Genres,
) -> int | None:
    neighbours = {placing.franchises[title] for i, title in enumerate(row) if i != place} - {NO_FRANCHISE}
    for title in ranked:
        new = (genres[title] & ~span).any()
        if new and title not in placing.used and placing.franchises[title] not in neighbours:
            return title
    return None
