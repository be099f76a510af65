from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.sparse import csr_matrix

from feature_repo.transforms import candidate_mix as mix
from training.candidates import Generators
from training.hit_rates import additive_rates, hit_rates


def marks(*columns: list[int], width: int) -> csr_matrix:
    """One row per watched title, a 1 in each generator and bin that proposed it."""
    matrix = np.zeros((len(columns), width))
    for row, places in enumerate(columns):
        matrix[row, places] = 1
    return csr_matrix(matrix)


def test_one_generator_is_worth_how_often_its_bins_were_watched() -> None:
    # 10 titles shown in each of 2 bins; 4 watched of the first, 1 of the second.
    found = marks([0], [0], [0], [0], [1], width=2)
    rates = additive_rates(found, np.ones(5), np.array([[10.0, 10.0]]))
    assert rates == pytest.approx(np.array([[0.4, 0.1]]), abs=1e-4)


def test_a_later_bin_that_was_watched_more_often_is_worth_as_much_as_the_earlier() -> None:
    found = marks([0], [1], [1], [1], width=2)
    rates = additive_rates(found, np.ones(4), np.array([[10.0, 10.0]]))
    assert rates == pytest.approx(np.array([[0.2, 0.2]]), abs=1e-4)


def test_generators_that_say_the_same_share_what_one_would_be_worth() -> None:
    found = marks([0, 1], [0, 1], [0, 1], width=2)
    rates = additive_rates(found, np.ones(3), np.array([[10.0], [10.0]]))
    assert rates == pytest.approx(np.array([[0.15], [0.15]]))


def test_an_echo_is_worth_nothing_beside_the_generator_that_knows() -> None:
    # The first proposes 10, 5 of them watched. The second repeats one of these 5, and 9 misses of its own.
    found = marks([0, 1], [0], [0], [0], [0], width=2)
    rates = additive_rates(found, np.ones(5), np.array([[10.0], [10.0]]))
    assert rates[0, 0] > 0.45
    assert rates[1, 0] < 0.05


def test_a_bin_that_was_never_filled_is_worth_nothing() -> None:
    rates = additive_rates(marks([0], width=2), np.ones(1), np.array([[4.0, 0.0]]))
    assert rates == pytest.approx(np.array([[0.25, 0.0]]))


def test_where_nothing_was_watched_all_are_worth_nothing() -> None:
    assert not additive_rates(csr_matrix((0, 2)), np.ones(0), np.array([[4.0, 4.0]])).any()


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True), min_size=1, max_size=12),
    st.integers(12, 40),
)
def test_rates_fall_and_expect_as_many_watches_as_there_were(watched: list[list[int]], shown: int) -> None:
    rates = additive_rates(marks(*watched, width=6), np.ones(len(watched)), np.full((2, 3), float(shown)))
    assert (rates >= 0).all()
    assert (np.diff(rates, axis=1) <= 1e-12).all()
    assert (rates * shown).sum() == pytest.approx(len(watched))


def with_relevant(generators: Generators, relevant: list[list[int]]) -> Generators:
    """``relevant`` titles of each member."""
    table = np.zeros((3, 6), dtype=bool)
    for user, titles in enumerate(relevant):
        table[user, titles] = True
    rows = np.flatnonzero(table.any(axis=1))
    return replace(generators, cases=replace(generators.cases, relevant=csr_matrix(table), user_rows=rows))


def test_rates_are_by_generator_and_as_long_as_its_longest_answer(generators: Generators) -> None:
    rates = hit_rates(with_relevant(generators, [[1, 4], [3], [0]]), seed=0)
    lengths = {name: len(curve) for name, curve in rates.items()}
    # Cyd, of whom nothing is known, is not asked; 5 titles are left for Ann and 4 for Bob.
    assert lengths == {
        mix.ALS: 5, mix.TWO_TOWER: 5, mix.SIMILAR: 3, mix.TRENDING: 3, mix.TRENDING_IN_COUNTRY: 1,
        mix.POPULARITY: 5, mix.NEW_TITLES: 4,
    }  # fmt: skip
    for curve in rates.values():
        assert curve.dtype == np.float32
        assert (curve >= 0).all()
        assert (curve < 1).all()
        assert (np.diff(curve) <= 0).all()


def test_strangers_are_measured_where_there_is_nobody_else(generators: Generators) -> None:
    rates = hit_rates(with_relevant(generators, [[], [], [0, 1]]), seed=0)
    assert set(rates) == {mix.TRENDING, mix.POPULARITY, mix.NEW_TITLES}


def test_enough_strangers_are_measured_apart(generators: Generators, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = with_relevant(generators, [[1, 4], [3], [0]])
    known = hit_rates(cases, seed=0)
    monkeypatch.setattr("training.hit_rates.FEWEST_STRANGERS", 1)
    rates = hit_rates(cases, seed=0)
    apart = {name.removeprefix(mix.STRANGERS) for name in rates if name.startswith(mix.STRANGERS)}
    assert apart == {mix.TRENDING, mix.POPULARITY, mix.NEW_TITLES}
    for name, curve in known.items():
        np.testing.assert_array_equal(rates[name], curve)


def test_without_anybody_nothing_is_measured(generators: Generators) -> None:
    assert hit_rates(with_relevant(generators, [[], [], []]), seed=0) == {}


def test_a_member_who_watched_much_counts_as_one_who_watched_little(generators: Generators) -> None:
    # As a share of what each of the two watched, each title of Ann's counts a quarter.
    few = hit_rates(with_relevant(generators, [[4], [3]]), seed=0)
    many = hit_rates(with_relevant(generators, [[1, 2, 4, 5], [3]]), seed=0)
    assert few[mix.TRENDING_IN_COUNTRY][0] > many[mix.TRENDING_IN_COUNTRY][0]
