"""However tiles and events arrive, and however often they are joined: the same, and what the rule says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings, strategies as st

from feature_repo import schema as s
from feature_repo.impression_log.joining import join_impressions
from feature_repo.ingest.lake import Lake
from tests.feature_repo.impression_log.conftest import LATER, Outcome, append, at, outcomes, shown

Row = dict[str, Any]
DAY, GAP = timedelta(hours=24), timedelta(hours=2)
HALF_HOURS = st.integers(0, 2 * 24 * 4 - 1).map(lambda n: n / 2)
USERS, TITLES = ("ana", "kim"), ("a", "b", "c")


@st.composite
def pages(draw: st.DrawFn) -> list[list[Row]]:
    made = []
    for number in range(draw(st.integers(1, 12))):
        titles = draw(st.lists(st.sampled_from(TITLES), min_size=1, unique=True))
        made.append(shown(f"p{number}", draw(HALF_HOURS), *titles, user=draw(st.sampled_from(USERS))))
    return made


@st.composite
def sendings(draw: st.DrawFn) -> list[list[Row]]:
    """Events, each a delivery of its own, some of them sent twice."""
    made: list[list[Row]] = []
    for number in range(draw(st.integers(0, 25))):
        one = {
            s.EVENT_ID: f"e{number:03d}", s.USER_ID: draw(st.sampled_from(USERS)),
            s.TITLE_ID: draw(st.sampled_from(TITLES)), s.EVENT_TYPE: draw(st.sampled_from(s.EVENT_TYPES)),
            s.EVENT_TIMESTAMP: at(draw(HALF_HOURS)),
            s.WATCH_FRACTION: draw(st.sampled_from([None, 0.25, 0.5, 0.75, 1.0])),
        }  # fmt: skip
        made += [[one]] * draw(st.sampled_from([1, 1, 1, 2]))
    return made


def by_hand(tiles: Iterable[Row], events: Iterable[Row]) -> dict[tuple[str, str], Outcome]:
    """The rule in plain words of Python, over all tiles and events at once."""
    happened: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for one in {one[s.EVENT_ID]: one for one in events}.values():
        happened[one[s.USER_ID], one[s.TITLE_ID]].append(one)
    showings: defaultdict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)
    for tile in tiles:
        showings[tile[s.USER_ID], tile[s.TITLE_ID]].append((tile[s.EVENT_TIMESTAMP], tile[s.PAGE_ID]))
    found: dict[tuple[str, str], Outcome] = {}
    for pair, shown_at in showings.items():
        found |= {(page, pair[1]): (False, None, False) for _, page in shown_at}
        for actions in actions_of(happened[pair]):
            begin = actions[0][s.EVENT_TIMESTAMP]
            before = [showing for showing in shown_at if showing[0] <= begin]
            if before and begin - max(before)[0] < DAY:
                when, page = max(before)
                found[page, pair[1]] = with_action(found[page, pair[1]], actions, when)
    return found


def actions_of(events: Sequence[Row]) -> list[list[Row]]:
    """Viewings, and hovers and thumbs one by one."""
    actions: list[list[Row]] = []
    watching = [one for one in events if one[s.EVENT_TYPE] in s.WATCH_EVENT_TYPES]
    last: datetime | None = None
    for one in sorted(watching, key=lambda one: (one[s.EVENT_TIMESTAMP], one[s.EVENT_ID])):
        if one[s.EVENT_TYPE] == "play" or last is None or one[s.EVENT_TIMESTAMP] - last > GAP:
            actions.append([])
        actions[-1].append(one)
        last = one[s.EVENT_TIMESTAMP]
    clicks = ("hover", "thumbs_up", "thumbs_down")
    return actions + [[one] for one in events if one[s.EVENT_TYPE] in clicks]


def with_action(before: Outcome, events: Sequence[Row], shown_at: datetime) -> Outcome:
    played, fraction, _ = before
    if events[0][s.EVENT_TYPE] not in s.WATCH_EVENT_TYPES:
        return played, fraction, True
    reached = [
        1.0 if (one[s.EVENT_TYPE], one[s.WATCH_FRACTION]) == ("complete", None) else one[s.WATCH_FRACTION]
        for one in events
        if one[s.EVENT_TYPE] != "play" and one[s.EVENT_TIMESTAMP] - shown_at < DAY
    ]
    known = [value for value in (fraction, *reached) if value is not None]
    return True, max(known, default=None), True


@settings(max_examples=25)
@given(pages(), sendings(), st.data())
def test_in_any_order_and_in_any_steps_the_rule_holds(
    tiles: list[list[Row]], events: list[list[Row]], data: st.DataObject
) -> None:
    expected = by_hand([t for page in tiles for t in page], [e for sent in events for e in sent])
    deliveries = [(page, []) for page in tiles] + [([], sent) for sent in events]
    arriving = data.draw(st.permutations(deliveries), label="order of arrival")
    joins = data.draw(st.sets(st.integers(0, len(arriving) - 1), max_size=4), label="joined after")
    with TemporaryDirectory() as folder:
        lake, at_once = Lake(str(Path(folder) / "steps")), Lake(str(Path(folder) / "once"))
        for number, (some_tiles, some_events) in enumerate(arriving):
            append(lake, some_tiles, some_events)
            if number in joins:
                join_impressions(lake, LATER)
        join_impressions(lake, LATER)
        append(at_once, [t for page in tiles for t in page], [e for sent in events for e in sent])
        join_impressions(at_once, LATER)
        assert outcomes(lake) == outcomes(at_once) == expected
        assert join_impressions(lake, LATER).days == {}
