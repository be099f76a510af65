"""The rule, case by case, each worked out by hand."""

from __future__ import annotations

import pytest

from feature_repo import schema as s
from feature_repo.impression_log.joining import join_impressions
from feature_repo.ingest.lake import Lake
from tests.feature_repo.impression_log.conftest import LATER, append, at, event, outcomes, shown

NOTHING = (False, None, False)


def test_a_viewing_from_a_page_is_its_play_with_the_highest_fraction_reached(lake: Lake) -> None:
    append(
        lake, shown("p1", 20, "a", "b"),
        [event(20.1, "a", "play"), event(20.5, "a", "progress", 0.5), event(20.6, "a", "pause", 0.4)],
    )  # fmt: skip
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): (True, 0.5, True), ("p1", "b"): NOTHING}


def test_a_play_that_says_nothing_of_its_fraction_leaves_it_open(lake: Lake) -> None:
    append(lake, shown("p1", 20, "a"), [event(20.1, "a", "play", 0.0)])
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): (True, None, True)}


@pytest.mark.parametrize(
    ("hours", "played"), [(19.99, False), (20, True), (43.99, True), (44, False)], ids=str
)
def test_a_viewing_begins_within_a_day_of_the_page(lake: Lake, hours: float, played: bool) -> None:
    append(lake, shown("p1", 20, "a"), [event(hours, "a", "play")])
    join_impressions(lake, LATER)
    assert outcomes(lake)["p1", "a"][0] is played


def test_what_is_watched_a_day_after_the_page_no_longer_counts(lake: Lake) -> None:
    events = [event(43.5, "a", "play"), event(43.9, "a", "progress", 0.3), event(44.5, "a", "complete", 0.9)]
    append(lake, shown("p1", 20, "a"), events)
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): (True, 0.3, True)}


def test_the_latest_page_that_showed_the_title_has_it(lake: Lake) -> None:
    tiles = [*shown("p1", 20, "a"), *shown("p2", 21, "a"), *shown("p3", 22, "b"), *shown("p4", 23, "a")]
    append(lake, tiles, [event(22.5, "a", "play")])
    join_impressions(lake, LATER)
    assert {page for (page, _), outcome in outcomes(lake).items() if outcome[0]} == {"p2"}


def test_of_pages_at_one_instant_the_last_by_id_has_it(lake: Lake) -> None:
    append(lake, [*shown("p2", 20, "a"), *shown("p1", 20, "a")], [event(20.5, "a", "hover")])
    join_impressions(lake, LATER)
    assert {page for (page, _), outcome in outcomes(lake).items() if outcome[2]} == {"p2"}


def test_a_page_of_the_next_day_takes_a_viewing_over(lake: Lake) -> None:
    append(lake, [*shown("p1", 23, "a"), *shown("p2", 25, "a")], [event(25.5, "a", "play")])
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): NOTHING, ("p2", "a"): (True, None, True)}


def test_a_viewing_under_way_stays_with_the_page_that_it_began_from(lake: Lake) -> None:
    events = [event(20.1, "a", "play"), event(20.6, "a", "progress", 0.4), event(21.5, "a", "complete", 1.0)]
    append(lake, [*shown("p1", 20, "a"), *shown("p2", 21, "a")], events)
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): (True, 1.0, True), ("p2", "a"): NOTHING}


def test_a_complete_that_reports_no_fraction_was_watched_to_the_end(lake: Lake) -> None:
    events = [event(20.1, "a", "play"), event(20.6, "a", "progress", 0.4), event(21.5, "a", "complete")]
    append(lake, shown("p1", 20, "a", "b"), [*events, event(20.2, "b", "play"), event(20.3, "b", "pause")])
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): (True, 1.0, True), ("p1", "b"): (True, None, True)}


def test_a_viewing_under_way_at_midnight_is_no_new_one(lake: Lake) -> None:
    append(lake, shown("p1", 24.5, "a"), [event(23.5, "a", "play"), event(25, "a", "complete", 0.9)])
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): NOTHING}


def test_going_on_from_the_next_page_is_a_play_of_that_page(lake: Lake) -> None:
    events = [
        event(20.1, "a", "play"), event(20.5, "a", "pause", 0.3),
        event(21.1, "a", "play"), event(21.9, "a", "complete", 0.9),
    ]  # fmt: skip
    append(lake, [*shown("p1", 20, "a"), *shown("p2", 21, "a")], events)
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): (True, 0.3, True), ("p2", "a"): (True, 0.9, True)}


@pytest.mark.parametrize(("hours", "played"), [(22.5, False), (22.51, True)])
def test_watching_that_goes_on_after_a_long_gap_without_a_play_is_a_viewing(
    lake: Lake, hours: float, played: bool
) -> None:
    # The last event before lies at 20.5, and a gap is more than two hours.
    append(lake, shown("p1", 21, "a"), [event(20.5, "a", "pause", 0.4), event(hours, "a", "progress", 0.6)])
    join_impressions(lake, LATER)
    assert outcomes(lake)["p1", "a"] == ((True, 0.6, True) if played else NOTHING)


@pytest.mark.parametrize("kind", ["hover", "thumbs_up", "thumbs_down"])
def test_a_hover_or_a_thumb_is_a_click_and_no_play(lake: Lake, kind: str) -> None:
    append(lake, shown("p1", 20, "a", "b"), [event(20.5, "a", kind)])
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): (False, None, True), ("p1", "b"): NOTHING}


def test_a_search_is_no_click(lake: Lake) -> None:
    append(lake, shown("p1", 20, "a"), [event(20.5, "a", "search_after_browse")])
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): NOTHING}


def test_members_and_titles_do_not_mix(lake: Lake) -> None:
    tiles = [*shown("p1", 20, "a", "b"), *shown("p2", 20, "a", "b", user="kim")]
    append(lake, tiles, [event(20.5, "b", "play", user="kim")])
    join_impressions(lake, LATER)
    assert [key for key, outcome in outcomes(lake).items() if outcome[0]] == [("p2", "b")]


def test_an_event_sent_twice_counts_once_and_the_earliest_counts(lake: Lake) -> None:
    once = event(20.5, "a", "progress", 0.2)
    again = once | {s.WATCH_FRACTION: 0.8, s.EVENT_TIMESTAMP: at(20.6)}
    append(lake, shown("p1", 20, "a"), [again, once, once])
    join_impressions(lake, LATER)
    assert outcomes(lake) == {("p1", "a"): (True, 0.2, True)}


def test_everything_that_the_servers_wrote_of_a_tile_is_kept(lake: Lake) -> None:
    tile = shown("p1", 20, "a")[0] | {
        s.ROW_INDEX: 3, s.POSITION: 7, s.PROPENSITY: 0.25, s.SOURCES: ["als", "trending"],
        s.RETRIEVAL_SCORE: 0.5, s.RANKING_SCORE: -1.5, s.FEATURES_HASH: 2**62 + 1, s.DEVICE_TYPE: "tv",
        "ranker_arm": "e/a", s.HOLDOUT: False,
    }  # fmt: skip
    append(lake, [tile])
    join_impressions(lake, LATER)
    [row] = lake.read(s.IMPRESSIONS).to_pylist()
    assert {name: row[name] for name in tile} == tile
    assert (row[s.PLAYED], row[s.WATCH_FRACTION], row[s.CLICKED]) == NOTHING
