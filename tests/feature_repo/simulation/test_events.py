from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from feature_repo import schema as s
from feature_repo.simulation.simulate import SimulatedService


@pytest.fixture(scope="module")
def events(service: SimulatedService) -> pd.DataFrame:
    runtimes = service.titles.to_pandas().set_index(s.TITLE_ID)[[s.RUNTIME_MINUTES, s.TITLE_TYPE]]
    joined: pd.DataFrame = service.events.to_pandas().join(runtimes, on=s.TITLE_ID)
    return joined


def test_event_ids_count_in_order_of_time(events: pd.DataFrame) -> None:
    assert events[s.EVENT_ID].iloc[0] == "e000000001"
    assert events[s.EVENT_ID].is_monotonic_increasing
    assert events[s.EVENT_TIMESTAMP].is_monotonic_increasing


def test_every_kind_of_event_happens(events: pd.DataFrame) -> None:
    assert set(events[s.EVENT_TYPE]) == set(s.EVENT_TYPES)


def test_a_play_starts_at_zero_and_progress_marks_quarters(events: pd.DataFrame) -> None:
    plays = events[events[s.EVENT_TYPE] == "play"]
    progress = events[events[s.EVENT_TYPE] == "progress"]
    assert (plays[s.WATCH_FRACTION] == 0).all()
    assert (plays[s.DURATION_MINUTES] == 0).all()
    assert set(progress[s.WATCH_FRACTION]) == {0.25, 0.5, 0.75}
    assert progress[s.DURATION_MINUTES].to_numpy() == pytest.approx(progress[s.RUNTIME_MINUTES] / 4, rel=1e-5)


def test_complete_and_pause_part_at_the_completion_fraction(events: pd.DataFrame) -> None:
    complete = events.loc[events[s.EVENT_TYPE] == "complete", s.WATCH_FRACTION]
    pause = events.loc[events[s.EVENT_TYPE] == "pause", s.WATCH_FRACTION]
    assert complete.min() >= s.COMPLETION_FRACTION > pause.max()


def test_durations_of_a_viewing_sum_to_the_time_watched(events: pd.DataFrame) -> None:
    watching = events[events[s.EVENT_TYPE].isin(s.WATCH_EVENT_TYPES)]
    played_once = watching[watching[s.EVENT_TYPE] == "play"].groupby([s.USER_ID, s.TITLE_ID]).size() == 1
    viewing = watching.groupby([s.USER_ID, s.TITLE_ID]).agg(
        minutes=(s.DURATION_MINUTES, "sum"),
        fraction=(s.WATCH_FRACTION, "max"),
        runtime=(s.RUNTIME_MINUTES, "first"),
    )[played_once]
    assert len(viewing) > 100
    assert viewing["minutes"].to_numpy() == pytest.approx(viewing["fraction"] * viewing["runtime"], rel=1e-4)


def test_other_events_say_nothing_about_watching(events: pd.DataFrame) -> None:
    others = events[~events[s.EVENT_TYPE].isin(s.WATCH_EVENT_TYPES)]
    assert others[[s.WATCH_FRACTION, s.DURATION_MINUTES]].isna().all(axis=None)


def test_a_search_is_followed_by_a_play_of_what_was_searched(events: pd.DataFrame) -> None:
    searches = events[events[s.EVENT_TYPE] == "search_after_browse"]
    plays = events[events[s.EVENT_TYPE] == "play"]
    pairs = searches.merge(plays, on=[s.USER_ID, s.TITLE_ID], suffixes=("", "_play"))
    waited = (pairs[f"{s.EVENT_TIMESTAMP}_play"] - pairs[s.EVENT_TIMESTAMP]).dt.total_seconds()
    assert (waited == 20).sum() >= len(searches) - 1  # the window may end in between


def test_only_series_and_franchises_are_watched_again(
    service: SimulatedService, events: pd.DataFrame
) -> None:
    plays = events[events[s.EVENT_TYPE] == "play"]
    repeated = plays[plays.duplicated([s.USER_ID, s.TITLE_ID])]
    series = repeated[s.TITLE_TYPE] == "series"
    franchises = service.titles.to_pandas().set_index(s.TITLE_ID)[s.FRANCHISE_ID].dropna().index
    assert series.sum() > 50
    assert repeated.loc[~series, s.TITLE_ID].isin(franchises).all()


def test_better_titles_are_finished_more(service: SimulatedService, events: pd.DataFrame) -> None:
    ends = events[events[s.EVENT_TYPE].isin(["complete", "pause"])]
    quality = pd.Series(service.world.title_quality, index=service.world.title_ids)
    of_end = ends[s.TITLE_ID].map(quality).to_numpy()
    finished = (ends[s.EVENT_TYPE] == "complete").to_numpy()
    assert finished[of_end > np.median(of_end)].mean() > finished[of_end < np.median(of_end)].mean() + 0.1
