"""What the impression log keeps of a page: rows of SHOWN_TILES, and of EXPLORED_SLOTS where it explored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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

Values = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What an explored tile was drawn from: rows of the catalogue with their probabilities, both (m,)."""

    rows: Rows
    probabilities: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ShownPage:
    """What is kept of a page until it is written: a few references and copies, and not what it was made from.

    ``features`` (tiles, features) are the rows of the ranker's input, tile by tile, None where it did not
    decide; ``drawn`` belongs to the explored titles; ``title_ids`` are those of the page's catalogue.
    """

    page: Homepage
    device: str
    held_out: bool
    features: NDArray[np.float32] | None
    drawn: Mapping[str, Drawn]
    title_ids: Sequence[str]
    tiles: int

    @classmethod
    def of(cls, made: MadePage) -> ShownPage:
        """Take from a made page what is logged."""
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
        )


class ImpressionLog(Protocol):
    """Takes in what members were shown; :class:`serving.impression_writer.ImpressionWriter` is one."""

    def offer(self, page: ShownPage) -> bool:
        """Take a page in, or refuse it where there is no room; never waits."""

    def close(self) -> bool:
        """Write what was taken in; return whether all of it is safe."""


def shown_tiles(pages: Sequence[ShownPage]) -> pa.Table:
    """Return a row per tile, as SHOWN_TILES, page by page from the top."""
    return _table(SHOWN_TILES, (tile for page in pages for tile in _tiles(page)))


def explored_slots(pages: Sequence[ShownPage]) -> pa.Table:
    """Return a row per explored tile, as EXPLORED_SLOTS."""
    return _table(EXPLORED_SLOTS, (slot for page in pages if page.drawn for slot in _slots(page)))


def _tiles(shown: ShownPage) -> Iterator[Values]:
    common = _of_the_page(shown)
    features = shown.features
    hashes = iter([None] * shown.tiles if features is None else features_hashes(features))
    for row_index, row in enumerate(shown.page.rows, start=1):
        for tile in row.tiles:
            yield common | {
                s.TITLE_ID: tile.title_id, s.ROW_TYPE: row.row_type, s.ROW_INDEX: row_index,
                s.POSITION: tile.position, s.PROPENSITY: tile.propensity, s.SOURCES: tile.sources,
                s.RETRIEVAL_SCORE: tile.retrieval_score, s.RANKING_SCORE: tile.ranking_score,
                s.FEATURES_HASH: next(hashes),
            }  # fmt: skip


def _slots(shown: ShownPage) -> Iterator[Values]:
    common = _of_the_page(shown)
    for row_index, row in enumerate(shown.page.rows, start=1):
        for tile in row.tiles:
            drawn = shown.drawn.get(tile.title_id)
            if drawn is not None:
                yield common | {
                    s.TITLE_ID: tile.title_id, s.ROW_INDEX: row_index, s.POSITION: tile.position,
                    STRATUM_TITLE_IDS: [shown.title_ids[title] for title in drawn.rows.tolist()],
                    STRATUM_PROPENSITIES: drawn.probabilities,
                }  # fmt: skip


def _of_the_page(shown: ShownPage) -> Values:
    page = shown.page
    return {
        s.PAGE_ID: page.page_id, s.USER_ID: page.user_id, s.EVENT_TIMESTAMP: page.generated_at,
        s.DEVICE_TYPE: shown.device or None, s.BUNDLE: page.bundle, s.HOLDOUT: shown.held_out,
        **{column: page.experiments.get(layer) for layer, column in ARMS.items()},
    }  # fmt: skip


def _table(table: s.Table, rows: Iterator[Values]) -> pa.Table:
    columns: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        for name, value in row.items():
            columns[name].append(value)
    schema = table.arrow_schema
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
