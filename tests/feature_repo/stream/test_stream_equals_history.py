"""Whatever the order, the repetitions and the batches: the features of the stream are those of history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.stream.arrival import LATENESS, arrive
from feature_repo.stream.batch import Watching, watching_events
from feature_repo.stream.folding import Catalogue, advance_members, snapshots_now
from feature_repo.stream.member_states import MemberStates, no_states, packed, unpacked
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.title_metadata import GenreVersions
from feature_repo.transforms.user_session import user_sessions
from feature_repo.transforms.user_snapshot import user_snapshots
from feature_repo.transforms.watch_log import watch_log

START = datetime(2026, 3, 2, 21, 30, tzinfo=UTC)
USERS = ("ann", "bob", "cem")
TITLES = tuple(f"t{n}" for n in range(6))
CREATED = datetime(2026, 4, 1, tzinfo=UTC)
VOCABULARY = pa.array(TITLES)


def titles() -> pa.Table:
    return pa.table(
        {
            s.TITLE_ID: ["t0", "t1", "t2", "t2", "t4"],
            s.EVENT_TIMESTAMP: pa.array(
                [datetime(2026, 1, 1, tzinfo=UTC)] * 3 + [START + timedelta(hours=2)] * 2,
                pa.timestamp("us", tz="UTC"),
            ),
            s.GENRE_NAMES: [["Drama"], ["Comedy", "Crime"], ["War"], ["Western"], ["Drama", "War"]],
        }
    )  # t2 changes while people watch it; t3 and t5 are unknown


def catalogue() -> Catalogue:
    return Catalogue(VOCABULARY, GenreVersions.of(titles(), VOCABULARY))


Event = dict[str, Any]


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events of some days, with pauses of minutes and of a day, distinct ids, some at the same instant."""
    events: list[Event] = []
    for user in USERS:
        at = START + timedelta(minutes=draw(st.integers(0, 60)))
        for number in range(draw(st.integers(0, 12))):
            gap = draw(st.sampled_from([0, 1, 7, 25, 59, 61, 300, 1500, 3000]))
            at += timedelta(minutes=gap, microseconds=draw(st.integers(0, 1)))
            events.append(
                {
                    s.EVENT_ID: f"{draw(st.integers(0, 9))}-{user}-{number}",
                    s.USER_ID: user,
                    s.TITLE_ID: draw(st.sampled_from(TITLES)),
                    s.EVENT_TYPE: draw(st.sampled_from(s.WATCH_EVENT_TYPES)),
                    s.EVENT_TIMESTAMP: at,
                    s.WATCH_FRACTION: draw(st.none() | st.floats(0, 1, width=32)),
                    s.DURATION_MINUTES: draw(st.none() | st.floats(0, 90, width=32)),
                    s.DEVICE_TYPE: draw(st.none() | st.sampled_from(s.DEVICES)),
                }
            )
    return events


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Event], list[list[Event]]]:
    """A history and the batches in which it arrives: some events twice, none more than LATENESS late."""
    events = draw(histories())
    repeated = [*events, *draw(st.lists(st.sampled_from(events), max_size=4) if events else st.just([]))]
    delays = [draw(st.integers(0, 59)) for _ in repeated]
    order = sorted(
        range(len(repeated)),
        key=lambda i: (repeated[i][s.EVENT_TIMESTAMP] + timedelta(minutes=delays[i]), i),
    )
    arriving = [repeated[i] for i in order]
    cuts = sorted(draw(st.lists(st.integers(0, len(arriving)), max_size=6)))
    edges = [0, *cuts, len(arriving)]
    return events, [arriving[a:b] for a, b in pairwise(edges) if b > a]


def table_of(events: list[Event]) -> pa.Table:
    columns = {c.name: pa.array([e[c.name] for e in events], c.type) for c in s.EVENTS.columns}
    return pa.table(columns, schema=s.EVENTS.arrow_schema)


class FixedCodes:
    """Titles by their places in TITLES."""

    def of(self, asked: pa.Array) -> NDArray[np.int32]:
        return np.array([TITLES.index(title) for title in asked.to_pylist()], np.int32)


def watching(events: list[Event]) -> Watching:
    (rows,) = table_of(events).combine_chunks().to_batches()
    return watching_events(rows, np.zeros(len(events), np.int32), FixedCodes())


