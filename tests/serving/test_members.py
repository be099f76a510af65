from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.transforms.ranking import MEMBER_INPUTS
from serving.members import read_member, unknown_member


def test_somebody_unknown_has_no_taste_no_country_and_no_limit() -> None:
    member = unknown_member("stranger")
    assert not member.personal
    assert member.embedding is None
    assert member.country == ""
    assert np.isnan(member.maturity_limit)
    assert set(member.features) == set(MEMBER_INPUTS)
    assert all(len(column) == 1 for column in member.features.values())


def test_the_store_and_the_defaults_agree_on_somebody_unknown(small: Any) -> None:
    read = read_member(small.features, "stranger", small.time[0])
    default = unknown_member("stranger")
    assert (read.recent, read.watched, read.country) == (default.recent, default.watched, default.country)
    for name in MEMBER_INPUTS:
        np.testing.assert_array_equal(read.features[name], default.features[name])


def test_recent_titles_keep_their_fractions_and_count_as_watched(small: Any) -> None:
    small.features.members["ana"][s.WATCHED_TITLE_IDS] = ["t001"]
    member = read_member(small.features, "ana", small.time[0])
    assert member.recent == (
        ("t010", pytest.approx(0.9)), ("t011", pytest.approx(0.2)), ("t020", pytest.approx(0.8)),
    )  # fmt: skip
    assert member.watched == {"t001", "t010", "t011", "t020"}


@pytest.mark.parametrize("vector", [None, np.zeros(s.ALS_DIMENSIONS, np.float32)])
def test_history_without_a_vector_is_personal_and_has_nothing_to_search_with(
    small: Any, member_of: Callable[..., dict[str, Any]], vector: Any
) -> None:
    small.features.members["new"] = member_of({3: 1.0}, vector)
    member = read_member(small.features, "new", small.time[0])
    assert member.personal
    assert member.embedding is None
