from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from feature_repo.page.board import Board
from feature_repo.page.exploration import UNIFORM_SHARE, Stratum, draws_of, explored, strata_of
from feature_repo.page.rules import PageRules
from feature_repo.page.shelf import Shelf

RULES = PageRules(ranked=10, exploration_pool=20)


def board_of(shelf: Shelf, rules: PageRules = RULES) -> Board:
    return Board(shelf, np.arange(min(rules.ranked, len(shelf))), rules)


def test_draws_depend_on_the_page_and_the_slot_alone() -> None:
    # Published values: the first 53 bits of blake2b("slot:page_id", 8 bytes), big endian, over 2**53.
    assert draws_of("page-1")(0) == pytest.approx(0.906328428483178)
    assert draws_of("page-1")(1) != draws_of("page-1")(0) != draws_of("page-2")(0)


def test_draws_are_even() -> None:
    values = np.array([draws_of(f"page-{number}")(number % 3) for number in range(20_000)])
    counts = np.histogram(values, bins=20, range=(0, 1))[0]
    chi_square = ((counts - 1000) ** 2 / 1000).sum()
    assert chi_square < 43.8  # 0.1 % of even draws lie beyond, 19 degrees of freedom


def test_strata_share_the_titles_after_the_best_in_turn(shelf_of: Callable[..., Shelf]) -> None:
    strata = strata_of(board_of(shelf_of(40)), RULES, 3)
    assert [stratum.places.tolist() for stratum in strata] == [
        list(range(10, 30, 3)), list(range(11, 30, 3)), list(range(12, 30, 3)),
    ]  # fmt: skip


def test_probabilities_sum_to_one_and_stay_above_the_even_share(shelf_of: Callable[..., Shelf]) -> None:
    for stratum in strata_of(board_of(shelf_of(40)), RULES, 3):
        assert stratum.probabilities.sum() == pytest.approx(1.0)
        assert (stratum.probabilities >= UNIFORM_SHARE / len(stratum.places)).all()
        assert (np.diff(stratum.probabilities) < 0).all()  # the more relevant the likelier


def test_shown_shares_are_the_propensities(shelf_of: Callable[..., Shelf]) -> None:
    """20,000 pages: each title of the pool is shown as often as its propensity says, and they sum to 3."""
    strata = strata_of(board_of(shelf_of(40)), RULES, 3)
    propensity = {
        int(place): float(p)
        for stratum in strata
        for place, p in zip(stratum.places, stratum.probabilities, strict=True)
    }
    pages = 20_000
    shown = dict.fromkeys(propensity, 0)
    for number in range(pages):
        for place, logged in explored(strata, draws_of(str(number))).items():
            shown[place] += 1
            assert logged == propensity[place]
    assert sum(propensity.values()) == pytest.approx(3.0)
    for place, probability in propensity.items():
        spread = np.sqrt(probability * (1 - probability) / pages)
        assert abs(shown[place] / pages - probability) < 4.5 * spread


def test_a_stratum_is_drawn_by_its_probabilities_to_the_edges() -> None:
    stratum = Stratum(np.array([7, 8]), np.array([0.25, 0.75]))
    assert stratum.draw(0.0) == (7, 0.25)
    assert stratum.draw(0.2499) == (7, 0.25)
    assert stratum.draw(0.25) == (8, 0.75)
    assert stratum.draw(1 - 2**-53) == (8, 0.75)


def test_no_franchise_of_the_page_or_of_another_stratum_is_explored(
    shelf_of: Callable[..., Shelf],
) -> None:
    board = board_of(shelf_of(30, franchises={0: 1, 10: 1, 11: 2, 12: 2, 13: 3}))
    board.take([0])
    found = {place for stratum in strata_of(board, RULES, 2) for place in stratum.places.tolist()}
    assert found == set(range(10, 30)) - {10, 12}


def test_a_genre_close_to_its_cap_is_not_explored(shelf_of: Callable[..., Shelf]) -> None:
    rules = RULES.model_copy(update={"per_genre": 4})
    board = board_of(shelf_of(40, genres={place: [0] for place in range(3)}), rules)
    board.take([0, 1, 2])  # three of genre 0; two more would pass the cap of four
    for stratum in strata_of(board, rules, 2):
        assert not any(place % 6 == 0 for place in stratum.places.tolist())


def test_with_nothing_after_the_best_nothing_is_explored(shelf_of: Callable[..., Shelf]) -> None:
    assert strata_of(board_of(shelf_of(10)), RULES, 3) == []
    assert explored([], draws_of("page")) == {}
