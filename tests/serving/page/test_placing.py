from __future__ import annotations

from serving.catalogue import NO_FRANCHISE
from serving.page.layout import Layout
from serving.page.placing import Placing

A, B = 0, 1
FRANCHISES = [A, A, A, NO_FRANCHISE, NO_FRANCHISE, NO_FRANCHISE, NO_FRANCHISE, B, A, A]


def placing() -> Placing:
    return Placing(FRANCHISES, Layout(franchise_free_tiles=3, per_franchise=3))


def test_a_second_title_of_a_franchise_waits_for_the_front_of_the_row_to_fill() -> None:
    assert placing().choose([0, 1, 3, 4, 5], length=5) == [0, 3, 4, 1, 5]


def test_it_stays_out_where_the_front_never_fills() -> None:
    assert placing().choose([0, 1, 3], length=5) == [0, 3]


def test_a_page_holds_no_more_of_a_franchise_than_its_cap() -> None:
    page = placing()
    page.place(page.choose([0, 3, 4, 1], length=4))
    assert page.choose([5, 6, 7, 2, 8], length=5) == [5, 6, 7, 2]


def test_a_title_on_the_page_is_not_chosen_again_until_it_is_removed() -> None:
    page = placing()
    page.place([3, 4])
    assert page.choose([3, 5, 4], length=3) == [5]
    page.remove([3])
    assert page.choose([3, 5, 4], length=3) == [3, 5]


def test_choosing_places_nothing() -> None:
    page = placing()
    assert page.choose([3], length=1) == page.choose([3], length=1)
