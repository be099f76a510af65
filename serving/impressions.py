"""What the impression log keeps of a page: rows of SHOWN_TILES, and of EXPLORED_SLOTS where it explored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.log_tables import (
    ARMS,
    EXPLORED_SLOTS,
    SHOWN_TILES,
    STRATUM_PROPENSITIES,
    STRATUM_TITLE_IDS,
)
from feature_repo.transforms.features_hash import features_hashes
from serving.api.models import Homepage
from serving.catalogue import Rows
from serving.homepage import MadePage
from serving.served_features import RankerInput

Columns = dict[str, list[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What an explored tile was drawn from: rows of the catalogue with their probabilities, both (m,)."""

    rows: Rows
    probabilities: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ShownPage:
    """What is kept of a page until it is written: a few references and copies, and not what it was made from.

    ``features`` (tiles, features) are the rows of the ranker's input, tile by tile, None where it did not
    decide; ``drawn`` belongs to the explored titles; ``title_ids`` are those of the page's catalogue;
    ``ranker_input`` is there for pages in the sample that is replayed.
    """

    page: Homepage
    device: str
    held_out: bool
    features: NDArray[np.float32] | None
    drawn: Mapping[str, Drawn]
    title_ids: Sequence[str]
    tiles: int
    ranker_input: RankerInput | None = None

    @classmethod
    def of(cls, made: MadePage, parity_share: float = 0.0) -> ShownPage:
        """Take from a made page what is logged, with its whole ranker input for a share of the pages."""
        placed, ranked = made.assembled.page, made.assembled.ranked
        title_ids, places = made.query.catalogue.title_ids, placed.places
        decided = made.matrix is not None and ranked.order is not None
        return cls(
            page=made.homepage,
            device=made.query.request.device,
            held_out=made.held_out,
            features=made.matrix[ranked.order[places]] if decided else None,  # type: ignore[index]
            drawn={
                title_ids[ranked.rows[place]]: Drawn(ranked.rows[stratum.places], stratum.probabilities)
                for place, stratum in placed.strata.items()
            },
            title_ids=title_ids,
            tiles=len(places),
            ranker_input=RankerInput.of(made, parity_share),
        )


class ImpressionLog(Protocol):
    """Takes in what members were shown; :class:`serving.impression_writer.ImpressionWriter` is one."""

    def offer(self, page: ShownPage) -> bool:
        """Take a page in, or refuse it where there is no room; never waits."""

    def close(self) -> bool:
        """Write what was taken in; return whether all of it is safe."""


def shown_tiles(pages: Sequence[ShownPage]) -> pa.Table:
    """Return a row per tile, as SHOWN_TILES, page by page from the top."""
    return _table(SHOWN_TILES, map(_tiles, pages))


def explored_slots(pages: Sequence[ShownPage]) -> pa.Table:
    """Return a row per explored tile, as EXPLORED_SLOTS."""
    return _table(EXPLORED_SLOTS, (_slots(page) for page in pages if page.drawn))


def _tiles(shown: ShownPage) -> Columns:
    rows = shown.page.rows
    tiles = [tile for row in rows for tile in row.tiles]
    features = shown.features
    return _of_the_page(shown, len(tiles)) | {
        s.TITLE_ID: [tile.title_id for tile in tiles],
        s.ROW_TYPE: [row.row_type for row in rows for _ in row.tiles],
        s.ROW_INDEX: [row_index for row_index, row in enumerate(rows, start=1) for _ in row.tiles],
        s.POSITION: [tile.position for tile in tiles],
        s.PROPENSITY: [tile.propensity for tile in tiles],
        s.SOURCES: [tile.sources for tile in tiles],
        s.RETRIEVAL_SCORE: [tile.retrieval_score for tile in tiles],
        s.RANKING_SCORE: [tile.ranking_score for tile in tiles],
        s.FEATURES_HASH: [None] * len(tiles) if features is None else features_hashes(features),
    }


def _slots(shown: ShownPage) -> Columns:
    drawn, title_ids = shown.drawn, shown.title_ids
    slots = [
        (row_index, tile)
        for row_index, row in enumerate(shown.page.rows, start=1)
        for tile in row.tiles
        if tile.title_id in drawn
    ]
    strata = [drawn[tile.title_id] for _, tile in slots]
    return _of_the_page(shown, len(slots)) | {
        s.TITLE_ID: [tile.title_id for _, tile in slots],
        s.ROW_INDEX: [row_index for row_index, _ in slots],
        s.POSITION: [tile.position for _, tile in slots],
        STRATUM_TITLE_IDS: [[title_ids[title] for title in stratum.rows.tolist()] for stratum in strata],
        STRATUM_PROPENSITIES: [stratum.probabilities for stratum in strata],
    }


def _of_the_page(shown: ShownPage, tiles: int) -> Columns:
    page = shown.page
    values: dict[str, Any] = {
        s.PAGE_ID: page.page_id, s.USER_ID: page.user_id, s.EVENT_TIMESTAMP: page.generated_at,
        s.DEVICE_TYPE: shown.device or None, s.BUNDLE: page.bundle, s.HOLDOUT: shown.held_out,
        **{column: page.experiments.get(layer) for layer, column in ARMS.items()},
    }  # fmt: skip
    return {name: [value] * tiles for name, value in values.items()}


def _table(table: s.Table, pages: Iterable[Columns]) -> pa.Table:
    columns: defaultdict[str, list[Any]] = defaultdict(list)
    for page in pages:
        for name, values in page.items():
            columns[name] += values
    schema = table.arrow_schema
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
