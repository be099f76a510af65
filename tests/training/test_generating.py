"""What members are judged by does not depend on what models are fitted on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.backfill import backfill
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from training.candidates import Generators
from training.config import TrainingConfig
from training.generating import generators_as_of
from training.retrieval import retrieval_as_of
from training.training_data import read_training_data

START = datetime(2026, 3, 1, tzinfo=UTC)
TITLES = [f"t{i}" for i in range(8)]


def hours(count: float) -> datetime:
    return START + timedelta(hours=count)


@pytest.fixture
def service(lake: Lake, gateway: FeatureGateway, make_rows: Callable[..., pa.Table]) -> Lake:
    """Ten days in which Bob, Cyd and Dan watch the eight titles in turn, one every six hours.

    Ann watched t0 on the first day. On the last evening, when the others are done, she watches it again, and
    then t1 for the first time.
    """
    others = [(("bob", "cyd", "dan")[i % 3], TITLES[i % 8], hours(6 * i)) for i in range(40)]
    ann = [("ann", "t0", hours(5)), ("ann", "t0", hours(237.5)), ("ann", "t1", hours(238.5))]
    lake.replace(s.TITLES, make_rows(s.TITLES, [{s.TITLE_ID: title} for title in TITLES]))
    lake.replace(
        s.MEMBERS, make_rows(s.MEMBERS, [{s.USER_ID: user} for user in ("ann", "bob", "cyd", "dan")])
    )
    lake.replace(s.EVENTS, make_rows(s.EVENTS, [
        {s.EVENT_ID: f"e{i}", s.USER_ID: user, s.TITLE_ID: title, s.EVENT_TIMESTAMP: at,
         s.EVENT_TYPE: "complete", s.WATCH_FRACTION: 1.0}
        for i, (user, title, at) in enumerate(others + ann)
    ]))  # fmt: skip
    backfill(lake, hours(240), seed=0)
    return lake


def generators(gateway: FeatureGateway, lake: Lake, **changes: Any) -> Generators:
    """Return the generators of a training's test window: the end of the last day."""
    small = {
        "als": {"iterations": 1, "threads": 1},
        "two_tower": {"epochs": 1, "batch": 4, "uniform_negatives": 4},
        "test_share": 0.95,
    }
    config = TrainingConfig.model_validate(small | changes)
    data = read_training_data(gateway, lake, config)
    window = (data.windows.test_start, data.windows.end)
    return generators_as_of(data, retrieval_as_of(data, window[0], config), window, config, {})


def titles_of(generators: Generators, marked: np.ndarray) -> list[str]:
    """Return the titles marked in Ann's row."""
    return generators.retrieval.matrix.title_ids[marked].tolist()  # type: ignore[no-any-return]


def test_titles_sampled_away_from_training_are_no_more_to_be_found_than_others(
    gateway: FeatureGateway, service: Lake
) -> None:
    everything, sampled = generators(gateway, service), generators(gateway, service, older_share=0.2)
    assert sampled.retrieval.matrix.fractions.nnz < everything.retrieval.matrix.fractions.nnz
    rows = np.arange(len(everything.cases.watched.user_ids))
    np.testing.assert_array_equal(sampled.cases.eligible(rows), everything.cases.eligible(rows))
    np.testing.assert_array_equal(sampled.cases.relevant.toarray(), everything.cases.relevant.toarray())
    np.testing.assert_array_equal(sampled.cases.user_rows, everything.cases.user_rows)


def test_a_title_watched_before_the_window_is_not_to_be_found_again(
    gateway: FeatureGateway, service: Lake
) -> None:
    made = generators(gateway, service, window_days=4.0, test_share=0.9)
    ann = made.cases.watched.user_rows(np.array(["ann"]))
    assert made.retrieval.matrix.fractions[ann].nnz == 0
    assert titles_of(made, made.cases.eligible(ann)[0]) == TITLES[1:]
    assert titles_of(made, made.cases.relevant[ann].toarray()[0]) == ["t1"]


def test_a_training_on_everything_asks_the_store_once_for_both(
    gateway: FeatureGateway, service: Lake
) -> None:
    made = generators(gateway, service).retrieval
    assert made.watched is made.matrix
