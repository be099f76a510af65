"""The last resort: a page of what is popular in each country, made as a bundle comes into service.

It needs nothing but itself when it is served: no store, no model, no catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from feature_repo import schema as s
from serving.api.models import Homepage, Row
from serving.candidates.charts import EVERYWHERE
from serving.candidates.query import PageRequest
from serving.catalogue import Catalogue, Mask, Rows
from serving.models import Models

STATIC: Final = "page:static"
FIRST_ROW, GENRE_ROW, FEWEST = 12, 8, 4
"""Tiles of the first row, of a genre's row, and of one that is worth a row."""
MOST_TILES: Final = 60
_Shelf = tuple[str, str, tuple[tuple[str, str], ...]]
"""Row type, title, and (title id, name) of its tiles."""


@dataclass(frozen=True, slots=True, eq=False)
class StaticPages:
    """One page per country that has a chart, of titles that anybody there may be shown."""

    version: str
    shelves: Mapping[str, tuple[_Shelf, ...]]

    @classmethod
    def of(cls, models: Models, catalogue: Catalogue, now_us: float) -> StaticPages:
        """Lay the pages out, as of an instant in microseconds since 1970 UTC."""
        fit = ~catalogue.unavailable(now_us) & ~catalogue.unsuitable(catalogue.cautious_limit)
        charts = models.popularity
        countries = [segment for segment in charts.orders if "/" not in segment]
        return cls(
            models.version,
            {
                country: _shelves(charts.orders[country], fit & ~catalogue.outside(country), catalogue)
                for country in countries
            },
        )

    def page(self, request: PageRequest, page_id: str) -> Homepage:
        """Return the page of the request's country, else that of everywhere."""
        shelves = self.shelves.get(request.country or EVERYWHERE) or self.shelves[EVERYWHERE]
        return Homepage(
            user_id=request.user_id, page_id=page_id, generated_at=request.at, bundle=self.version,
            experiments={}, ui_variant=None, degraded=[STATIC], relaxed=[],
            rows=[_row(shelf) for shelf in shelves],
        )  # fmt: skip


def _shelves(order: Rows, fit: Mask, catalogue: Catalogue) -> tuple[_Shelf, ...]:
    open_rows = order[fit[order]]
    shelves = [_shelf("top_picks", "Popular Now", open_rows[:FIRST_ROW], catalogue)]
    open_rows, tiles = open_rows[FIRST_ROW:], len(shelves[0][2])
    for genre in np.argsort(-catalogue.genres[open_rows].sum(axis=0), kind="stable").tolist():
        own = open_rows[catalogue.genres[open_rows, genre]][:GENRE_ROW]
        if len(own) < FEWEST or tiles + len(own) > MOST_TILES:
            break
        shelves.append(_shelf("genre", s.GENRES[genre], own, catalogue))
        open_rows, tiles = open_rows[~np.isin(open_rows, own)], tiles + len(own)
    return tuple(shelf for shelf in shelves if shelf[2])


def _shelf(row_type: str, title: str, rows: Rows, catalogue: Catalogue) -> _Shelf:
    return row_type, title, tuple((catalogue.title_ids[row], catalogue.names[row]) for row in rows.tolist())


def _row(shelf: _Shelf) -> Row:
    row_type, title, tiles = shelf
    described = [
        {
            s.TITLE_ID: title_id, s.NAME: name, s.POSITION: position, "sources": ["popularity"],
            "reason": "Popular", "retrieval_score": 0.0, "ranking_score": None, s.PROPENSITY: 1.0,
        }
        for position, (title_id, name) in enumerate(tiles, start=1)
    ]  # fmt: skip
    return Row.model_validate(
        {s.ROW_TYPE: row_type, "title": title, "seed_title_id": None, "tiles": described}
    )
