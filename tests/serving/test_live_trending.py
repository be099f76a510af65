from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from feature_repo.settings import Settings
from feature_repo.stream.live_plays import LivePlays, add_plays, weigh_plays
from serving.live_trending import LiveTrending


@pytest.fixture
def client(settings: Settings) -> Iterator[Any]:
    assert settings.redis_url is not None
    with redis.Redis.from_url(settings.redis_url) as opened:
        yield opened


def play(client: Any, country: str, title: str, at_us: float, times: int = 1) -> None:
    with client.pipeline() as pipeline:
        add_plays(pipeline, weigh_plays([(country, title, int(at_us))] * times))
        pipeline.execute()


def first(charts: Any, country: str) -> int:
    return int(charts.orders[country][0])


def test_without_plays_the_bundles_charts_stay(small: Any, client: Any) -> None:
    assert LiveTrending(LivePlays(client)).charts(small.service.state) is None


def test_plays_since_the_training_lead_the_chart_of_their_country_and_of_all(small: Any, client: Any) -> None:
    state = small.service.state
    as_of = state.models.trained_trending.as_of_us
    before = state.models.trending
    play(client, "KR", "t080", as_of + 1, times=200)
    charts = LiveTrending(LivePlays(client)).charts(state)
    assert (first(charts, ""), first(charts, "KR")) == (80, 80)
    assert (first(before, ""), first(before, "KR")) == (159, 0)


def test_what_was_played_before_the_training_counts_in_the_bundle_only(small: Any, client: Any) -> None:
    state = small.service.state
    play(client, "", "t080", state.models.trained_trending.as_of_us - 1, times=200)
    charts = LiveTrending(LivePlays(client)).charts(state)
    assert first(charts, "") == 159


def test_charts_are_made_again_only_when_somebody_has_played(small: Any, client: Any) -> None:
    state, trending = small.service.state, LiveTrending(LivePlays(client))
    play(client, "", "t080", state.models.trained_trending.as_of_us + 1)
    assert trending.charts(state) is not None
    assert trending.charts(state) is None
    play(client, "", "t081", state.models.trained_trending.as_of_us + 1)
    assert trending.charts(state) is not None
    trending.forget()
    assert trending.charts(state) is not None


def test_titles_that_the_catalogue_does_not_know_are_passed_over(small: Any, client: Any) -> None:
    state = small.service.state
    play(client, "", "ghost", state.models.trained_trending.as_of_us + 1)
    assert LiveTrending(LivePlays(client)).charts(state) is not None
