from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feature_repo.page.shelf import NO_FRANCHISE, UNKNOWN_LANGUAGE
from serving.catalogue import Catalogue


@pytest.fixture
def catalogue(small: Any) -> Catalogue:
    found: Catalogue = small.service.state.catalogue
    return found


def now_us(small: Any) -> float:
    return float(small.time[0].timestamp() * 1e6)


def test_titles_of_a_country_are_those_named_for_it_and_those_offered_everywhere(
    catalogue: Catalogue,
) -> None:
    korea, everywhere = catalogue.outside("KR"), catalogue.outside("")
    assert np.flatnonzero(everywhere & ~korea).tolist() == list(range(0, 160, 5))
    np.testing.assert_array_equal(catalogue.outside("ZZ"), everywhere)


def test_a_title_is_unavailable_before_its_first_day(small: Any, catalogue: Catalogue) -> None:
    assert np.flatnonzero(catalogue.unavailable(now_us(small))).tolist() == [0, 1]
    assert catalogue.unavailable(0.0).all()


def test_the_maturity_limit_is_inclusive(catalogue: Catalogue) -> None:
    assert catalogue.unsuitable(0).all()
    assert np.flatnonzero(catalogue.unsuitable(7)).tolist() == list(range(0, 160, 7))
    assert not catalogue.unsuitable(18).any()


def test_a_title_of_unknown_maturity_suits_only_members_without_a_limit(small: Any) -> None:
    small.features.titles["t002"]["maturity_level"] = None
    catalogue = Catalogue.prepare(small.features.title_snapshot(["t002"], small.time[0]))
    assert catalogue.unsuitable(18).tolist() == [True]
    assert catalogue.unsuitable(np.nan).tolist() == [False]


def test_titles_are_found_by_their_ids_and_strangers_do_not_matter(catalogue: Catalogue) -> None:
    assert np.flatnonzero(catalogue.among(("t009", "of another catalogue"))).tolist() == [9]


def test_a_title_without_metadata_is_never_available(small: Any) -> None:
    catalogue = Catalogue.prepare(small.features.title_snapshot(["t009", "gone"], small.time[0]))
    assert catalogue.unavailable(now_us(small)).tolist() == [False, True]
    assert catalogue.offered_to_all(np.nan, now_us(small)).tolist() == [True, False]


def test_languages_are_numbered_and_unknown_is_none(small: Any) -> None:
    small.features.titles["t004"]["original_language"] = None
    catalogue = Catalogue.prepare(
        small.features.title_snapshot(["t003", "t004", "t005", "t006"], small.time[0])
    )
    korean, unknown, english, korean_too = catalogue.languages.tolist()
    assert korean == korean_too != english
    assert unknown == UNKNOWN_LANGUAGE


def test_franchises_are_numbered_and_none_is_none(catalogue: Catalogue) -> None:
    assert catalogue.franchises[3] == catalogue.franchises[5]
    assert catalogue.franchises[3] != catalogue.franchises[7]
    assert catalogue.franchises[4] == NO_FRANCHISE
