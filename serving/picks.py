"""Titles to pick at sign-up: popular ones, far enough apart that a pick says something."""

from __future__ import annotations

from collections import Counter
from math import ceil
from typing import Final

from feature_repo.page.shelf import NO_FRANCHISE
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.candidate_mix import segments_of
from serving.state import ServingState

GENRE_SHARE: Final = 0.2
"""Share of the titles offered that may be of one genre, as long as there are others."""


def titles_to_pick(state: ServingState, country: str, language: str, limit: int) -> list[int]:
    """Return up to ``limit`` rows of the catalogue, the most popular first; "" for what is not known.

    They are on the service and offered in the country. No two are of one franchise, and none is of a genre
    that a fifth of them have already; where that leaves too few, popular ones that were passed over follow.
    """
    catalogue, charts = state.catalogue, state.models.popularity
    away = catalogue.unavailable(float(epoch_microseconds(state.clock()))) | catalogue.outside(country)
    order = charts.orders[charts.narrowest(segments_of(country, language))]
    offered = order[~away[order]].tolist()
    most = ceil(limit * GENRE_SHARE)
    of_genre: Counter[int] = Counter()
    franchises: set[int] = set()
    chosen: list[int] = []
    for row in offered:
        genres, franchise = catalogue.genres[row].nonzero()[0].tolist(), int(catalogue.franchises[row])
        if franchise in franchises or any(of_genre[genre] >= most for genre in genres):
            continue
        of_genre.update(genres)
        franchises |= {franchise} - {NO_FRANCHISE}
        chosen.append(row)
        if len(chosen) == limit:
            return chosen
    taken = set(chosen)
    passed_over = [row for row in offered if row not in taken]
    return chosen + passed_over[: limit - len(chosen)]
