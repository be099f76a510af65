"""From viewings and tiles to rows of schema.EVENTS and schema.IMPRESSIONS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.simulation.catalogue import Catalogue
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.history import Searches, Tiles
from feature_repo.simulation.sessions import Sessions
from feature_repo.simulation.viewing import Viewings
from feature_repo.simulation.world import World
from feature_repo.transforms.decay import MICROSECONDS_PER_SECOND

_PROGRESS_AT: Final = (0.25, 0.5, 0.75)
_HOVER_SHARE: Final = 0.05
_THUMBS_SHARE: Final = 0.06
_SECONDS_PER_TILE: Final = 4
_SEARCH_AFTER_SECONDS: Final = 100
_CODE: Final = {event_type: code for code, event_type in enumerate(s.EVENT_TYPES)}


@dataclass(frozen=True, slots=True)
class _Rows:
    """Events as arrays; NaN where a fraction or a duration does not apply."""

    users: NDArray[np.int64]
    titles: NDArray[np.int64]
    types: NDArray[np.int64]
    timestamps_us: NDArray[np.int64]
    fractions: NDArray[np.float64]
    minutes: NDArray[np.float64]
    devices: NDArray[np.int64]


def events_table(
    world: World,
    catalogue: Catalogue,
    sessions: Sessions,
    tiles: Tiles,
    searches: Searches,
    viewings: Viewings,
    rng: np.random.Generator,
) -> pa.Table:
    """Return all events before the window's end in order of time, as schema.EVENTS.

    A viewing is play, progress at each quarter reached, then complete (from COMPLETION_FRACTION) or pause;
    ``duration_minutes`` counts from the event before, so a viewing's durations sum to the time watched.
    """
    parts = [
        _watch_rows(catalogue, viewings),
        _thumbs_rows(catalogue, viewings, rng),
        _hover_rows(sessions, tiles, rng),
        _search_rows(sessions, searches),
    ]
    joined = {name: np.concatenate([getattr(p, name) for p in parts]) for name in _Rows.__slots__}
    kept = np.flatnonzero(joined["timestamps_us"] < world.end_us)
    kept = kept[np.argsort(joined["timestamps_us"][kept], kind="stable")]
    rows = _Rows(**{name: array[kept] for name, array in joined.items()})
    values = {
        s.EVENT_ID: _numbered("e", np.arange(1, len(kept) + 1)),
        s.USER_ID: _taken(world.user_ids, rows.users),
        s.TITLE_ID: _taken(world.title_ids, rows.titles),
        s.EVENT_TYPE: _taken(s.EVENT_TYPES, rows.types),
        s.EVENT_TIMESTAMP: rows.timestamps_us,
        s.WATCH_FRACTION: pa.array(rows.fractions.astype(np.float32), from_pandas=True),
        s.DURATION_MINUTES: pa.array(rows.minutes.astype(np.float32), from_pandas=True),
        s.DEVICE_TYPE: _taken(s.DEVICES, rows.devices),
    }
    return _as_table(s.EVENTS, values)


def impressions_table(
    world: World,
    sessions: Sessions,
    tiles: Tiles,
    played_fractions: NDArray[np.float64],
    config: SimulationConfig,
) -> pa.Table:
    """Return one row per tile shown, as schema.IMPRESSIONS; ``played_fractions`` as draw_viewings gives.

    All rows of the logging policy's pages are personal, of the type ``top_picks``.
    """
    fractions = np.full(len(tiles.titles), np.nan, dtype=np.float32)
    fractions[tiles.played] = played_fractions
    values = {
        s.PAGE_ID: _numbered("p", tiles.sessions + 1),
        s.USER_ID: _taken(world.user_ids, sessions.users[tiles.sessions]),
        s.TITLE_ID: _taken(world.title_ids, tiles.titles),
        s.EVENT_TIMESTAMP: sessions.started_us[tiles.sessions],
        s.DEVICE_TYPE: _taken(s.DEVICES, sessions.devices[tiles.sessions]),
        s.ROW_TYPE: _taken(("top_picks",), np.zeros(len(tiles.titles), dtype=np.int64)),
        s.ROW_INDEX: tiles.slots // config.row_tiles + 1,
        s.POSITION: tiles.slots % config.row_tiles + 1,
        s.PROPENSITY: tiles.propensities.astype(np.float32),
        s.PLAYED: tiles.played,
        s.CLICKED: tiles.played,
        s.WATCH_FRACTION: pa.array(fractions, from_pandas=True),
    }
    return _as_table(s.IMPRESSIONS, values)


def _as_table(table: s.Table, values: dict[str, pa.Array | NDArray[np.generic]]) -> pa.Table:
    """Return ``values`` as a table; a column that has none is null throughout."""
    schema = table.arrow_schema
    rows = len(values[schema.names[0]])
    columns = [
        pa.array(values[field.name]).cast(field.type) if field.name in values else pa.nulls(rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _taken(vocabulary: NDArray[np.str_] | tuple[str, ...], codes: NDArray[np.int64]) -> pa.Array:
    return pa.array(vocabulary, pa.string()).take(pa.array(codes))


def _numbered(prefix: str, numbers: NDArray[np.int64]) -> pa.Array:
    padded = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 9, "0")
    return pc.binary_join_element_wise(prefix, padded, "")


def _watch_rows(catalogue: Catalogue, viewings: Viewings) -> _Rows:
    count = len(viewings.titles)
    marks = np.array([0.0, *_PROGRESS_AT])
    fractions = np.column_stack([np.tile(marks, (count, 1)), viewings.fractions])
    reached = fractions < viewings.fractions[:, None]
    reached[:, -1] = True
    # The last mark reached before the end, where the final event's duration starts.
    before_end = marks[reached[:, :-1].sum(axis=1) - 1]
    since = np.column_stack(
        [np.tile(np.diff(marks, prepend=0.0), (count, 1)), viewings.fractions - before_end]
    )
    ending = np.where(viewings.fractions >= s.COMPLETION_FRACTION, _CODE["complete"], _CODE["pause"])
    start = [_CODE["play"]] + [_CODE["progress"]] * len(_PROGRESS_AT)
    types = np.column_stack([np.tile(start, (count, 1)), ending])
    viewing, mark = np.nonzero(reached)
    runtime = catalogue.runtime_minutes[viewings.titles].astype(np.float64)[viewing]
    elapsed_us = fractions[viewing, mark] * runtime * 60 * MICROSECONDS_PER_SECOND
    return _Rows(
        users=viewings.users[viewing],
        titles=viewings.titles[viewing],
        types=types[viewing, mark],
        timestamps_us=viewings.started_us[viewing] + elapsed_us.astype(np.int64),
        fractions=fractions[viewing, mark],
        minutes=since[viewing, mark] * runtime,
        devices=viewings.devices[viewing],
    )


def _thumbs_rows(catalogue: Catalogue, viewings: Viewings, rng: np.random.Generator) -> _Rows:
    """A few who finish give a thumb up, a few who give up early a thumb down, ten seconds later."""
    up = viewings.fractions >= s.COMPLETION_FRACTION
    voting = (up | (viewings.fractions < 0.2)) & (rng.random(len(up)) < _THUMBS_SHARE)
    watched = viewings.fractions * catalogue.runtime_minutes[viewings.titles] * 60 + 10
    after = viewings.started_us + (watched * MICROSECONDS_PER_SECOND).astype(np.int64)
    types = np.where(up, _CODE["thumbs_up"], _CODE["thumbs_down"])[voting]
    return _plain_rows(
        viewings.users[voting], viewings.titles[voting], types, after[voting], viewings.devices[voting]
    )


def _hover_rows(sessions: Sessions, tiles: Tiles, rng: np.random.Generator) -> _Rows:
    hovered = tiles.examined & ~tiles.played & (rng.random(len(tiles.titles)) < _HOVER_SHARE)
    rows = tiles.sessions[hovered]
    seconds = (tiles.slots[hovered] + 1) * _SECONDS_PER_TILE
    when = sessions.started_us[rows] + seconds * MICROSECONDS_PER_SECOND
    types = np.full(len(rows), _CODE["hover"])
    return _plain_rows(sessions.users[rows], tiles.titles[hovered], types, when, sessions.devices[rows])


def _search_rows(sessions: Sessions, searches: Searches) -> _Rows:
    rows = searches.sessions
    when = sessions.started_us[rows] + _SEARCH_AFTER_SECONDS * MICROSECONDS_PER_SECOND
    types = np.full(len(rows), _CODE["search_after_browse"])
    return _plain_rows(sessions.users[rows], searches.titles, types, when, sessions.devices[rows])


def _plain_rows(
    users: NDArray[np.int64],
    titles: NDArray[np.int64],
    types: NDArray[np.int64],
    timestamps_us: NDArray[np.int64],
    devices: NDArray[np.int64],
) -> _Rows:
    nothing = np.full(len(users), np.nan)
    return _Rows(users, titles, types, timestamps_us, nothing, nothing, devices)
