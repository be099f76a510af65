"""What came of a tile: the rule by which viewing is put down to the page that it began from.

A *viewing* of a title by a member begins with a ``play``, or with a watch event that has no other within
VIEWING_GAP before it (a player that goes on without a ``play``); it lasts until the next one begins.
Viewings, hovers and thumbs are put down to the latest tile that showed the title to the member at that
instant or before, unless that lies WINDOW back or more. Then the tile

- is ``played`` where a viewing began from it;
- has as ``watch_fraction`` the highest fraction that such a viewing reached, within WINDOW of the page; null
  where it is not played, or no event but a ``play`` says how far it got. A ``complete`` that reports none
  says 1, as in ``transforms.watch_log``;
- is ``clicked`` where it is played, or a hover or a thumb is put down to it.

Of events with one id the earliest counts. Of pages at one instant that show the same title the one with the
greatest id counts as the latest.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from feature_repo import schema as s
from feature_repo.log_tables import SHOWN_TILES
from feature_repo.schema import WATCH_EVENT_TYPES

WINDOW: Final = timedelta(hours=24)
"""At most a day: a day is joined with the day after it, and no more."""
VIEWING_GAP: Final = timedelta(hours=2)
"""At most a day likewise."""
CLICK_EVENT_TYPES: Final = ("hover", "thumbs_up", "thumbs_down")
RULE: Final = 2
"""Number of this rule: a change of it has every day joined again."""

_DAY_US: Final = timedelta(days=1) // timedelta(microseconds=1)
_WINDOW_US: Final = WINDOW // timedelta(microseconds=1)
_GAP_US: Final = VIEWING_GAP // timedelta(microseconds=1)


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


_EVENTS: Final = f"""
create temp table happened as
select user_id, title_id, event_type, epoch_us(event_timestamp) as happened_at, event_id,
    coalesce(watch_fraction, case event_type when 'complete' then 1::float end) as watch_fraction
from (
    from events qualify row_number() over (
        partition by event_id order by event_timestamp, user_id, title_id, event_type, watch_fraction
    ) = 1
)
where event_type in ({_listed((*WATCH_EVENT_TYPES, *CLICK_EVENT_TYPES))})
"""

_SHOWINGS: Final = """
create temp table showings as
select user_id, title_id, epoch_us(event_timestamp) as shown_at, max(page_id) as page_id
from tiles semi join happened using (user_id, title_id)
group by all
"""

_OUTCOMES: Final = f"""
create temp table outcomes as
with marked as (
    select *, event_type = 'play'
        or coalesce(happened_at - lag(happened_at) over viewed > {_GAP_US}, true) as begins
    from happened where event_type in ({_listed(WATCH_EVENT_TYPES)})
    window viewed as (partition by user_id, title_id order by happened_at, event_id)
),
watching as (
    select *, sum(begins::int) over (partition by user_id, title_id order by happened_at, event_id) as viewing
    from marked
),
reaching as (
    select user_id, title_id, min(happened_at) as happened_at, viewing
    from watching group by user_id, title_id, viewing
    union all
    select user_id, title_id, happened_at, null
    from happened where event_type in ({_listed(CLICK_EVENT_TYPES)})
),
attributed as (
    select r.user_id, r.title_id, r.viewing, shown.page_id, shown.shown_at
    from reaching r asof join showings shown
        on r.user_id = shown.user_id and r.title_id = shown.title_id and r.happened_at >= shown.shown_at
    where r.happened_at - shown.shown_at < {_WINDOW_US}
)
select a.page_id, a.title_id,
    bool_or(a.viewing is not null) as played,
    max(w.watch_fraction) filter (
        w.event_type <> 'play' and w.happened_at - a.shown_at < {_WINDOW_US}
    ) as watch_fraction
from attributed a left join watching w
    on w.user_id = a.user_id and w.title_id = a.title_id and w.viewing = a.viewing
group by a.page_id, a.title_id
"""


def attribute(
    connection: duckdb.DuckDBPyConnection, tiles: ds.Dataset, events: ds.Dataset, day_us: int
) -> pa.RecordBatchReader:
    """Return the tiles of a UTC day with what came of them, in IMPRESSIONS' columns.

    ``day_us`` is the day's beginning, microseconds since 1970. ``tiles`` (SHOWN_TILES) must hold those of the
    day and of the day after, which may take a viewing over; ``events`` those from the day before to the day
    after. Both may hold more, and tiles may stand there twice. The rows are made while they are read: keep
    ``connection`` open.
    """
    begin, end = day_us, day_us + _DAY_US
    connection.register("all_tiles", tiles)
    connection.register("all_events", events)
    connection.execute(_period("events", "all_events", begin - _GAP_US, end + _WINDOW_US))
    connection.execute(_period("tiles", "all_tiles", begin, end + _WINDOW_US))
    for statement in (_EVENTS, _SHOWINGS, _OUTCOMES):
        connection.execute(statement)
    connection.execute(_period("of_the_day", "all_tiles", begin, end))
    joined = connection.execute(f"""
        select {", ".join(map(_value, s.IMPRESSIONS.arrow_schema.names))}
        from {distinct_rows(connection, "of_the_day", SHOWN_TILES)} tile
        left join outcomes using (page_id, title_id)
    """)
    reader: pa.RecordBatchReader = joined.fetch_record_batch()
    return reader


def _period(view: str, source: str, begin: int, end: int) -> str:
    # Compared as instants, so that the bounds reach the Parquet files' statistics.
    return f"""
        create temp view {view} as select * from {source}
        where event_timestamp >= make_timestamptz({begin}) and event_timestamp < make_timestamptz({end})
    """


def _value(name: str) -> str:
    if name == s.PLAYED:
        return "coalesce(outcomes.played, false) as played"
    if name == s.CLICKED:
        return "outcomes.page_id is not null as clicked"
    if name == s.WATCH_FRACTION:
        return "outcomes.watch_fraction"
    return f"tile.{name}"


def distinct_rows(connection: duckdb.DuckDBPyConnection, name: str, table: s.Table) -> str:
    """Return SQL for the rows of ``name``, one for each key of ``table``.

    Rows of one key are alike, as they are copies. Where there are none, as nearly always, nothing is sorted.
    """
    keys = ", ".join(table.keys)
    copies = f"select {keys} from {name} group by {keys} having count(*) > 1 limit 1"
    if connection.execute(copies).fetchone() is None:
        return name
    return f"(select distinct on ({keys}) * from {name})"
