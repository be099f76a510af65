from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.als import AlsConfig
from training.bundle import Bundle, BundleError, load_bundle
from training.champion import champion_bundle, champion_of, warm_start_of
from training.config import TrainingConfig

if TYPE_CHECKING:
    from feature_repo.settings import Settings
    from tests.conftest import TrainedService


@pytest.fixture
def bundle(trained_service: TrainedService) -> Bundle:
    return load_bundle(trained_service.settings.bundles / trained_service.version)


def test_the_factors_of_the_bundle_are_begun_with(bundle: Bundle) -> None:
    start = warm_start_of(bundle, TrainingConfig())
    assert start is not None
    np.testing.assert_array_equal(start.factors.user_factors, bundle.contents.user_factors)
    np.testing.assert_array_equal(start.factors.title_ids, bundle.contents.title_ids)


def test_factors_that_have_seen_what_comes_after_an_instant_are_kept_from_it(bundle: Bundle) -> None:
    start, end = warm_start_of(bundle, TrainingConfig()), bundle.manifest.data_window.end
    assert start is not None
    assert start.as_of(end) is start.factors
    assert start.as_of(end - timedelta(hours=1)) is None


@pytest.mark.parametrize(
    "config", [TrainingConfig(core_model="bpr"), TrainingConfig(als=AlsConfig(dimensions=64))]
)
def test_factors_of_another_model_or_length_are_no_beginning(bundle: Bundle, config: TrainingConfig) -> None:
    assert warm_start_of(bundle, config) is None


def test_bpr_begins_with_the_factors_of_bpr(bundle: Bundle) -> None:
    of_bpr = replace(bundle, contents=replace(bundle.contents, confidence=None))
    assert warm_start_of(of_bpr, TrainingConfig(core_model="bpr")) is not None
    assert warm_start_of(of_bpr, TrainingConfig()) is None


def test_without_a_champion_there_is_none(settings: Settings) -> None:
    assert champion_bundle(settings) is None
    with pytest.raises(BundleError, match="Run a training first"):
        champion_of(settings)
