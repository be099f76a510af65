"""What servers write of the pages they answer; ``schema.IMPRESSIONS`` is made of it and of the events."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from feature_repo import schema as s
from feature_repo.tables import Column, Table

STRATUM_TITLE_IDS: Final = "stratum_title_ids"
STRATUM_PROPENSITIES: Final = "stratum_propensities"
OUTCOMES: Final = (s.PLAYED, s.WATCH_FRACTION, s.CLICKED)
"""The columns of an impression that are known only later."""
FEATURES: Final = "features"
COLUMNS_HASH: Final = "ranking_features_hash"
TITLES_TAKEN_AT: Final = "titles_taken_at"
SHOWN: Final = "shown"
ARMS: Final = {layer: f"{layer}_arm" for layer in s.LAYERS}
"""Layer to the column that holds a page's arm in it."""

SHOWN_TILES: Final = Table(
    "shown_tiles", "Tiles as the servers wrote them, before anything came of them.",
    (s.PAGE_ID, s.TITLE_ID),
    tuple(column for column in s.IMPRESSIONS.columns if column.name not in OUTCOMES),
)  # fmt: skip

_of_the_tile = (
    s.PAGE_ID, s.USER_ID, s.TITLE_ID, s.EVENT_TIMESTAMP, s.DEVICE_TYPE, s.ROW_INDEX, s.POSITION,
)  # fmt: skip

EXPLORED_SLOTS: Final = Table(
    "explored_slots", "Tiles that were drawn at random, each with the titles it was drawn from.",
    (s.PAGE_ID, s.TITLE_ID),
    (
        *(s.IMPRESSIONS.column(name) for name in _of_the_tile),
        Column(STRATUM_TITLE_IDS, pa.list_(pa.string()), "what it was drawn from, itself among them"),
        Column(STRATUM_PROPENSITIES, pa.list_(pa.float32()), "probability of each; sums to 1",
               minimum=0.0, maximum=1.0),
        *(s.IMPRESSIONS.column(name) for name in (s.BUNDLE, *ARMS.values(), s.HOLDOUT)),
    ),
)  # fmt: skip

SERVED_FEATURES: Final = Table(
    "served_features", "The ranker's input as served: every candidate of a sampled share of the pages.",
    (s.PAGE_ID, s.TITLE_ID),
    (
        *(s.IMPRESSIONS.column(name) for name in (
            s.PAGE_ID, s.USER_ID, s.TITLE_ID, s.EVENT_TIMESTAMP, s.DEVICE_TYPE, s.BUNDLE, s.RANKING_SCORE,
        )),
        Column(TITLES_TAKEN_AT, pa.timestamp("us", tz="UTC"), "instant of the server's title snapshot"),
        Column(SHOWN, pa.bool_(), "whether the candidate became a tile of the page"),
        Column(COLUMNS_HASH, pa.string(), "SHA-256 of the names of the columns of ``features``"),
        Column(FEATURES, pa.list_(pa.float32()), "RANKING_FEATURES in order; NaN where unknown"),
    ),
)  # fmt: skip
"""Joined with nothing: ``python -m training parity`` replays it."""

LOG_TABLES: Final = (SHOWN_TILES, EXPLORED_SLOTS, SERVED_FEATURES)
