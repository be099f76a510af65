from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_repo.settings import Settings
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.simulate import simulate
from training.bundle import CHAMPION, BundleAliases
from training.workbench import WorkbenchError, open_workbench

if TYPE_CHECKING:
    from tests.conftest import TrainedService


@pytest.fixture
def settings_of(trained_service: TrainedService) -> Settings:
    """The trained service's home, with the Redis that serves it."""
    settings = trained_service.settings
    return Settings(settings.home, settings.lake, trained_service.gateway.online_url)


def test_a_home_is_opened_with_all_that_a_notebook_works_with(
    trained_service: TrainedService, settings_of: Settings
) -> None:
    home = open_workbench(settings_of)
    assert home.end == trained_service.end
    assert home.champion.manifest.version == BundleAliases(settings_of.bundles).get(CHAMPION)
    assert home.gateway.online_url == trained_service.gateway.online_url
    member = str(home.champion.contents.user_ids[0])
    known = trained_service.gateway.member_features(member, home.end)
    for name, value in home.gateway.member_features(member, home.end).items():
        np.testing.assert_array_equal(value, known[name])
    assert home.lake.root == settings_of.lake


def test_a_home_without_a_trained_service_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match=rf"MARQUEE_HOME='{tmp_path}'.*run `make pipeline`"):
        open_workbench(Settings(tmp_path, str(tmp_path / "lake"), None))
    assert list(tmp_path.iterdir()) == []


def test_the_environment_names_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MARQUEE_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(WorkbenchError, match="elsewhere"):
        open_workbench()


def test_the_truth_is_that_of_the_homes_own_simulation(
    trained_service: TrainedService, settings_of: Settings, tmp_path: Path
) -> None:
    settings = Settings(tmp_path, settings_of.lake, settings_of.redis_url)
    (tmp_path / "bundles").symlink_to(settings_of.bundles)
    (tmp_path / "registry.db").symlink_to(settings_of.registry)
    home = open_workbench(settings)
    with pytest.raises(WorkbenchError, match=r"not made from the simulated service.*without DATA"):
        home.world()
    simulate(SimulationConfig(titles=60, members=5, days=2), 1, home.end).world.save(settings.simulation)
    with pytest.raises(WorkbenchError, match="not made from the simulated service"):
        home.world()
    trained_service.simulated.world.save(settings.simulation)
    np.testing.assert_array_equal(home.world().title_ids, trained_service.simulated.world.title_ids)
