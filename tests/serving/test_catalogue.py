from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from serving.catalogue import NO_FRANCHISE, Catalogue


@pytest.fixture
def catalogue(small: Any) -> Catalogue:
    found: Catalogue = small.service.state.catalogue
    return found


def now_us(small: Any) -> float:
    return float(small.time[0].timestamp() * 1e6)


def test_titles_of_a_country_are_those_named_for_it_and_those_offered_everywhere(
    small: Any, catalogue: Catalogue
) -> None:
    everywhere = catalogue.eligible("", np.nan, now_us(small), ())
    korea = catalogue.eligible("KR", np.nan, now_us(small), ())
    assert np.flatnonzero(korea & ~everywhere).tolist() == list(range(5, 160, 5))
    np.testing.assert_array_equal(catalogue.eligible("ZZ", np.nan, now_us(small), ()), everywhere)


def test_the_maturity_limit_is_inclusive(small: Any, catalogue: Catalogue) -> None:
    assert not catalogue.eligible("KR", 0, now_us(small), ()).any()
    children = np.flatnonzero(catalogue.eligible("KR", 7, now_us(small), ()))
    assert children.tolist() == [row for row in range(2, 160) if row % 7]


def test_a_title_of_unknown_maturity_suits_only_members_without_a_limit(small: Any) -> None:
    small.features.titles["t002"]["maturity_level"] = None
    catalogue = Catalogue.prepare(small.features.title_snapshot(["t002"], small.time[0]))
    assert not catalogue.eligible("KR", 18, now_us(small), ())[0]
    assert catalogue.eligible("KR", np.nan, now_us(small), ())[0]


def test_watched_titles_are_not_eligible_and_strangers_do_not_matter(
    small: Any, catalogue: Catalogue
) -> None:
    before = catalogue.eligible("KR", np.nan, now_us(small), ())
    after = catalogue.eligible("KR", np.nan, now_us(small), ("t009", "of another catalogue"))
    assert np.flatnonzero(before & ~after).tolist() == [9]


def test_masks_of_requests_do_not_touch_the_catalogue(small: Any, catalogue: Catalogue) -> None:
    catalogue.eligible("KR", 0, now_us(small), ("t009",))
    assert catalogue.eligible("KR", np.nan, now_us(small), ())[9]


def test_a_title_without_metadata_is_never_shown(small: Any) -> None:
    catalogue = Catalogue.prepare(small.features.title_snapshot(["t009", "gone"], small.time[0]))
    assert catalogue.eligible("KR", np.nan, now_us(small), ()).tolist() == [True, False]


def test_franchises_are_numbered_and_none_is_none(catalogue: Catalogue) -> None:
    assert catalogue.franchises[3] == catalogue.franchises[5]
    assert catalogue.franchises[3] != catalogue.franchises[7]
    assert catalogue.franchises[4] == NO_FRANCHISE
