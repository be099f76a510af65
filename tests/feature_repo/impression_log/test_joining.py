"""Join after join on a real lake: what is done again, what stays, and what others find meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pyarrow.fs as pafs
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from feature_repo import schema as s
from feature_repo.impression_log import days
from feature_repo.impression_log.compaction import MANY_FILES, compact
from feature_repo.impression_log.joining import join_impressions
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import EXPLORED_SLOTS, SHOWN_TILES
from tests.feature_repo.impression_log.conftest import (
    LATER,
    START,
    append,
    event,
    imported,
    outcomes,
    rows_of,
    shown,
)

FIRST, SECOND, THIRD, FOURTH = (START.date() + timedelta(days=n) for n in range(4))
CountFiles = Callable[[Lake, s.Table], dict[str, int]]


def test_a_lake_without_a_log_is_left_alone(lake: Lake) -> None:
    append(lake, events=[event(20, "a", "play")])
    assert join_impressions(lake, LATER).days == {}
    assert not lake.exists(s.IMPRESSIONS)


def test_only_days_that_something_new_can_touch_are_joined_again(lake: Lake) -> None:
    append(lake, [t for day in range(4) for t in shown(f"p{day}", 24 * day + 20, "a")])
    joined = join_impressions(lake, LATER)
    assert joined.days == dict.fromkeys((FIRST, SECOND, THIRD, FOURTH), 1)
    assert join_impressions(lake, LATER).days == {}
    append(lake, events=[event(24 * 3 + 21, "a", "play")])  # on the fourth day, which may concern the third
    assert set(join_impressions(lake, LATER).days) == {THIRD, FOURTH}
    append(lake, shown("late", 20.5, "b"))  # on the first day, and before it there is none
    assert set(join_impressions(lake, LATER).days) == {FIRST}
    append(lake, shown("late too", 44.5, "b"))  # on the second, which may take over from the first
    assert set(join_impressions(lake, LATER).days) == {FIRST, SECOND}
    assert join_impressions(lake, LATER).days == {}


def test_a_late_event_makes_an_impression_played(lake: Lake) -> None:
    append(lake, shown("p1", 20, "a"), [event(20.2, "a", "hover")])
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): (False, None, True)}
    append(lake, events=[event(20.5, "a", "progress", 0.3)])
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): (True, 0.3, True)}
    append(lake, events=[event(20.4, "a", "play"), event(21, "a", "complete", 0.9)])
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): (True, 0.9, True)}


def test_a_late_page_takes_a_play_over(lake: Lake) -> None:
    append(lake, shown("p1", 20, "a"), [event(21, "a", "play")])
    join_impressions(lake, LATER)
    append(lake, shown("p2", 20.5, "a"))
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): (False, None, False), ("p2", "a"): (True, None, True)}


def test_days_can_be_chosen(lake: Lake) -> None:
    append(lake, [t for day in range(4) for t in shown(f"p{day}", 24 * day + 20, "a")])
    assert set(join_impressions(lake, LATER, since=SECOND, until=THIRD).days) == {SECOND, THIRD}
    assert set(join_impressions(lake, LATER, until=THIRD).days) == {FIRST}
    assert set(join_impressions(lake, LATER).days) == {FOURTH}


def test_impressions_that_came_otherwise_stay_as_they_are(lake: Lake) -> None:
    lake.replace(s.IMPRESSIONS, rows_of(s.IMPRESSIONS, [imported("i1", 12), imported("i2", 36)]))
    append(lake, shown("p1", 20, "a"), [event(20.5, "z", "play"), event(20.5, "a", "play")])
    for _ in range(2):
        join_impressions(lake, LATER)
        assert outcomes(lake) == {
            ("i1", "z"): (True, 0.75, True), ("i2", "z"): (True, 0.75, True), ("p1", "a"): (True, None, True),
        }  # fmt: skip
        append(lake, events=[event(20.5, "b", "play")])
    lake.append(s.IMPRESSIONS, rows_of(s.IMPRESSIONS, [imported("i3", 21)]))
    join_impressions(lake, LATER)
    assert len(outcomes(lake)) == 4


def test_impressions_that_were_replaced_are_joined_again(lake: Lake) -> None:
    append(lake, shown("p1", 20, "a"))
    join_impressions(lake, LATER)
    lake.replace(s.IMPRESSIONS, rows_of(s.IMPRESSIONS, [imported("i1", 12)]))
    assert set(join_impressions(lake, LATER).days) == {FIRST}
    assert set(outcomes(lake)) == {("i1", "z"), ("p1", "a")}


def test_another_rule_has_every_day_joined_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    append(lake, shown("p1", 20, "a"))
    join_impressions(lake, LATER)
    monkeypatch.setattr(days, "RULE", -1)
    assert set(join_impressions(lake, LATER).days) == {FIRST}


def test_many_small_files_become_one_and_nothing_else_changes(lake: Lake, files_of: CountFiles) -> None:
    for n in range(MANY_FILES):
        append(lake, shown(f"p{n}", n, "a", "b"))
        slots = [t | {"stratum_title_ids": ["a", "c"], "stratum_propensities": [0.5, 0.5]}
                 for t in shown(f"p{n}", n, "a")]  # fmt: skip
        lake.append(EXPLORED_SLOTS, rows_of(EXPLORED_SLOTS, slots))
    append(lake, shown("alone", 30, "a"))
    before = [lake.read(t).sort_by([(k, "ascending") for k in t.keys]) for t in (SHOWN_TILES, EXPLORED_SLOTS)]
    joined = join_impressions(lake, LATER)
    assert joined.compacted == 2 * MANY_FILES
    assert joined.days == {FIRST: 2 * MANY_FILES, SECOND: 1}
    after = [lake.read(t).sort_by([(k, "ascending") for k in t.keys]) for t in (SHOWN_TILES, EXPLORED_SLOTS)]
    assert after == before
    assert files_of(lake, SHOWN_TILES) == {FIRST.isoformat(): 1, SECOND.isoformat(): 1}
    assert files_of(lake, EXPLORED_SLOTS) == {FIRST.isoformat(): 1}
    assert join_impressions(lake, LATER).days == {}


def test_what_a_broken_off_compaction_left_twice_counts_once(lake: Lake) -> None:
    tiles = [t for n in range(3) for t in shown(f"p{n}", n, "a", "b")]
    append(lake, tiles)
    append(lake, tiles)  # the new file is there, and the old one has not gone yet
    join_impressions(lake, LATER)
    assert len(outcomes(lake)) == 6
    for _ in range(MANY_FILES):
        append(lake, tiles)
    assert compact(lake) == MANY_FILES + 2
    assert lake.read(SHOWN_TILES).num_rows == 6
    join_impressions(lake, LATER)
    assert len(outcomes(lake)) == 6


def test_files_that_come_while_others_become_one_stay(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(MANY_FILES):
        append(lake, shown(f"p{n}", n, "a"))
    plain = lake.append

    def append_and_another_comes(table: s.Table, data: Any) -> int:
        monkeypatch.undo()
        append(lake, shown("meanwhile", 20, "a"))
        return plain(table, data)

    monkeypatch.setattr(lake, "append", append_and_another_comes)
    join_impressions(lake, LATER)
    assert len(outcomes(lake)) == MANY_FILES + 1


def test_a_join_that_fails_leaves_the_impressions_as_they_were(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(lake, shown("p1", 20, "a"))
    join_impressions(lake, LATER)
    before = outcomes(lake)
    append(lake, events=[event(20.5, "a", "play")])

    class NoMoves:
        def __getattr__(self, name: str) -> Any:
            return getattr(lake.filesystem, name)

        def move(self, source: str, target: str) -> None:
            raise OSError(f"disk full: {source} to {target}")

    monkeypatch.setattr(lake.publisher, "_filesystem", NoMoves())
    with pytest.raises(OSError, match="disk full"):
        join_impressions(lake, LATER)
    monkeypatch.undo()
    assert outcomes(lake) == before
    assert set(join_impressions(lake, LATER).days) == {FIRST}
    assert outcomes(lake) == {("p1", "a"): (True, None, True)}


def test_it_works_in_an_object_store(files_of: CountFiles) -> None:
    memory = MemoryFileSystem()
    memory.store.clear()
    lake = Lake("bucket/lake", pafs.PyFileSystem(pafs.FSSpecHandler(memory)))
    for n in range(MANY_FILES):
        append(lake, shown(f"p{n}", n, "a"))
    append(lake, events=[event(20.5, "a", "play")])
    assert join_impressions(lake, LATER).days == {FIRST: MANY_FILES}
    assert {page for (page, _), outcome in outcomes(lake).items() if outcome[0]} == {f"p{MANY_FILES - 1}"}
    assert files_of(lake, SHOWN_TILES) == files_of(lake, s.IMPRESSIONS) == {FIRST.isoformat(): 1}
    memory.store.clear()


def test_progress_is_told_day_by_day(lake: Lake) -> None:
    append(lake, [*shown("p1", 20, "a"), *shown("p2", 44, "a")])
    told: list[tuple[str, int, int]] = []
    join_impressions(lake, LATER, progress=lambda *step: told.append(step))
    assert told == [(f"impressions of {day}", n, 2) for n, day in enumerate([date(2026, 3, 1), SECOND])]
