from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from feature_repo import schema as s
from training.bundle import BundleContents

PageOf = Callable[..., dict[str, Any]]


@pytest.fixture
def named(small: Any) -> Any:
    """The store says which model its vectors are of."""
    for title in small.features.titles.values():
        title[s.MODEL_VERSION] = "als-1" if title[s.TITLE_EMBEDDING] is not None else None
    for user_id in ("ana", "kim"):
        small.features.members[user_id][s.MODEL_VERSION] = "als-1"
    refresh(small)
    return small


def refresh(small: Any) -> None:
    small.time[0] = small.time[0].replace(minute=small.time[0].minute + 10)
    small.service.keeper.check()


def publish_next_model_to_the_store(small: Any, version: str) -> None:
    """As a training does before its bundle comes into service: all vectors of another space."""
    for title in small.features.titles.values():
        if title[s.TITLE_EMBEDDING] is not None:
            title |= {s.TITLE_EMBEDDING: -2 * title[s.TITLE_EMBEDDING][::-1], s.MODEL_VERSION: version}
    for user_id in ("ana", "kim"):
        member = small.features.members[user_id]
        member |= {s.USER_EMBEDDING: -2 * member[s.USER_EMBEDDING][::-1], s.MODEL_VERSION: version}


def test_the_version_of_equal_vectors_is_the_bundles_own(named: Any) -> None:
    assert named.service.state.vector_versions == {"als-1"}


# The same name in other vectors, as of a second training on the same data, shows with the next snapshot.
@pytest.mark.parametrize(("version", "refreshed"), [("als-2", False), ("als-2", True), ("als-1", True)])
def test_pages_do_not_change_while_the_store_is_ahead_of_the_bundle(
    named: Any, page_of: PageOf, bound: Callable[[Any], Any], version: str, refreshed: bool
) -> None:
    before = page_of("ana")["rows"]
    publish_next_model_to_the_store(named, version)
    if refreshed:
        refresh(named)
    page = page_of("ana", at="2026-03-01T20:10:00Z")
    assert page["degraded"] == []
    assert bound(page["rows"]) == bound(page_of("ana", at="2026-03-01T20:10:00Z")["rows"])
    assert bound(page["rows"]) == bound(before)


def test_the_index_is_not_searched_with_a_foreign_vector_of_somebody_the_bundle_does_not_know(
    named: Any, page_of: PageOf, member_of: Callable[..., dict[str, Any]]
) -> None:
    vector = np.ones(s.ALS_DIMENSIONS, np.float32)
    named.features.members["new"] = member_of({}, vector) | {s.MODEL_VERSION: "als-2"}
    tiles = [tile for row in page_of("new")["rows"] for tile in row["tiles"]]
    assert tiles
    assert not any("als" in tile["sources"] for tile in tiles)


def test_a_member_the_store_lost_the_vector_of_keeps_that_of_the_bundle(
    named: Any, contents: BundleContents
) -> None:
    vectors = named.service.state.models.vectors
    np.testing.assert_array_equal(vectors.of_member("kim"), contents.user_factors[1:2])
    assert np.isnan(vectors.of_member("stranger")).all()


def test_titles_without_interactions_have_no_vector(named: Any) -> None:
    vectors = named.service.state.models.vectors
    assert np.isnan(vectors.titles[159]).all()
    assert np.isfinite(vectors.titles[:159]).all()


def test_a_store_that_got_only_the_vectors_that_moved_changes_no_page(
    named: Any, page_of: PageOf, bound: Callable[[Any], Any]
) -> None:
    """After a retrain: rows of the bundle's training for what moved, older ones nearby for the rest."""
    before = page_of("ana")["rows"], page_of("kim")["rows"]
    for place, title in enumerate(named.features.titles.values()):
        if title[s.TITLE_EMBEDDING] is not None and place % 2:
            title |= {s.TITLE_EMBEDDING: 1.05 * title[s.TITLE_EMBEDDING], s.MODEL_VERSION: "als-0"}
    member = named.features.members["kim"]
    member |= {s.USER_EMBEDDING: -1.05 * member[s.USER_EMBEDDING], s.MODEL_VERSION: "als-0"}
    refresh(named)
    assert named.service.state.vector_versions == {"als-1"}
    at = "2026-03-01T20:10:00Z"
    assert bound(page_of("ana", at=at)["rows"]) == bound(before[0])
    assert bound(page_of("kim", at=at)["rows"]) == bound(before[1])
