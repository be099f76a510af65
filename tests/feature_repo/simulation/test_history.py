from __future__ import annotations

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.history import examination_probability
from feature_repo.simulation.simulate import SimulatedService


def test_examination_decays_with_row_and_position() -> None:
    config = SimulationConfig(
        page_rows=2,
        row_tiles=3,
        examination_top=0.8,
        examination_row_decay=0.5,
        examination_position_decay=0.5,
    )
    assert examination_probability(config) == pytest.approx(np.array([[0.8, 0.4, 0.2], [0.4, 0.2, 0.1]]))


def test_pages_are_filled_row_by_row(service: SimulatedService, config: SimulationConfig) -> None:
    shown = service.impressions.to_pandas()
    page = shown[shown[s.PAGE_ID] == shown[s.PAGE_ID].iloc[0]]
    assert page[s.ROW_INDEX].tolist() == [1] * 6 + [2] * 6 + [3] * 6 + [4] * 6
    assert page[s.POSITION].tolist() == [1, 2, 3, 4, 5, 6] * 4
    assert (shown.groupby(s.PAGE_ID).size() <= config.page_tiles).all()
    assert (shown.groupby(s.PAGE_ID)[s.EVENT_TIMESTAMP].nunique() == 1).all()
    assert (shown.groupby(s.PAGE_ID)[s.USER_ID].nunique() == 1).all()


def test_propensities_are_probabilities_above_the_exploration_floor(
    service: SimulatedService, config: SimulationConfig
) -> None:
    propensity = service.impressions[s.PROPENSITY].to_numpy()
    assert (propensity > 0.999 * config.policy_exploration_share / config.titles).all()
    assert (propensity <= 1).all()


def test_tiles_at_the_top_are_played_more(service: SimulatedService) -> None:
    """The first row against the last: expected ratio 1 / 0.85**3 = 1.63; the bound is 3 deviations."""
    shown = service.impressions.to_pandas()
    first, last = (shown.loc[shown[s.ROW_INDEX] == row, s.PLAYED] for row in (1, 4))
    difference = first.mean() - last.mean()
    assert difference > 0
    deviation = np.sqrt(first.var() / len(first) + last.var() / len(last))
    assert difference / deviation > 3


def test_a_title_played_from_a_page_is_not_shown_again(service: SimulatedService) -> None:
    shown = service.impressions.to_pandas()
    played = shown[shown[s.PLAYED]].groupby([s.USER_ID, s.TITLE_ID])[s.EVENT_TIMESTAMP].first()
    joined = shown.join(played.rename("played_at"), on=[s.USER_ID, s.TITLE_ID])
    later = joined[joined["played_at"].notna() & (joined[s.EVENT_TIMESTAMP] > joined["played_at"])]
    assert len(later) == 0
    assert len(played) == shown[s.PLAYED].sum()


def test_the_watch_fraction_is_there_for_plays_only(service: SimulatedService) -> None:
    shown = service.impressions.to_pandas()
    assert (shown[s.WATCH_FRACTION].notna() == shown[s.PLAYED]).all()
    assert shown[s.WATCH_FRACTION].dropna().between(0.005, 1.0).all()


def test_a_play_on_a_page_is_followed_by_its_play_event(service: SimulatedService) -> None:
    shown = service.impressions.to_pandas()
    plays = service.events.to_pandas()
    plays = plays[plays[s.EVENT_TYPE] == "play"]
    first = plays.groupby([s.USER_ID, s.TITLE_ID])[s.EVENT_TIMESTAMP].max().rename("last_play")
    played = shown[shown[s.PLAYED]].join(first, on=[s.USER_ID, s.TITLE_ID])
    late = played[s.EVENT_TIMESTAMP].max() - played[s.EVENT_TIMESTAMP] < np.timedelta64(6, "h")
    assert (played["last_play"] > played[s.EVENT_TIMESTAMP])[~late].all()
