"""Point-in-time retrieval, held against an oracle that shares no code with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from feature_repo.title_views import title_statistics
from feature_repo.transforms.title_metadata import GenreVersions
from feature_repo.transforms.user_session import user_sessions
from feature_repo.transforms.user_snapshot import user_snapshots
from feature_repo.transforms.watch_log import watch_log
from feature_repo.user_views import user_session

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TTL = title_statistics.ttl
USERS = ("ann", "bob")
TITLES = ("t1", "t2")

# A few instants, close together, so that ties, duplicates and edges are the rule.
INSTANTS = [NOON + k * MICROSECOND for k in (-1, 0, 1)] + [
    NOON + timedelta(hours=h) for h in (-26, -1, 1, 26)
]
EXPIRY_INSTANTS = [NOON - TTL + k * MICROSECOND for k in (-1, 0, 1)]
ZONES = [UTC, timezone(timedelta(hours=9)), timezone(-timedelta(hours=3, minutes=30))]

feature_rows = st.lists(
    st.tuples(
        st.sampled_from(USERS),
        st.sampled_from(TITLES),
        st.sampled_from(INSTANTS + EXPIRY_INSTANTS),
        st.sampled_from([timedelta(0), timedelta(minutes=1), timedelta(days=30)]),
    ),
    max_size=14,
    unique=True,  # two rows equal in key, timestamp and creation have no order
)
entity_rows = st.lists(
    st.tuples(
        st.sampled_from((*USERS, "nobody")),
        st.sampled_from(TITLES),
        st.sampled_from(INSTANTS),
    ),
    min_size=1,
    max_size=12,  # drawn from few values: duplicates are common
)
against_the_oracle = hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def oracle(
    rows: list[tuple[Any, ...]],
    key: tuple[str, ...],
    at: datetime,
    ttl: timedelta | None,
    known_by_then: bool = False,
) -> int | None:
    """Return the place of the row that counts: the newest not after ``at``, of one age the last created."""
    best: tuple[datetime, datetime] | None = None
    place = None
    for number, (*row_key, when, delay) in enumerate(rows):
        created = when + delay
        if tuple(row_key) != key or when > at or (known_by_then and created > at):
            continue
        if ttl is not None and at - when > ttl:
            continue
        if best is None or (when, created) > best:
            best, place = (when, created), number
    return place


def entities_table(entities: list[tuple[str, str, datetime]], zone: timezone = UTC) -> pa.Table:
    name = "UTC" if zone is UTC else zone.tzname(None).removeprefix("UTC")
    return pa.table(
        {
            s.USER_ID: [user for user, _, _ in entities],
            s.TITLE_ID: [title for _, title, _ in entities],
            s.EVENT_TIMESTAMP: pa.array([at for _, _, at in entities], pa.timestamp("us", tz=name)),
            "label": list(range(len(entities))),
        }
    )


@given(rows=feature_rows, entities=entity_rows, zone=st.sampled_from(ZONES), known=st.booleans())
@against_the_oracle
def test_pairs_get_the_newest_row_that_was_there(
    gateway: FeatureGateway, lake: Lake, make_rows: Callable[..., pa.Table], rows: list[Any],
    entities: list[Any], zone: timezone, known: bool,
) -> None:  # fmt: skip
    data = [
        {s.USER_ID: user, s.TITLE_ID: title, s.EVENT_TIMESTAMP: when, s.CREATED_TIMESTAMP: when + delay,
         s.WATCH_COUNT: number}
        for number, (user, title, when, delay) in enumerate(rows)
    ]  # fmt: skip
    lake.replace(s.INTERACTIONS, make_rows(s.INTERACTIONS, data or [{s.USER_ID: "somebody else"}]))
    answer = gateway.historical("als", entities_table(entities, zone), known_by_then=known)
    expected = [oracle(rows, (user, title), at, None, known) for user, title, at in entities]
    assert answer.column(s.WATCH_COUNT).to_pylist() == expected
    assert answer.column("label").to_pylist() == list(range(len(entities)))


@given(rows=feature_rows, entities=entity_rows)
@against_the_oracle
def test_titles_lose_what_is_older_than_the_time_to_live(
    gateway: FeatureGateway, lake: Lake, make_rows: Callable[..., pa.Table], rows: list[Any],
    entities: list[Any],
) -> None:  # fmt: skip
    rows = list(dict.fromkeys((title, when, delay) for _, title, when, delay in rows))
    data = [
        {s.TITLE_ID: title, s.EVENT_TIMESTAMP: when, s.CREATED_TIMESTAMP: when + delay, s.VIEW_COUNT: number}
        for number, (title, when, delay) in enumerate(rows)
    ]
    nothing = [{s.TITLE_ID: "another"}]
    lake.replace(s.TITLE_STATISTICS, make_rows(s.TITLE_STATISTICS, data or nothing))
    for table in (s.TITLE_METADATA, s.TITLE_ALS_EMBEDDING):
        lake.replace(table, make_rows(table, nothing))
    answer = gateway.historical("ranker_titles", entities_table(entities))
    expected = [oracle(rows, (title,), at, TTL) for _, title, at in entities]
    assert answer.column(s.VIEW_COUNT).to_pylist() == expected


# --- the session, which changes with every event -----------------------------------------------

SESSION_TTL = user_session.ttl
WATCHED = [NOON, NOON + timedelta(minutes=20), NOON + timedelta(minutes=20, microseconds=1)]
"""When Ann watches t0, t1 and t2, all in one hour."""
WATCHED_TITLES, REACHED = ("t0", "t1", "t2"), (0.25, 0.5, 0.75)


@pytest.fixture
def watching(gateway: FeatureGateway, lake: Lake, make_rows: Callable[..., pa.Table]) -> FeatureGateway:
    """A store with what the transforms make of Ann's three titles and one of the day before."""
    watched = [("old", NOON - timedelta(hours=30), 1.0), *zip(WATCHED_TITLES, WATCHED, REACHED, strict=True)]
    events = [
        {s.EVENT_ID: f"of {title}", s.USER_ID: "ann", s.TITLE_ID: title, s.EVENT_TYPE: "complete",
         s.EVENT_TIMESTAMP: when, s.WATCH_FRACTION: fraction}
        for title, when, fraction in watched
    ]  # fmt: skip
    log = watch_log(make_rows(s.EVENTS, events))
    titles = make_rows(s.TITLES, [{s.TITLE_ID: title} for title, _, _ in watched])
    genres = GenreVersions.of(titles, log.titles)
    for table, view in ((s.USER_SESSION, user_sessions), (s.USER_SNAPSHOT, user_snapshots)):
        lake.replace(table, pa.Table.from_batches(view(log, genres, NOON), table.arrow_schema))
    for table in (s.USER_PROFILE, s.USER_PICKS, s.USER_HISTORY, s.USER_HIDDEN, s.USER_ALS_EMBEDDING):
        lake.replace(table, make_rows(table, [{s.USER_ID: "ann"}]))
    return gateway


