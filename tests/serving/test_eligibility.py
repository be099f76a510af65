from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from feature_repo import schema as s
from serving.candidates.query import PageRequest
from serving.eligibility import Visit, eligible_titles, surely_eligible_titles
from serving.members import read_member, unknown_member

PageOf = Callable[..., dict[str, Any]]


def shown(page: dict[str, Any]) -> list[int]:
    return [int(tile["title_id"][1:]) for row in page["rows"] for tile in row["tiles"]]


def visit_of(small: Any, user_id: str, country: str | None = None) -> Visit:
    now = small.time[0]
    member = read_member(small.features, user_id, now)
    return Visit(small.service.state, PageRequest(user_id, "tv", now, country), member)


def broken(*_: object) -> None:
    raise RuntimeError("broken on purpose")


def test_the_requests_country_stands_above_the_profiles(small: Any) -> None:
    assert visit_of(small, "ana").country == "KR"
    assert visit_of(small, "ana", "FR").country == "FR"
    assert visit_of(small, "stranger").country == ""


def test_the_sure_titles_are_among_the_eligible_ones_but_for_those_watched(small: Any) -> None:
    for user_id in ("ana", "kim", "stranger"):
        visit = visit_of(small, user_id)
        unseen = replace(visit, member=replace(visit.member, watched=frozenset()))
        assert surely_eligible_titles(visit).new.any()
        assert not (surely_eligible_titles(visit).new & ~eligible_titles(unseen).new).any()


def test_a_member_whose_limit_is_unknown_surely_may_see_what_suits_the_youngest(small: Any) -> None:
    rows = np.flatnonzero(surely_eligible_titles(visit_of(small, "ana")).new)
    assert rows.tolist() == [row for row in range(2, 160) if row % 5 and row % 7]  # level 7, everywhere


def test_what_was_watched_may_be_gone_on_with_but_is_nothing_new(small: Any) -> None:
    allowed = eligible_titles(visit_of(small, "ana"))
    assert np.flatnonzero(allowed.begun & ~allowed.new).tolist() == [10, 11, 20]
    assert not (allowed.new & ~allowed.begun).any()


def test_what_the_member_has_hidden_is_shown_no_more_nor_gone_on_with(small: Any) -> None:
    small.features.members["ana"][s.HIDDEN_TITLE_IDS] = ["t011", "t030", "of another catalogue"]
    allowed = eligible_titles(visit_of(small, "ana"))
    assert np.flatnonzero(allowed.removed["hidden"]).tolist() == [11, 30]
    assert not allowed.new[[11, 30]].any()
    assert not allowed.begun[[11, 30]].any()


def test_each_filter_says_what_it_removed_and_together_they_are_what_is_missing(small: Any) -> None:
    allowed = eligible_titles(visit_of(small, "kim"))  # in FR, up to 13 years, has watched 30
    removed = {name: np.flatnonzero(mask).tolist() for name, mask in allowed.removed.items()}
    assert removed == {
        "not_available": [0, 1],
        "country": list(range(0, 160, 5)),
        "maturity": list(range(0, 160, 7)),
        "hidden": [],
        "watched": [30],
    }
    np.testing.assert_array_equal(~allowed.new, np.logical_or.reduce(list(allowed.removed.values())))


def test_where_nothing_can_be_told_nothing_is_sure(small: Any) -> None:
    visit = visit_of(small, "ana")
    catalogue = replace(visit.state.catalogue, available_since=np.zeros(3))  # of another length
    broken = replace(visit, state=replace(visit.state, catalogue=catalogue))
    assert not surely_eligible_titles(broken).new.any()


def test_a_failing_filter_is_named_and_shows_nothing_that_may_not_be_shown(
    page_of: PageOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.catalogue.Catalogue.outside", broken)
    page = page_of("kim")  # in FR, up to 13 years
    assert page["degraded"] == ["eligibility"]
    assert len(shown(page)) >= 40
    assert all(row % 5 and row % 7 and row > 1 for row in shown(page))


def test_a_filter_that_fails_altogether_leaves_a_page_without_titles(
    page_of: PageOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.catalogue.Catalogue.unavailable", broken)
    page = page_of("kim")
    assert page["degraded"] == ["eligibility"]
    assert page["rows"] == []


def test_without_the_store_a_member_who_may_be_a_child_sees_nothing_for_adults(
    small: Any, page_of: PageOf
) -> None:
    small.features.error = ConnectionError("away")
    page = page_of("kim", country="KR")
    assert page["degraded"] == ["features"]
    assert len(shown(page)) >= 40
    assert all(row % 7 for row in shown(page))


def test_a_catalogue_without_maturity_levels_knows_no_cautious_limit(small: Any) -> None:
    for title in small.features.titles.values():
        title[s.MATURITY_LEVEL] = None
    visit = visit_of(small, "stranger")
    snapshot = small.features.title_snapshot(visit.state.catalogue.title_ids, small.time[0])
    state = replace(visit.state, catalogue=type(visit.state.catalogue).prepare(snapshot))
    assert np.isnan(state.catalogue.cautious_limit)
    assert surely_eligible_titles(replace(visit, state=state, member=unknown_member("x"))).new.any()
