"""Titles that an import appends, seen from where servers look: Redis."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from feature_repo import schema as s
from feature_repo.backfill import backfill
from feature_repo.ingest.cli import ingest
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.title_feed import TitleFeed

HEADER = "title_id,name,title_type,genres,cast,available_since,event_timestamp\n"
SECOND = HEADER + "t2,Two,movie,,,1709294400,1709294400\n"
FIRST = HEADER + "t1,One,movie,Drama,Ana,1709294400,1709294400\n"
EVENT = "event_id,user_id,title_id,event_type,event_timestamp\ne1,anna,t1,play,1709294400\n"
NOW = datetime(2024, 3, 2, tzinfo=UTC)
Write = Callable[..., Path]


@pytest.fixture
def feed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> TitleFeed:
    """The feed of a service in the environment."""
    assert settings.redis_url is not None
    monkeypatch.setenv("MARQUEE_HOME", str(settings.home))
    monkeypatch.setenv("MARQUEE_LAKE", settings.lake)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    return TitleFeed.open(settings.redis_url)


def _files(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(ingest, ["files", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result


def _import_first(write: Write) -> None:
    _files("--events", write("e.csv", EVENT), "--titles", write("t.csv", FIRST))


def test_appended_titles_are_online_and_announced_and_those_of_before_are_not_told_again(
    feed: TitleFeed, lake: Lake, gateway: FeatureGateway, write: Write
) -> None:
    _import_first(write)
    backfill(lake, NOW, seed=0)
    before = feed.position()
    more = FIRST + "t2,Two,movie,Drama,Ana,1709294400,1709294400\n"
    assert "1 titles are online" in _files("--append", "--titles", write("more.csv", more)).output
    assert feed.changes(before)[1] == ("t2",)
    assert gateway.title_snapshot(["t2"], NOW).columns[s.NAME].tolist() == ["Two"]
    assert gateway.title_contents(["t2"], NOW)[s.GENRE_VECTOR].any()
    assert lake.read(s.TITLES).num_rows == lake.read(s.TITLE_CONTENT).num_rows == 2
    _files("--append", "--titles", write("more.csv", more))
    assert feed.changes(before)[1] == ("t2",)


@pytest.mark.usefixtures("gateway")
def test_before_features_are_built_nothing_is_announced(feed: TitleFeed, write: Write) -> None:
    _import_first(write)
    before = feed.position()
    result = _files(
        "--append", "--titles", write("more.csv", HEADER + "t2,Two,movie,,,1709294400,1709294400\n")
    )
    assert "online" not in result.output
    assert feed.changes(before)[1] == ()


@pytest.mark.usefixtures("feed", "gateway")
def test_a_redis_that_is_away_is_told_with_what_to_do(
    lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    _import_first(write)
    backfill(lake, NOW, seed=0)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    more = write("more.csv", SECOND)
    result = CliRunner().invoke(ingest, ["files", "--append", "--titles", str(more)])
    assert result.exit_code == 1
    assert "in the lake, not online" in result.output
    assert lake.read(s.TITLES).num_rows == 2