def towers_read(gateway: FeatureGateway, *instants: datetime) -> list[tuple[Any, ...]]:
    asked = entities_table([("ann", "t1", at) for at in instants])
    answer = gateway.historical("two_tower_members", asked)
    names = (s.SESSION_TITLE_IDS, s.SESSION_WATCH_FRACTIONS, s.RECENT_TITLE_IDS)
    return list(zip(*(answer.column(name).to_pylist() for name in names), strict=True))


def test_the_towers_see_the_session_before_an_event_and_never_the_event_itself(
    watching: FeatureGateway,
) -> None:
    answers = towers_read(watching, *(at + later for at in WATCHED for later in (timedelta(0), MICROSECOND)))
    # At NOON the session of the day before is 30 hours old, so it is no session any more.
    one, two, three = (["t0"], [0.25]), (["t1", "t0"], [0.5, 0.25]), (["t2", "t1", "t0"], [0.75, 0.5, 0.25])
    assert [answer[:2] for answer in answers] == [(None, None), one, one, two, two, three]
    assert {tuple(recent) for _, _, recent in answers} == {("old",)}  # the hour is not over


def test_an_hour_later_the_snapshot_has_caught_up_with_the_session(watching: FeatureGateway) -> None:
    (answer,) = towers_read(watching, NOON + timedelta(hours=1))
    assert (answer[0], answer[2]) == (["t2", "t1", "t0"], ["t2", "t1", "t0", "old"])


@pytest.mark.parametrize("since", [timedelta(0), MICROSECOND, timedelta(seconds=1)], ids=str)
def test_a_session_expires_at_one_microsecond_offline_and_online(
    watching: FeatureGateway, since: timedelta
) -> None:
    assert timedelta(hours=24) == SESSION_TTL
    end = WATCHED[-1] + MICROSECOND + SESSION_TTL  # the row stands just after the event
    ((offline, _, _),) = towers_read(watching, end + since)
    watching.materialize(NOON - timedelta(days=2), NOON + timedelta(days=2))
    online = watching.member_features("ann", end + since)
    assert (offline is None) == (since > timedelta(0))
    assert list(online[s.SESSION_TITLE_IDS][0]) == (offline or [])
    assert np.isnan(online[s.SESSION_WATCHED_AT][0]) == (offline is None)
    assert online[s.RECENT_TITLE_IDS].tolist() == [("t2", "t1", "t0", "old")]


def test_a_row_pushed_within_the_same_second_replaces_the_one_before(
    watching: FeatureGateway, lake: Lake
) -> None:
    """Ann's last two titles lie one microsecond apart, as a stream brings them."""
    rows = lake.read(s.USER_SESSION).sort_by(s.EVENT_TIMESTAMP)
    for row in (2, 3, 2):  # and once more, late
        watching.write_online(s.USER_SESSION, rows.slice(row, 1))
    online = watching.member_features("ann", NOON + timedelta(hours=1))
    assert online[s.SESSION_TITLE_IDS].tolist() == [("t2", "t1", "t0")]


def test_later_rows_never_change_an_earlier_answer(
    gateway: FeatureGateway, lake: Lake, make_rows: Callable[..., pa.Table]
) -> None:
    past = {s.USER_ID: "ann", s.TITLE_ID: "t1", s.EVENT_TIMESTAMP: NOON, s.WATCH_COUNT: 1}
    future = past | {s.EVENT_TIMESTAMP: NOON + MICROSECOND, s.WATCH_COUNT: 2}
    asked = entities_table([("ann", "t1", NOON)])
    lake.replace(s.INTERACTIONS, make_rows(s.INTERACTIONS, [past]))
    before = gateway.historical("als", asked)
    lake.replace(s.INTERACTIONS, make_rows(s.INTERACTIONS, [future, past]))
    assert gateway.historical("als", asked).equals(before)
    assert before.column(s.WATCH_COUNT).to_pylist() == [1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns([s.TITLE_ID]), "entities lack column 'title_id'"),
        (lambda t: t.set_column(0, s.USER_ID, pa.array([None], pa.string())), "'user_id' holds nulls"),
        (lambda t: t.set_column(2, s.EVENT_TIMESTAMP, pa.array([NOON.replace(tzinfo=None)])), "time zone"),
    ],
)
def test_entities_that_cannot_be_joined_are_refused(
    gateway: FeatureGateway, change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        gateway.historical("als", change(entities_table([("ann", "t1", NOON)])))
