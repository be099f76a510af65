from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.arrivals import Arrivals, NewMember, UnknownTitleError
from feature_repo.backfill import backfill
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.title_feed import TitleFeed

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, 20, 30, tzinfo=UTC)


def a_title(title_id: str, known_since: datetime, **changed: Any) -> dict[str, Any]:
    return {
        s.TITLE_ID: title_id, s.NAME: f"Name of {title_id}", s.TITLE_TYPE: "movie", s.GENRE_NAMES: ["Drama"],
        s.CAST: ["Ana", "Bo"], s.SYNOPSIS: "a pirate ship on stormy seas", s.COUNTRIES: None,
        s.AVAILABLE_SINCE: known_since, s.EVENT_TIMESTAMP: known_since, **changed,
    }  # fmt: skip


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=s.TITLES.arrow_schema)


@pytest.fixture
def arrivals(lake: Lake, gateway: FeatureGateway, settings: Settings) -> Arrivals:
    """A catalogue of two titles that share their cast and most words, with one viewing."""
    lake.replace(
        s.TITLES, table(a_title("t1", BEGIN), a_title("t2", BEGIN, **{s.SYNOPSIS: "a pirate at sea"}))
    )
    event = {
        s.EVENT_ID: "e1",
        s.USER_ID: "ann",
        s.TITLE_ID: "t1",
        s.EVENT_TYPE: "play",
        s.EVENT_TIMESTAMP: BEGIN,
    }
    lake.replace(s.EVENTS, pa.Table.from_pylist([event], schema=s.EVENTS.arrow_schema))
    backfill(lake, BEGIN, seed=0)
    assert settings.redis_url is not None
    return Arrivals.open(lake, gateway, TitleFeed.open(settings.redis_url))


def test_a_new_title_is_online_in_the_lake_and_announced(
    arrivals: Arrivals, lake: Lake, gateway: FeatureGateway
) -> None:
    before = arrivals.position()
    assert arrivals.add_titles(table(a_title("t3", NOW)), NOW) == 1
    assert arrivals.changes(before)[1] == ("t3",)
    assert arrivals.title_ids() == ["t1", "t2", "t3"]
    snapshot = gateway.title_snapshot(["t3"], NOW)
    assert snapshot.columns[s.NAME].tolist() == ["Name of t3"]
    assert {row[s.TITLE_ID] for row in lake.read(s.TITLE_CONTENT).to_pylist()} == {"t1", "t2", "t3"}


def test_its_vectors_lie_on_the_axes_of_the_catalogue(
    arrivals: Arrivals, lake: Lake, gateway: FeatureGateway
) -> None:
    arrivals.add_titles(table(a_title("t3", NOW)), NOW)  # the words and the cast of t1
    rows = {row[s.TITLE_ID]: row for row in lake.read(s.TITLE_CONTENT).to_pylist()}
    for name in (s.CAST_VECTOR, s.SYNOPSIS_EMBEDDING):
        np.testing.assert_allclose(rows["t3"][name], rows["t1"][name], rtol=1e-5)
    online = gateway.title_contents(["t3"], NOW)
    np.testing.assert_array_equal(
        online[s.SYNOPSIS_EMBEDDING][0], np.float32(rows["t3"][s.SYNOPSIS_EMBEDDING])
    )


def test_online_and_point_in_time_answers_are_the_same(arrivals: Arrivals, gateway: FeatureGateway) -> None:
    arrivals.add_titles(table(a_title("t3", NOW, **{s.ORIGINAL_LANGUAGE: "ko", s.RELEASE_YEAR: 2026})), NOW)
    entities = pa.table(
        {s.TITLE_ID: ["t3"], s.EVENT_TIMESTAMP: pa.array([NOW], pa.timestamp("us", tz="UTC"))}
    )
    offline = gateway.historical("two_tower_titles", entities).to_pylist()[0]
    online = gateway.title_contents(["t3"], NOW)
    assert online[s.ORIGINAL_LANGUAGE][0] == offline[s.ORIGINAL_LANGUAGE] == "ko"
    assert online[s.RELEASE_YEAR][0] == offline[s.RELEASE_YEAR] == 2026
    np.testing.assert_array_equal(online[s.CAST_VECTOR][0], np.float32(offline[s.CAST_VECTOR]))


def test_a_rebuild_of_the_features_keeps_it(arrivals: Arrivals, lake: Lake) -> None:
    arrivals.add_titles(table(a_title("t3", NOW)), NOW)
    assert backfill(lake, NOW, seed=0)[s.TITLE_METADATA.name] == 3


def test_a_member_is_online_with_profile_and_picks_and_survives_a_rebuild(
    arrivals: Arrivals, lake: Lake, gateway: FeatureGateway
) -> None:
    arrivals.add_member(NewMember("zoe", "KR", "ko", ("t2", "t1")), ["t1", "t2"], NOW)
    found = gateway.member_features("zoe", NOW)
    assert found[s.SELECTED_TITLE_IDS][0] == ("t2", "t1")
    assert (found[s.COUNTRY][0], found[s.LANGUAGE][0]) == ("KR", "ko")
    assert found[s.PICKED_AT][0] == NOW.timestamp() * 1e6
    assert np.isnan(found[s.FIRST_WATCHED_AT][0])
    rows = backfill(lake, NOW, seed=0)
    assert rows[s.USER_PICKS.name] == rows[s.USER_PROFILE.name] == 1


def test_a_pick_outside_the_catalogue_is_named_and_nothing_is_kept(arrivals: Arrivals, lake: Lake) -> None:
    with pytest.raises(UnknownTitleError, match="'t9'"):
        arrivals.add_member(NewMember("zoe", None, None, ("t1", "t9")), ["t1", "t2"], NOW)
    assert not lake.exists(s.SIGN_UPS)


def test_somebody_may_pick_nothing(arrivals: Arrivals, gateway: FeatureGateway) -> None:
    arrivals.add_member(NewMember("zoe", None, None), ["t1"], NOW)
    assert gateway.member_features("zoe", NOW)[s.SELECTED_TITLE_IDS][0] == ()