class Stream:
    """Batches through the states as they are stored, and the rows that come out, the latest of each key."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.open: dict[str, int] = {}
        self.sessions: dict[tuple[str, datetime], dict[str, Any]] = {}
        self.snapshots: dict[tuple[str, datetime], dict[str, Any]] = {}
        self.late = 0

    def take(self, events: list[Event]) -> None:
        watched = watching(events)
        users = watched.users
        arrived = arrive(self.states(users), watched.new)
        advanced = advance_members(arrived, users, catalogue(), CREATED, LATENESS)
        self.stored |= dict(zip(users, packed(advanced.states), strict=True))
        self.open |= dict(zip(users, advanced.open_hours.tolist(), strict=True))
        self.late += arrived.late
        self.sessions |= by_key(advanced.sessions)
        self.snapshots |= by_key(advanced.snapshots)

    def end(self) -> None:
        users = list(self.open)
        hours = np.array([self.open[user] for user in users], np.int64)
        self.snapshots |= by_key(snapshots_now(self.states(users), users, hours, catalogue(), CREATED))

    def states(self, users: list[str]) -> MemberStates:
        return unpacked([self.stored.get(user) for user in users])


def by_key(rows: pa.RecordBatch) -> dict[tuple[str, datetime], dict[str, Any]]:
    return {(row[s.USER_ID], row[s.EVENT_TIMESTAMP]): row for row in rows.to_pylist()}


def history_rows(events: list[Event]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    log = watch_log(table_of(events))
    genres = GenreVersions.of(titles(), log.titles)  # history numbers titles by its own vocabulary
    return (
        {k: r for batch in user_sessions(log, genres, CREATED) for k, r in by_key(batch).items()},
        {k: r for batch in user_snapshots(log, genres, CREATED) for k, r in by_key(batch).items()},
    )


@settings(max_examples=200)
@given(deliveries())
def test_late_repeated_and_shuffled_events_give_the_rows_of_history(
    delivery: tuple[list[Event], list[list[Event]]],
) -> None:
    events, batches = delivery
    stream = Stream()
    for batch in batches:
        stream.take(batch)
    stream.end()
    sessions, snapshots = history_rows(events)
    assert stream.late == 0
    assert stream.sessions == sessions
    assert stream.snapshots == snapshots


def test_a_complete_without_a_fraction_was_watched_to_the_end_in_stream_and_history() -> None:
    watched = [event("a", 0), event("b", 1) | {s.EVENT_TYPE: "complete", s.WATCH_FRACTION: None}]
    stream = Stream()
    stream.take(watched)
    stream.end()
    _, history = history_rows(watched)
    assert stream.snapshots == history
    (row,) = history.values()
    assert row[s.RECENT_WATCH_FRACTIONS] == [1.0]
    assert row[s.GENRE_PREFERENCE][s.GENRES.index("Drama")] == 1.0


def test_a_play_that_resumes_goes_on_with_the_viewing_in_stream_and_history() -> None:
    paused = {s.EVENT_TYPE: "pause", s.WATCH_FRACTION: 0.5}
    watched = [event("a", 0), event("b", 10) | paused, event("c", 100) | {s.WATCH_FRACTION: 0.5}]
    stream = Stream()
    for one in watched:
        stream.take([one])
    stream.end()
    _, history = history_rows(watched)
    assert stream.snapshots == history
    last = max(history.values(), key=lambda row: row[s.EVENT_TIMESTAMP])
    assert (last[s.RECENT_WATCH_FRACTIONS], last[s.WATCH_COUNT]) == ([0.5], 1)


def test_states_are_stored_and_read_back_bit_for_bit() -> None:
    stream = Stream()
    stream.take([event("a", 0), event("b", 30), event("c", 90)])
    states = stream.states(["ann"])
    again = unpacked(packed(states))
    assert again.events.tobytes() == states.events.tobytes()
    assert again.ids.tolist() == [b"b", b"c"]  # a lies more than an hour behind c, and has settled
    assert again.settled.watch_count.tolist() == [1]
    assert packed(again) == packed(states)


def test_an_event_too_far_behind_changes_nothing_and_is_counted() -> None:
    stream = Stream()
    stream.take([event("a", 0), event("b", 90)])
    before = dict(stream.stored)
    stream.take([event("late", 29)])
    assert stream.late == 1
    assert stream.stored == before


def test_the_earliest_of_two_events_with_one_id_counts() -> None:
    stream = Stream()
    stream.take([event("a", 10)])
    stream.take([event("a", 5)])
    (key,) = [k for k in stream.sessions if stream.states(["ann"]).events["timestamp"][0] + 1 == _us(k[1])]
    assert key[1] == START + timedelta(minutes=5, microseconds=1)
    assert len(stream.states(["ann"]).events) == 1


def test_of_a_crowd_of_events_the_oldest_settle_early_and_none_is_lost() -> None:
    stream = Stream()
    stream.take([event(f"{n:04d}", n / 100) for n in range(1200)])
    states = stream.states(["ann"])
    assert len(states.events) == 500
    assert states.settled.watch_count.tolist() == [700]


def test_members_of_whom_nothing_is_stored_have_watched_nothing() -> None:
    states = unpacked([None, None])
    assert len(states) == 2
    assert packed(states) == packed(no_states(2))


def event(event_id: str, minutes: float) -> Event:
    return {
        s.EVENT_ID: event_id, s.USER_ID: "ann", s.TITLE_ID: "t0", s.EVENT_TYPE: "play",
        s.EVENT_TIMESTAMP: START + timedelta(minutes=minutes), s.WATCH_FRACTION: None,
        s.DURATION_MINUTES: None, s.DEVICE_TYPE: "tv",
    }  # fmt: skip


def _us(instant: datetime) -> int:
    return epoch_microseconds(instant)
