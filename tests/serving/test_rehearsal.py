"""The simulated service lives on: pages, plays, impressions and features are those of one another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow.compute as pc
import pytest

from experiments.definitions import ExperimentDefinition
from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import EXPLORED_SLOTS, SHOWN_TILES
from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from serving.rehearsal.home import beginning, rehearse, start_trial
from serving.rehearsal.visits import EVERYBODY, Rehearsed
from tests.conftest import NOT_COPIED, TrainedService

TRIAL = ExperimentDefinition.model_validate(
    {
        "name": "plain", "layer": "post_filter", "traffic": 1000,
        "arms": [
            {"name": "control", "share": 500},
            {"name": "short", "share": 500, "treatment": {"page": {"most_tiles": 44}}},
        ],
    }
)  # fmt: skip


@dataclass(frozen=True)
class Lived:
    settings: Settings
    gateway: FeatureGateway
    start: datetime
    found: Rehearsed


@pytest.fixture(scope="module")
def lived(trained_service: TrainedService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """A copy of the trained service, half a hundred of whose members have lived one more day."""
    home = tmp_path_factory.mktemp("lived") / "home"
    shutil.copytree(trained_service.settings.home, home, ignore=NOT_COPIED)
    alone = Settings(home, str(home / "lake"), None)
    trained_service.simulated.world.save(alone.simulation)
    with running_redis(alone) as url:
        settings = Settings(home, alone.lake, url)
        gateway = FeatureGateway.open(settings, url)
        gateway.apply()
        gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), trained_service.end)
        start = beginning(settings)
        start_trial(settings, TRIAL, start)
        found = rehearse(settings, start, days=1, seed=4, members=50)
        yield Lived(settings, gateway, start, found)


def test_it_begins_where_the_data_ended_and_goes_on_where_it_stopped(
    lived: Lived, trained_service: TrainedService
) -> None:
    assert lived.start == trained_service.end
    again = beginning(lived.settings)
    last = pc.max(Lake(lived.settings.lake).read(SHOWN_TILES)[s.EVENT_TIMESTAMP]).as_py()
    assert last < again <= last + timedelta(hours=1)


def test_every_tile_that_was_shown_is_in_the_log_with_its_arm(lived: Lived) -> None:
    tiles = Lake(lived.settings.lake).read(SHOWN_TILES)
    fresh = tiles.filter(pc.not_equal(tiles[s.ROW_TYPE], "continue_watching"))
    everybody = lived.found.tallies[EVERYBODY]
    assert len(pc.unique(tiles[s.PAGE_ID])) == everybody.pages > 20
    assert len(fresh) == everybody.tiles
    for arm in ("control", "short"):
        mine = fresh.filter(pc.equal(fresh["post_filter_arm"], f"plain/{arm}"))
        assert len(mine) == lived.found.tallies[f"plain/{arm}"].tiles > 0
    held_out = tiles.filter(tiles[s.HOLDOUT])
    assert held_out["post_filter_arm"].null_count == len(held_out)
    assert len(Lake(lived.settings.lake).read(EXPLORED_SLOTS)) > 0


def test_an_arm_changes_its_pages_and_only_those(lived: Lived) -> None:
    control, short = (lived.found.tallies[f"plain/{arm}"] for arm in ("control", "short"))
    assert short.tiles / short.pages <= 44 < control.tiles / control.pages


def test_plays_come_back_from_log_stream_and_join(lived: Lived) -> None:
    joined = Lake(lived.settings.lake).read(s.IMPRESSIONS, start=lived.start)
    played = joined.filter(pc.and_(joined[s.PLAYED], pc.not_equal(joined[s.ROW_TYPE], "continue_watching")))
    everybody = lived.found.tallies[EVERYBODY]
    assert len(played) == everybody.plays > 0
    assert played[s.WATCH_FRACTION].null_count == 0
    assert everybody.expected_plays == pytest.approx(everybody.plays, abs=5 * everybody.expected_plays**0.5)


def test_what_was_played_is_in_the_features_and_shown_as_new_to_nobody_again(lived: Lived) -> None:
    joined = Lake(lived.settings.lake).read(s.IMPRESSIONS, start=lived.start)
    played = joined.filter(joined[s.PLAYED]).to_pylist()
    one = played[0]
    features = lived.gateway.member_features(one[s.USER_ID], lived.start + timedelta(days=1))
    assert one[s.TITLE_ID] in features[s.SESSION_TITLE_IDS][0]
    shown = joined.filter(pc.not_equal(joined[s.ROW_TYPE], "continue_watching")).to_pylist()
    for play in played:
        later = play[s.EVENT_TIMESTAMP] + timedelta(hours=2)
        assert not [
            tile for tile in shown
            if (tile[s.USER_ID], tile[s.TITLE_ID]) == (play[s.USER_ID], play[s.TITLE_ID])
            and tile[s.EVENT_TIMESTAMP] > later
        ]  # fmt: skip
