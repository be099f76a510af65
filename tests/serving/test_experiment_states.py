"""Bundles held for experiments live as the champion does: same titles, same plays, same clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from serving.bundles import KeeperSettings
from training.bundle import BundleAliases, BundleContents

ContentsOf = Callable[[int], BundleContents]


@pytest.fixture
def held(lab: Any, contents_of: ContentsOf) -> Callable[[], Any]:
    """The state of a bundle that is held beside the champion."""
    version = lab.publish(contents_of(2), champion=False)
    lab.service.keeper.hold(version)
    return lambda: lab.service.keeper.state_of(version)


def test_its_titles_are_refreshed_as_the_champions_are(lab: Any, held: Callable[[], Any]) -> None:
    lab.features.titles["t009"]["name"] = "Renamed"
    lab.time[0] += timedelta(minutes=5)
    lab.service.keeper.check()
    assert lab.service.state.catalogue.names[9] == "Renamed"
    assert held().catalogue.names[9] == "Renamed"


def test_it_is_read_once(lab: Any, held: Callable[[], Any]) -> None:
    before = held()
    lab.service.keeper.hold(before.models.version)
    assert held() is before


def test_it_is_held_though_it_be_the_champion(lab: Any) -> None:
    version = lab.service.state.models.version
    lab.service.keeper.hold(version)
    BundleAliases(lab.bundles).set("champion", version)
    assert lab.service.keeper.state_of(version).models.version == version


def test_it_lives_by_the_champions_clock(
    unstarted: Any, contents_of: ContentsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unstarted.service, "_settings", KeeperSettings(clock_mode="replay"))
    unstarted.publish(contents_of(1))
    unstarted.service.start(watch=False)
    keeper = unstarted.service.keeper
    version = unstarted.publish(contents_of(2), champion=False)
    keeper.hold(version)
    assert keeper.state_of(version).clock is unstarted.service.state.clock
    unstarted.publish(contents_of(3))
    keeper.check()
    assert keeper.state_of(version).clock is unstarted.service.state.clock
    unstarted.service.stop()


def test_one_that_cannot_follow_does_not_hold_up_the_champion(
    lab: Any, held: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("broken on purpose")

    kept = lab.service.keeper._held[held().models.version]
    monkeypatch.setattr(kept, "follow", broken)
    assert lab.service.keeper.follow() is True
    lab.features.titles["t009"]["name"] = "Renamed"
    lab.time[0] += timedelta(minutes=5)
    lab.service.keeper.check()
    assert lab.service.state.catalogue.names[9] == "Renamed"


def test_one_that_cannot_be_read_is_refused_with_its_reason(lab: Any, contents_of: ContentsOf) -> None:
    version = lab.publish(replace(contents_of(2), ranker=b"{nothing"), champion=False)
    with pytest.raises(ValueError, match="ranker: not a model"):
        lab.service.keeper.hold(version)
    with pytest.raises(LookupError, match="not held"):
        lab.service.keeper.state_of(version)
