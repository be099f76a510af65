"""What the impression log keeps of a page: rows of SHOWN_TILES, and of EXPLORED_SLOTS where it explored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Protocol

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

Columns = Mapping[str, Sequence[Any]]
_PAGES_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What an explored tile was drawn from: rows of the catalogue with their probabilities, both (m,)."""

    rows: Rows
    probabilities: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ShownPage:
    """What is kept of a page until it is written: a few tuples and copies, and not what it was made from.

    Hundreds of pages wait at a time. Their tiles as objects, each with its dictionaries, would make Python's
    collector go over all of them again and again while pages are made; it does not look into plain tuples.

    ``of_page`` has a value per column, ``of_tiles`` one per tile, from the top. ``features`` are the rows of
    the ranker's input, (tiles, features), None where it did not decide; ``drawn`` belongs to the explored
    titles; ``title_ids`` are those of the page's catalogue; ``ranker_input`` is there for pages in the sample
    that is replayed.
    """

    of_page: Mapping[str, Any]
    of_tiles: Columns
    features: NDArray[np.float32] | None
    drawn: Mapping[str, Drawn]
    title_ids: Sequence[str]
    ranker_input: RankerInput | None = None

    @classmethod
    def of(cls, made: MadePage, parity_share: float = 0.0) -> ShownPage:
        """Take from a made page what is logged, with its whole ranker input for a share of the pages."""
        placed, ranked = made.assembled.page, made.assembled.ranked
        title_ids, places = made.query.catalogue.title_ids, placed.places
        decided = made.matrix is not None and ranked.order is not None
        return cls(
            of_page=_of_page(made),
            of_tiles=_of_tiles(made.homepage),
            features=made.matrix[ranked.order[places]] if decided else None,  # type: ignore[index]
            drawn={
                title_ids[ranked.rows[place]]: Drawn(ranked.rows[stratum.places], stratum.probabilities)
                for place, stratum in placed.strata.items()
            },
            title_ids=title_ids,
            ranker_input=RankerInput.of(made, parity_share),
        )

    @property
    def tiles(self) -> int:
        """How many tiles the page has."""
        return len(self.of_tiles[s.TITLE_ID])


def _of_page(made: MadePage) -> dict[str, Any]:
    page = made.homepage
    return {
        s.PAGE_ID: page.page_id, s.USER_ID: page.user_id, s.EVENT_TIMESTAMP: page.generated_at,
        s.DEVICE_TYPE: made.query.request.device or None, s.BUNDLE: page.bundle, s.HOLDOUT: made.held_out,
        **{column: page.experiments.get(layer) for layer, column in ARMS.items()},
    }  # fmt: skip


def _of_tiles(page: Homepage) -> dict[str, tuple[Any, ...]]:
    rows = page.rows
    tiles = [tile for row in rows for tile in row.tiles]
    return {
        s.TITLE_ID: tuple([tile.title_id for tile in tiles]),
        s.ROW_TYPE: tuple([row.row_type for row in rows for _ in row.tiles]),
        s.ROW_INDEX: tuple([row_index for row_index, row in enumerate(rows, start=1) for _ in row.tiles]),
        s.POSITION: tuple([tile.position for tile in tiles]),
        s.PROPENSITY: tuple([tile.propensity for tile in tiles]),
        s.SOURCES: tuple([tuple(tile.sources) for tile in tiles]),
        s.RETRIEVAL_SCORE: tuple([tile.retrieval_score for tile in tiles]),
        s.RANKING_SCORE: tuple([tile.ranking_score for tile in tiles]),
    }


class ImpressionLog(Protocol):
    """Takes in what members were shown; :class:`serving.impression_writer.ImpressionWriter` is one."""

    def offer(self, page: ShownPage) -> bool:
        """Take a page in, or refuse it where there is no room; never waits."""

    def close(self) -> bool:
        """Write what was taken in; return whether all of it is safe."""


def shown_tiles(pages: Sequence[ShownPage]) -> pa.Table:
    """Return a row per tile, as SHOWN_TILES, page by page from the top."""
    return _table(SHOWN_TILES, pages, [_tiles(page) for page in pages])


def explored_slots(pages: Sequence[ShownPage]) -> pa.Table:
    """Return a row per explored tile, as EXPLORED_SLOTS."""
    explored = [page for page in pages if page.drawn]
    return _table(EXPLORED_SLOTS, explored, [_slots(page) for page in explored])


def _tiles(shown: ShownPage) -> Columns:
    features = shown.features
    hashes = [None] * shown.tiles if features is None else features_hashes(features)
    return {**shown.of_tiles, s.FEATURES_HASH: hashes}


def _slots(shown: ShownPage) -> Columns:
    drawn, title_ids, titles = shown.drawn, shown.title_ids, shown.of_tiles[s.TITLE_ID]
    slots = [number for number, title_id in enumerate(titles) if title_id in drawn]
    strata = [drawn[titles[slot]] for slot in slots]
    return {
        **{name: [values[slot] for slot in slots] for name, values in shown.of_tiles.items()},
        STRATUM_TITLE_IDS: [[title_ids[title] for title in stratum.rows.tolist()] for stratum in strata],
        STRATUM_PROPENSITIES: [stratum.probabilities for stratum in strata],
    }


def _table(table: s.Table, pages: Sequence[ShownPage], columns: Sequence[Columns]) -> pa.Table:
    """Return the rows of all pages, each with its own ``columns``."""
    page = np.repeat(np.arange(len(pages)), [len(one[s.TITLE_ID]) for one in columns])
    schema, of_page = table.arrow_schema, pages[0].of_page if pages else {}
    return pa.table(
        [
            pa.array([one.of_page[field.name] for one in pages], field.type).take(page)
            if field.name in of_page
            else _column([one[field.name] for one in columns], field.type)
            for field in schema
        ],
        schema=schema,
    )


def _column(pages: Sequence[Sequence[Any]], kind: pa.DataType) -> pa.Array:
    """Join the values of all pages, some pages at a time: a conversion lets no other thread have its turn."""
    some = (pages[begin : begin + _PAGES_AT_ONCE] for begin in range(0, len(pages), _PAGES_AT_ONCE))
    return pa.concat_arrays(
        [pa.array([], kind), *(_array(list(chain.from_iterable(few)), kind) for few in some)]
    )


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return a column; of lists, all values are converted at once, which takes a third of the time."""
    if not pa.types.is_list(kind):
        return pa.array(values, kind)
    ends = np.cumsum([0, *map(len, values)], dtype=np.int32)
    numbers = len(values) > 0 and isinstance(values[0], np.ndarray)
    flat = np.concatenate(values) if numbers else list(chain.from_iterable(values))
    return pa.ListArray.from_arrays(ends, pa.array(flat, kind.value_type), kind)
