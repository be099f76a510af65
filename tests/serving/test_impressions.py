"""What is kept of a page, against the page as it was answered and the state it was made from."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.log_tables import EXPLORED_SLOTS, SHOWN_TILES, STRATUM_PROPENSITIES, STRATUM_TITLE_IDS
from feature_repo.transforms.features_hash import features_hashes
from serving.candidates.query import PageRequest
from serving.homepage import MadePage
from serving.impressions import ShownPage, explored_slots, shown_tiles
from serving.ranking import candidate_features
from tests.serving.conftest import NOW, SmallService


def made(small: SmallService, user_id: str, device: str = "tv") -> MadePage:
    return small.service.homepage(PageRequest(user_id, device, NOW), small.service.state)


def tiles_of(page: MadePage) -> list[tuple[int, str, Any]]:
    return [(n, row.row_type, tile) for n, row in enumerate(page.homepage.rows, 1) for tile in row.tiles]


def test_every_tile_is_a_row_that_says_where_and_why(small: SmallService) -> None:
    page = made(small, "ana")
    rows = shown_tiles([ShownPage.of(page)])
    assert rows.schema == SHOWN_TILES.arrow_schema
    found = rows.to_pylist()
    assert len(found) == len(tiles_of(page)) >= 40
    for row, (row_index, row_type, tile) in zip(found, tiles_of(page), strict=True):
        assert row[s.PAGE_ID] == page.homepage.page_id
        assert (row[s.USER_ID], row[s.DEVICE_TYPE], row[s.EVENT_TIMESTAMP]) == ("ana", "tv", NOW)
        assert (row[s.ROW_INDEX], row[s.ROW_TYPE]) == (row_index, row_type)
        assert (row[s.TITLE_ID], row[s.POSITION]) == (tile.title_id, tile.position)
        assert row[s.SOURCES] == list(tile.sources)
        assert row[s.PROPENSITY] == pytest.approx(tile.propensity)
        assert row[s.RETRIEVAL_SCORE] == pytest.approx(tile.retrieval_score)
        assert row[s.RANKING_SCORE] == pytest.approx(tile.ranking_score)
        assert row[s.BUNDLE] == small.service.state.models.version


def test_the_hash_is_that_of_the_titles_features_made_anew(small: SmallService) -> None:
    page = made(small, "ana")
    query = page.query
    for row in shown_tiles([ShownPage.of(page)]).to_pylist():
        title = np.array([query.catalogue.row_of[row[s.TITLE_ID]]])
        vector = query.member.tower_vector
        scores = None if vector is None else query.models.tower_vectors[title] @ vector
        features = candidate_features(query.member, query.catalogue, title, query.now_us, "tv", scores)
        # One product at a time rounds otherwise than all at once: that column is taken from the page.
        column = np.isclose(page.matrix[page.assembled.merged.rows.tolist().index(title[0])], features[0])
        assert np.all(column | np.isnan(features[0]))
        of_page = page.matrix[page.assembled.merged.rows.tolist().index(title[0])]
        assert row[s.FEATURES_HASH] == features_hashes(of_page[None])[0]


def test_a_page_that_the_ranker_did_not_order_has_no_hashes(small: SmallService) -> None:
    rows = shown_tiles([ShownPage.of(made(small, "eve"))])
    assert rows[s.FEATURES_HASH].null_count == rows[s.RANKING_SCORE].null_count == len(rows) > 0


def test_an_unknown_device_is_null_and_so_is_the_arm_of_no_experiment(small: SmallService) -> None:
    [row] = shown_tiles([ShownPage.of(made(small, "kim", device=""))]).slice(0, 1).to_pylist()
    assert row[s.DEVICE_TYPE] is row["ranker_arm"] is None
    assert row[s.HOLDOUT] is False


def test_arms_stand_in_the_column_of_their_layer(small: SmallService) -> None:
    page = made(small, "ana")
    under = page.homepage.model_copy(
        update={"experiments": {"ranker": "deeper/treatment", "ui": "big/control"}}
    )
    shown = ShownPage.of(replace(page, homepage=under))
    for rows in (shown_tiles([shown]), explored_slots([shown])):
        assert set(rows["ranker_arm"].to_pylist()) == {"deeper/treatment"}
        assert set(rows["ui_arm"].to_pylist()) == {"big/control"}
        assert set(rows["candidate_arm"].to_pylist()) == {None}
        assert set(rows[s.HOLDOUT].to_pylist()) == {False}


def test_explored_tiles_come_with_all_they_were_drawn_from(small: SmallService) -> None:
    page = made(small, "ana")
    slots = explored_slots([ShownPage.of(page)])
    assert slots.schema == EXPLORED_SLOTS.arrow_schema
    explored = [(n, tile) for n, _, tile in tiles_of(page) if tile.propensity < 1]
    assert len(slots) == len(explored) >= 2
    others: set[str] = set()
    for slot, (row_index, tile) in zip(slots.to_pylist(), explored, strict=True):
        titles, probabilities = slot[STRATUM_TITLE_IDS], slot[STRATUM_PROPENSITIES]
        assert (slot[s.TITLE_ID], slot[s.POSITION]) == (tile.title_id, tile.position)
        assert slot[s.ROW_INDEX] == row_index
        assert sum(probabilities) == pytest.approx(1, abs=1e-5)
        assert dict(zip(titles, probabilities, strict=True))[tile.title_id] == pytest.approx(tile.propensity)
        assert len(set(titles)) == len(titles) > 1
        assert not others & set(titles)
        others |= set(titles)


def test_several_pages_make_one_table(small: SmallService) -> None:
    pages = [made(small, user) for user in ("ana", "kim", "eve")]
    rows = shown_tiles([ShownPage.of(page) for page in pages])
    assert rows[s.PAGE_ID].to_pylist() == [p.homepage.page_id for p in pages for _ in tiles_of(p)]
    assert len(shown_tiles([])) == len(explored_slots([])) == 0


def test_what_is_kept_of_a_page_does_not_hold_on_to_what_it_was_made_from(small: SmallService) -> None:
    page = made(small, "ana")
    shown = ShownPage.of(page)
    assert shown.features is not None
    assert page.matrix is not None
    assert shown.features.base is None
    assert shown.features.nbytes < page.matrix.nbytes
    assert all(drawn.rows.base is None for drawn in shown.drawn.values())


def test_pages_that_wait_are_little_that_the_collector_looks_at(small: SmallService) -> None:
    gc.collect()
    before = len(gc.get_objects())
    waiting = [ShownPage.of(made(small, "ana")) for _ in range(20)]
    gc.collect()
    each = (len(gc.get_objects()) - before) / len(waiting)
    assert each < waiting[0].tiles / 2
