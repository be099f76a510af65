from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from feature_repo import schema as s
from feature_repo.transforms import user_hidden as module
from feature_repo.transforms.user_hidden import user_hidden

CREATED = datetime(2024, 6, 1, tzinfo=UTC)
Make = Callable[[list[tuple[Any, ...]]], Any]


def states(table: Any, at: Callable[[float], datetime]) -> list[tuple[str, float, list[str]]]:
    rows = user_hidden(table, CREATED).to_pylist()
    return [
        (row[s.USER_ID], (row[s.EVENT_TIMESTAMP] - at(0)).total_seconds() / 60, row[s.HIDDEN_TITLE_IDS])
        for row in rows
    ]


def test_a_thumb_down_hides_and_a_later_thumb_up_shows_again(
    make_events: Make, instant: Callable[[float], datetime]
) -> None:
    events = make_events([
        ("e1", "ana", "a", "thumbs_down", 1), ("e2", "ana", "b", "thumbs_down", 2),
        ("e3", "ana", "c", "play", 3), ("e4", "ana", "a", "thumbs_up", 4), ("e5", "kim", "a", "thumbs_up", 5),
    ])  # fmt: skip
    assert states(events, instant) == [
        ("ana", 1, ["a"]), ("ana", 2, ["b", "a"]), ("ana", 4, ["b"]), ("kim", 5, []),
    ]  # fmt: skip


def test_thumbs_of_one_instant_count_in_the_order_of_their_ids(
    make_events: Make, instant: Callable[[float], datetime]
) -> None:
    events = make_events([("e2", "ana", "a", "thumbs_up", 1), ("e1", "ana", "a", "thumbs_down", 1)])
    assert states(events, instant) == [("ana", 1, [])]


def test_only_the_latest_are_kept(
    make_events: Make, instant: Callable[[float], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HIDDEN_TITLES", 2)
    events = make_events([(f"e{i}", "ana", title, "thumbs_down", i) for i, title in enumerate("abc")])
    assert states(events, instant)[-1] == ("ana", 2, ["c", "b"])


def test_without_thumbs_there_is_no_row(make_events: Make) -> None:
    assert len(user_hidden(make_events([("e1", "ana", "a", "play", 1)]), CREATED)) == 0


thumbs = st.lists(
    st.tuples(
        st.sampled_from(["ana", "kim"]), st.sampled_from("abc"),
        st.sampled_from(["thumbs_up", "thumbs_down", "play"]), st.integers(0, 5),
    ),
    max_size=12,
)  # fmt: skip


@given(rows=thumbs, data=st.data())
def test_the_order_of_arrival_and_repetitions_change_nothing(
    make_events: Make, rows: list[tuple[str, str, str, int]], data: st.DataObject
) -> None:
    numbered = [(f"e{number:02d}", *row) for number, row in enumerate(rows)]
    again = data.draw(st.permutations(numbered + numbered[:3]))
    assert user_hidden(make_events(again), CREATED).equals(user_hidden(make_events(numbered), CREATED))
