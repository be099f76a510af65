from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.als import AlsConfig
from training.cold_start import measure_cold_start, not_measured
from training.cold_start.held_out import HeldOut
from training.cold_start.members import MIX, MIX_AND_RANKER, STAGES, gain
from training.cold_start.titles import FIRST_VIEWERS
from training.config import TrainingConfig
from training.evaluation.results import MetricRow
from training.training_data import TrainingData, interactions_as_of, read_training_data
from training.two_tower import TwoTowerConfig

if TYPE_CHECKING:
    from tests.conftest import TrainedService

CONFIG = TrainingConfig(
    als=AlsConfig(iterations=5, threads=1),
    two_tower=TwoTowerConfig(epochs=1, batch=128, uniform_negatives=64),
)


@pytest.fixture(scope="module")
def data(trained_service: TrainedService) -> TrainingData:
    return read_training_data(trained_service.gateway, trained_service.lake, CONFIG)


@pytest.fixture(scope="module")
def rows(data: TrainingData) -> list[MetricRow]:
    return measure_cold_start(data, CONFIG, {}, share=0.4)


def test_every_stage_and_every_way_is_measured_with_its_interval(rows: list[MetricRow]) -> None:
    for model in (MIX, MIX_AND_RANKER):
        stages = {row.segment for row in rows if row.model == model}
        assert stages == {f"new_members: {n} watches" for n in STAGES} | {"new_members: 3 picks"}
    ways = {row.segment for row in rows if row.segment.startswith("new_titles")}
    assert ways == {"new_titles: content only"} | {f"new_titles: {n} viewers" for n in FIRST_VIEWERS}
    for row in rows:
        assert row.low is not None
        assert row.high is not None
        assert (-1 if " - " in row.model else 0) <= row.low <= row.value <= row.high <= 1


def test_the_ranker_orders_those_of_whom_something_is_known(rows: list[MetricRow]) -> None:
    value = {(row.model, row.segment, row.metric): row.value for row in rows}
    stages = [f"new_members: {n} watches" for n in STAGES]
    differs = [value[MIX, stage, "ndcg"] != value[MIX_AND_RANKER, stage, "ndcg"] for stage in stages]
    assert not differs[0]
    assert any(differs[1:])


def test_who_has_neither_watched_nor_picked_gets_what_is_popular(rows: list[MetricRow]) -> None:
    value = {(row.model, row.segment, row.metric): row.value for row in rows}
    for metric in ("recall", "ndcg"):
        nothing = value["mix", "new_members: 0 watches", metric]
        assert nothing == pytest.approx(value["popularity", "new_members: any stage", metric], abs=0.02)


def test_the_gain_is_the_difference_from_popularity(rows: list[MetricRow]) -> None:
    value = {(row.model, row.segment, row.metric): row.value for row in rows}
    compared = 0
    for (model, segment, metric), measured in list(value.items()):
        if (gain(model), segment, metric) in value:
            popularity = value["popularity", "new_members: any stage", metric]
            assert value[gain(model), segment, metric] == pytest.approx(measured - popularity)
            compared += 1
    assert compared == 2 * 2 * (len(STAGES) + 1)


def test_titles_that_nobody_was_seen_to_watch_are_last_by_popularity(rows: list[MetricRow]) -> None:
    [popularity] = [r for r in rows if r.model == "popularity" and r.segment.startswith("new_titles")]
    [towers] = [r for r in rows if r.model == "two_tower"]
    assert popularity.value <= towers.value


def test_where_nobody_held_out_qualifies_that_is_said_instead_of_measured(
    data: TrainingData, rows: list[MetricRow]
) -> None:
    assert not_measured(rows) == []
    nothing = measure_cold_start(data, CONFIG, {}, share=1e-9)
    assert nothing == []
    members, titles = not_measured(nothing)
    assert members.startswith("new members: not measured, as none of those held out watched more than 15")
    assert titles.startswith("new titles: not measured, as none of those held out has 20 viewers")
    assert "--share" in members
    titles_alone = [row for row in rows if row.segment.startswith("new_titles")]
    assert not_measured(titles_alone) == [members]


def test_only_what_is_watched_enough_is_held_out_and_the_seed_decides(data: TrainingData) -> None:
    whole = interactions_as_of(data, data.windows.end)
    held, again = (HeldOut.draw(data, whole, 0.4, seed=1) for _ in range(2))
    assert held.members.any()
    assert (whole.user_titles[held.members] > 15).all()
    assert (whole.title_viewers[held.titles] >= 20).all()
    np.testing.assert_array_equal(held.members, again.members)
