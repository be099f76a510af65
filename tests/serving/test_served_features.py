"""The sample of pages that is replayed, against the pages themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import (
    COLUMNS_HASH,
    FEATURES,
    SERVED_FEATURES,
    SHOWN,
    SHOWN_TILES,
    TITLES_TAKEN_AT,
)
from feature_repo.transforms.ranking import RANKING_FEATURES_HASH
from serving.candidates.query import PageRequest
from serving.homepage import MadePage
from serving.impressions import ShownPage, shown_tiles
from serving.served_features import RankerInput, is_sampled, served_features
from serving.settings import ImpressionSettings
from tests.serving.conftest import NOW, SmallService
from tests.serving.test_impression_writer import PATIENCE, writing


def made(small: SmallService, user_id: str) -> MadePage:
    return small.service.homepage(PageRequest(user_id, "tv", NOW), small.service.state)


def kept(page: MadePage) -> RankerInput:
    found = RankerInput.of(page, 1.0)
    assert found is not None
    return found


def test_every_candidate_is_a_row_with_what_the_ranker_saw(small: SmallService) -> None:
    page = made(small, "ana")
    rows = served_features([kept(page)])
    assert rows.schema == SERVED_FEATURES.arrow_schema
    found = rows.to_pylist()
    assert page.matrix is not None
    assert np.array(rows[FEATURES].to_pylist(), np.float32).tobytes() == page.matrix.tobytes()
    merged = page.assembled.merged.rows
    assert [row[s.TITLE_ID] for row in found] == [page.query.catalogue.title_ids[r] for r in merged]
    scores = small.service.state.models.ranker.score(page.matrix)
    assert [row[s.RANKING_SCORE] for row in found] == scores.tolist()
    one = found[0]
    assert (one[s.PAGE_ID], one[s.USER_ID]) == (page.homepage.page_id, "ana")
    assert (one[s.DEVICE_TYPE], one[s.EVENT_TIMESTAMP]) == ("tv", NOW)
    assert one[TITLES_TAKEN_AT] == small.service.state.catalogue.taken_at
    assert (one[s.BUNDLE], one[COLUMNS_HASH]) == (page.homepage.bundle, RANKING_FEATURES_HASH)


def test_tiles_are_marked_and_equal_those_of_the_impression_log(small: SmallService) -> None:
    page = made(small, "ana")
    rows = served_features([kept(page)]).to_pylist()
    tiles = shown_tiles([ShownPage.of(page)]).to_pylist()
    scores = {row[s.TITLE_ID]: row[s.RANKING_SCORE] for row in rows if row[SHOWN]}
    assert scores == {tile[s.TITLE_ID]: tile[s.RANKING_SCORE] for tile in tiles}


def test_nothing_is_copied_on_the_way_of_the_member(small: SmallService) -> None:
    page = made(small, "ana")
    assert kept(page).matrix is page.matrix


def test_a_page_that_the_ranker_did_not_order_has_nothing_to_replay(small: SmallService) -> None:
    assert RankerInput.of(made(small, "eve"), 1.0) is None
    assert len(served_features([])) == 0


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 1.0])
def test_the_draw_is_of_the_id_alone_and_keeps_its_share(share: float) -> None:
    ids = [f"page-{number}" for number in range(20_000)]
    drawn = [is_sampled(page_id, share) for page_id in ids]
    assert drawn == [is_sampled(page_id, share) for page_id in ids]
    # Five standard deviations of a binomial.
    assert abs(sum(drawn) - share * len(ids)) <= 5 * (share * (1 - share) * len(ids)) ** 0.5


def test_a_larger_share_holds_the_pages_of_a_smaller_one() -> None:
    ids = [f"page-{number}" for number in range(2_000)]
    assert all(is_sampled(page_id, 0.3) for page_id in ids if is_sampled(page_id, 0.1))


def test_the_writer_writes_the_sample_beside_the_tiles(small: SmallService, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    sampled, plain = made(small, "ana"), made(small, "kim")
    with writing(lake) as (writer, _):
        writer.offer(ShownPage.of(sampled, 1.0))
        writer.offer(ShownPage.of(plain, 0.0))
        assert writer.flush(PATIENCE)
    assert set(lake.read(SERVED_FEATURES)[s.PAGE_ID].to_pylist()) == {sampled.homepage.page_id}
    assert len(set(lake.read(SHOWN_TILES)[s.PAGE_ID].to_pylist())) == 2


def test_the_sample_is_bounded_and_gives_way_before_a_page_does(small: SmallService, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    pages = [made(small, "ana") for _ in range(2)]
    rows = len(kept(pages[0]))
    room = max(2 * ShownPage.of(pages[0]).tiles + 2, rows)
    assert room < 2 * rows
    with writing(lake, queue_tiles=room) as (writer, counts):
        assert all(writer.offer(ShownPage.of(page, 1.0)) for page in pages)
        assert writer.flush(PATIENCE)
        again = made(small, "ana")
        assert writer.offer(ShownPage.of(again, 1.0))
        assert writer.flush(PATIENCE)
    assert counts.dropped == 0
    kept_ids = set(lake.read(SERVED_FEATURES)[s.PAGE_ID].to_pylist())
    assert kept_ids == {pages[0].homepage.page_id, again.homepage.page_id}


def test_a_hundredth_of_the_pages_is_the_default() -> None:
    assert ImpressionSettings().parity_share == 0.01
