from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake, LakeError
from feature_repo.log_tables import EXPLORED_SLOTS, STRATUM_PROPENSITIES, STRATUM_TITLE_IDS
from feature_repo.transforms.calendar import epoch_microseconds
from training.explored_slots import ExploredSlots, read_explored_slots

MakeRows = Callable[..., pa.Table]
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def slot(page: str, title: str, *offered: str, **changes: Any) -> dict[str, Any]:
    even = [1 / len(offered)] * len(offered)
    return {
        s.PAGE_ID: page, s.TITLE_ID: title, s.USER_ID: f"user of {page}", s.EVENT_TIMESTAMP: NOON,
        s.DEVICE_TYPE: "tv", s.ROW_INDEX: 1, s.POSITION: 3, STRATUM_TITLE_IDS: list(offered),
        STRATUM_PROPENSITIES: even,
    } | changes  # fmt: skip


def shown(page: str, title: str, played: bool, **changes: Any) -> dict[str, Any]:
    return {
        s.PAGE_ID: page,
        s.TITLE_ID: title,
        s.EVENT_TIMESTAMP: NOON,
        s.PLAYED: played,
        s.ROW_INDEX: 1,
        s.POSITION: 1,
    } | changes


@pytest.fixture
def write(lake: Lake, make_rows: MakeRows) -> Callable[..., None]:
    def write(slots: list[dict[str, Any]], impressions: list[dict[str, Any]]) -> None:
        lake.replace(EXPLORED_SLOTS, make_rows(EXPLORED_SLOTS, slots))
        lake.replace(s.IMPRESSIONS, make_rows(s.IMPRESSIONS, impressions))

    return write


def read(lake: Lake, most: int = 1000, seed: int = 0) -> ExploredSlots:
    return read_explored_slots(lake, NOON, NOON + DAY, most_slots=most, seed=seed)


def test_a_slot_has_what_it_was_drawn_from_and_what_came_of_it(
    lake: Lake, write: Callable[..., None]
) -> None:
    later = {s.EVENT_TIMESTAMP: NOON + timedelta(hours=1)}
    write(
        [
            slot("p2", "c", "c", "d", "e", **later, **{s.DEVICE_TYPE: None, s.ROW_INDEX: 2}),
            slot("p1", "b", "a", "b", **{STRATUM_PROPENSITIES: [0.75, 0.25]}),
        ],
        [shown("p1", "b", True), shown("p1", "a", False), shown("p2", "c", False, **later)],
    )
    slots = read(lake)
    assert len(slots) == 2
    assert slots.user_ids.tolist() == ["user of p1", "user of p2"]
    assert slots.device_types.tolist() == ["tv", ""]
    assert slots.instants.tolist() == [epoch_microseconds(NOON), epoch_microseconds(NOON) + 3_600_000_000]
    assert (slots.row_indices.tolist(), slots.positions.tolist()) == ([1, 2], [3, 3])
    assert slots.played.tolist() == [True, False]
    assert slots.title_ids.tolist() == ["a", "b", "c", "d", "e"]
    assert slots.offsets.tolist() == [0, 2, 5]
    assert slots.slot_of.tolist() == [0, 0, 1, 1, 1]
    assert slots.drawn.tolist() == [1, 2]
    assert slots.propensities[:2].tolist() == [0.75, 0.25]


def test_a_slot_whose_outcome_is_not_known_is_left_out(lake: Lake, write: Callable[..., None]) -> None:
    write([slot("p1", "a", "a", "b"), slot("p2", "a", "a", "b")], [shown("p2", "a", True)])
    assert read(lake).user_ids.tolist() == ["user of p2"]


def test_a_tile_written_again_when_its_play_came_late_is_one_slot_that_was_played(
    lake: Lake, write: Callable[..., None]
) -> None:
    write([slot("p1", "a", "a", "b")], [shown("p1", "a", False), shown("p1", "a", True)])
    assert read(lake).played.tolist() == [True]


def test_slots_outside_the_time_asked_for_are_left_out(lake: Lake, write: Callable[..., None]) -> None:
    times = [{s.EVENT_TIMESTAMP: NOON + DAY}, {s.EVENT_TIMESTAMP: NOON - timedelta(microseconds=1)}]
    write(
        [slot(f"p{number}", "a", "a", **at) for number, at in enumerate(times)],
        [shown(f"p{number}", "a", True, **at) for number, at in enumerate(times)],
    )
    assert len(read(lake)) == 0


def test_too_many_slots_are_thinned_by_whole_members(lake: Lake, write: Callable[..., None]) -> None:
    pages = [f"p{number:03}" for number in range(200)]
    write(
        [slot(page, title, "a", "b", "c") for page in pages for title in ("a", "b", "c")],
        [shown(page, title, False) for page in pages for title in ("a", "b", "c")],
    )
    some = read(lake, most=300, seed=1)
    members, sizes = np.unique(some.user_ids, return_counts=True)
    assert set(sizes.tolist()) == {3}
    # Binomial(200, 0.5): mean 100, standard deviation 7.1; four of them either way.
    assert 72 <= len(members) <= 128
    assert read(lake, most=300, seed=1).user_ids.tolist() == some.user_ids.tolist()
    assert read(lake, most=300, seed=2).user_ids.tolist() != some.user_ids.tolist()


def test_some_slots_are_taken_with_the_titles_they_offered(lake: Lake, write: Callable[..., None]) -> None:
    write(
        [slot("p1", "b", "a", "b"), slot("p2", "c", "c"), slot("p3", "f", "d", "e", "f")],
        [shown("p1", "b", True), shown("p2", "c", False), shown("p3", "f", True)],
    )
    taken = read(lake).take(np.array([2, 0, 2]))
    assert taken.title_ids.tolist() == ["d", "e", "f", "a", "b", "d", "e", "f"]
    assert taken.offsets.tolist() == [0, 3, 5, 8]
    assert taken.title_ids[taken.drawn].tolist() == ["f", "b", "f"]
    assert taken.user_ids.tolist() == ["user of p3", "user of p1", "user of p3"]


def test_a_title_that_was_not_among_those_drawn_from_is_an_error_naming_its_page(
    lake: Lake, write: Callable[..., None]
) -> None:
    write(
        [slot("p1", "a", "a"), slot("p2", "z", "a", "b")], [shown("p1", "a", True), shown("p2", "z", False)]
    )
    with pytest.raises(ValueError, match="page p2: title_id 'z' is not in its stratum_title_ids"):
        read(lake)


def test_a_title_that_could_not_be_drawn_is_an_error_naming_its_page(
    lake: Lake, write: Callable[..., None]
) -> None:
    write([slot("p1", "a", "a", "b", **{STRATUM_PROPENSITIES: [0.0, 1.0]})], [shown("p1", "a", False)])
    with pytest.raises(ValueError, match="page p1: title_id 'a' has stratum_propensities 0"):
        read(lake)


def test_where_nothing_was_ever_explored_the_lake_says_so(lake: Lake) -> None:
    with pytest.raises(LakeError, match="explored_slots"):
        read(lake)
