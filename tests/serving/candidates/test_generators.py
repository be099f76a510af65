from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from serving.candidates import generators as g
from serving.candidates.query import PageRequest, Query
from serving.homepage import query_of
from serving.members import read_member

QueryOf = Callable[..., Query]


@pytest.fixture
def query(small: Any) -> QueryOf:
    def ask(user_id: str, country: str | None = None) -> Query:
        now = small.time[0]
        member = read_member(small.features, user_id, now)
        return query_of(small.service.state, PageRequest(user_id, "tv", now, country), member)

    return ask


@pytest.mark.parametrize(
    "generator", [g.als, g.two_tower, g.trending, g.trending_in_country, g.popularity, g.new_titles]
)
def test_answers_are_distinct_eligible_and_best_first(query: QueryOf, generator: Any) -> None:
    asked = query("ana")
    [answer] = generator(asked, 40)
    assert len(answer.rows) <= 40
    assert len(answer.rows) > 0
    assert len(np.unique(answer.rows)) == len(answer.rows)
    assert asked.eligible[answer.rows].all()
    assert (np.diff(answer.scores) <= 0).all()


def test_als_answers_the_largest_inner_products(query: QueryOf, contents: Any) -> None:
    asked = query("kim")
    factors = contents.title_factors.copy()
    factors[159] = np.append(contents.tower_title_vectors[159], 1) @ contents.content_to_als
    scores = np.where(asked.eligible, factors @ contents.user_factors[1], -np.inf)
    [answer] = g.als(asked, 300)
    assert answer.rows[:10].tolist() == np.argsort(-scores)[:10].tolist()


def test_neighbours_of_a_seed_leave_out_what_may_not_be_shown(query: QueryOf) -> None:
    asked = query("ana")
    seeds = g.similar(asked, 200)
    assert [seed.seed for seed in seeds] == [10, 20]
    assert all(asked.eligible[seed.rows].all() for seed in seeds)


def test_a_title_of_which_it_is_unknown_how_far_it_was_watched_is_no_seed(
    small: Any, query: QueryOf, member_of: Callable[..., dict[str, Any]]
) -> None:
    vector = small.features.members["ana"]["user_embedding"]
    small.features.members["fan"] = member_of({10: float("nan"), 20: 1.0}, vector)
    assert [seed.seed for seed in g.similar(query("fan"), 200)] == [20]


def test_the_second_seed_is_of_another_franchise(
    small: Any, query: QueryOf, member_of: Callable[..., dict[str, Any]]
) -> None:
    small.features.members["fan"] = member_of({9: 1.0, 11: 1.0, 20: 1.0}, None)  # t009 and t011: f3
    assert [seed.seed for seed in g.similar(query("fan"), 200)] == [9, 20]


def test_a_country_without_a_chart_has_no_trends_of_its_own(query: QueryOf) -> None:
    assert g.trending_in_country(query("ana", country="FR"), 100) == ()
    assert g.trending_in_country(query("stranger"), 100) == ()


def test_new_titles_came_within_a_year_newest_first(small: Any, query: QueryOf) -> None:
    small.features.titles["t003"]["available_since"] -= 366 * 86_400_000_000
    small.time[0] = small.time[0].replace(minute=30)  # the titles are refreshed
    small.service.keeper.check()
    [answer] = g.new_titles(query("stranger", country="KR"), 60)
    assert answer.rows[:3].tolist() == [2, 4, 5]
    assert answer.scores[0] == pytest.approx(-(12.5 / 24))  # there for half a day and half an hour


def test_the_towers_answer_the_largest_inner_products(query: QueryOf, contents: Any) -> None:
    asked = query("ana")
    vector = asked.member.tower_vector
    assert vector is not None
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    scores = np.where(asked.eligible, contents.tower_title_vectors @ vector, -np.inf)
    assert g.two_tower(asked, 10)[0].rows.tolist() == np.argsort(-scores)[:10].tolist()


def test_a_title_without_factors_stands_in_the_als_index_by_its_content(query: QueryOf) -> None:
    assert query("kim").models.als_index.has(159)
    assert not query("kim").models.title_factors[159].any()


def test_what_was_begun_and_not_finished_is_offered_again_latest_first(
    small: Any, query: QueryOf, member_of: Callable[..., dict[str, Any]]
) -> None:
    watched = {21: 0.5, 22: 0.04, 23: 0.79, 24: 0.8, 7: 0.5, 26: 0.05}
    small.features.members["fan"] = member_of(watched, None, country="KR", maturity_limit=13)
    [answer] = g.continue_watching(query("fan"), 20)
    assert answer.rows.tolist() == [23, 26]  # 7 and 21 are for adults
    assert not query("fan").eligible[answer.rows].any()


def test_popularity_is_that_of_the_narrowest_segment_with_a_chart(query: QueryOf) -> None:
    assert g.popularity(query("ana"), 3)[0].rows.tolist() == [159, 158, 157]
    assert g.popularity(query("kim"), 3)[0].rows.tolist() == [2, 3, 4]
