from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from feature_repo.transforms.candidate_mix import (
    LIMITS,
    QUOTAS,
    STRANGERS,
    default_hit_rate,
    merge,
    segments_of,
)

RATES = {"als": np.array([0.5, 0.2, 0.1], np.float32), "trending": np.array([0.4, 0.1], np.float32)}


def rows(*titles: int) -> np.ndarray:
    return np.array(titles, dtype=np.intp)


def test_a_title_is_worth_what_its_witnesses_say_together() -> None:
    merged = merge([("als", rows(4, 2)), ("trending", rows(7, 2))], 10, RATES)
    # 2: 1 - (1 - 0.2)(1 - 0.1); 4: 0.5; 7: 0.4
    assert merged.rows.tolist() == [4, 7, 2]
    assert merged.scores == pytest.approx([0.5, 0.4, 0.28])
    assert merged.sources == {4: ("als",), 7: ("trending",), 2: ("als", "trending")}


def test_beyond_the_measured_ranks_a_candidate_is_worth_nothing_but_is_there() -> None:
    merged = merge([("trending", rows(3, 1, 0))], 4, RATES)
    assert merged.rows.tolist() == [3, 1, 0]
    assert merged.scores == pytest.approx([0.4, 0.1, 0.0], abs=1e-6)


def test_a_generator_that_was_never_measured_has_falling_hit_rates() -> None:
    merged = merge([("new_titles", rows(5, 6))], 10, {})
    assert merged.rows.tolist() == [5, 6]
    curve = default_hit_rate(100)
    assert (np.diff(curve) < 0).all()
    assert curve[0] == pytest.approx(0.05)


def test_two_answers_of_one_generator_are_one_source_and_share_its_quota() -> None:
    answers = [("similar", rows(1, 2)), ("similar", rows(3, 4)), ("als", rows(8, 9, 7))]
    merged = merge(answers, 10, RATES | {"similar": np.zeros(2, np.float32)}, limit=4, quotas={"similar": 2})
    assert set(merged.rows.tolist()) == {1, 3, 8, 9}
    assert merged.sources[1] == ("similar",)


def test_the_best_of_a_weak_generator_are_kept_in_any_case() -> None:
    weak = {"weak": np.full(3, 1e-6, np.float32)}
    answers = [("als", rows(*range(3))), ("weak", rows(7, 8, 9))]
    merged = merge(answers, 10, RATES | weak, limit=3, quotas={"weak": 1})
    assert merged.rows.tolist() == [0, 1, 7]


def test_where_hit_rates_are_level_the_better_rank_comes_first() -> None:
    level = {"als": np.full(3, 0.1, np.float32)}
    assert merge([("als", rows(8, 2, 5))], 10, level).rows.tolist() == [8, 2, 5]


def test_nothing_merges_to_nothing() -> None:
    assert len(merge([], 3, {}).rows) == 0
    assert merge([("als", rows())], 3, {}).sources == {}


def test_every_quota_is_within_its_generators_limit() -> None:
    assert set(QUOTAS) == set(LIMITS)
    assert all(QUOTAS[name] <= LIMITS[name] for name in LIMITS)


@pytest.mark.parametrize(
    ("country", "language", "segments"),
    [("KR", "ko", ("KR/ko", "KR", "/ko")), ("KR", "", ("KR",)), ("", "ko", ("/ko",)), ("", "", ())],
)
def test_a_member_belongs_to_the_narrowest_segment_first(
    country: str, language: str, segments: tuple[str, ...]
) -> None:
    assert segments_of(country, language) == segments


ANSWERS = st.dictionaries(
    st.sampled_from(["als", "trending", "popularity"]),
    st.lists(st.integers(0, 19), unique=True, max_size=20),
)


@given(ANSWERS, st.integers(1, 20), st.randoms())
def test_candidates_are_distinct_best_first_limited_and_free_of_the_order_of_answers(
    answers: dict[str, list[int]], limit: int, random: object
) -> None:
    given_order = [(name, rows(*found)) for name, found in answers.items()]
    merged = merge(given_order, 20, RATES, limit)
    proposed = set().union(*answers.values()) if answers else set()
    assert len(set(merged.rows.tolist())) == len(merged.rows) == min(limit, len(proposed))
    assert set(merged.rows.tolist()) <= proposed
    assert (np.diff(merged.scores) <= 1e-7).all()
    for row, sources in merged.sources.items():
        assert set(sources) == {name for name, found in answers.items() if row in found}
    shuffled = given_order[::-1]
    again = merge(shuffled, 20, RATES, limit)
    assert set(again.rows.tolist()) == set(merged.rows.tolist())


@given(ANSWERS, st.integers(1, 12))
def test_quotas_hold_as_long_as_the_limit_allows(answers: dict[str, list[int]], quota: int) -> None:
    quotas = dict.fromkeys(answers, quota)
    given_order = [(name, rows(*found)) for name, found in answers.items()]
    merged = merge(given_order, 20, RATES, limit=3 * quota, quotas=quotas)
    for found in answers.values():
        assert set(found[:quota]) <= set(merged.rows.tolist())


@given(ANSWERS, st.integers(1, 20), st.integers(0, 4), st.data())
def test_a_better_rank_never_harms_a_title(
    answers: dict[str, list[int]], limit: int, quota: int, data: st.DataObject
) -> None:
    source = data.draw(st.sampled_from([name for name in answers if len(answers[name]) > 1] or [""]))
    if not source:
        return
    place = data.draw(st.integers(1, len(answers[source]) - 1))
    risen = answers[source][place]
    better = list(answers[source])
    better[place - 1], better[place] = better[place], better[place - 1]
    quotas = dict.fromkeys(answers, quota)
    before = merge([(name, rows(*found)) for name, found in answers.items()], 20, RATES, limit, quotas)
    changed = answers | {source: better}
    after = merge([(name, rows(*found)) for name, found in changed.items()], 20, RATES, limit, quotas)
    if risen in before.sources:
        assert risen in after.sources
        rank_before, rank_after = (list(merged.rows).index(risen) for merged in (before, after))
        assert after.scores[rank_after] >= before.scores[rank_before]


def test_for_whom_nobody_knows_the_rates_of_strangers_count() -> None:
    high, low = np.full(2, 0.5, np.float32), np.full(2, 0.1, np.float32)
    rates = {"trending": high, "popularity": low, STRANGERS + "trending": low, STRANGERS + "popularity": high}
    charts = [("trending", np.array([0, 1])), ("popularity", np.array([2, 3]))]
    assert merge(charts, 6, rates).rows.tolist() == [2, 3, 0, 1]
    assert merge([*charts, ("als", np.array([4, 5]))], 6, rates).rows.tolist()[:2] == [0, 1]
    without = {name: curve for name, curve in rates.items() if not name.startswith(STRANGERS)}
    assert merge(charts, 6, without).rows.tolist() == [0, 1, 2, 3]
