"""Serving computes the very numbers that training learned from, bit for bit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.encoding import Arrays
from feature_repo.transforms.ranking import FIRST_PLACE, RANKING_FEATURES, ranking_features
from serving.catalogue import Catalogue
from serving.members import read_member
from serving.ranking import candidate_features
from training.datasets import members_as_of, titles_as_of

if TYPE_CHECKING:
    from tests.conftest import TrainedService

Matrix = NDArray[np.float32]

STRANGER = "nobody has heard of"
AFTER_END = [
    timedelta(0),
    timedelta(hours=5, minutes=59, seconds=59, microseconds=999_999),
    timedelta(days=40, microseconds=1),
]
DEVICES = ["tv", "web", ""]


@pytest.fixture(scope="module")
def title_ids(trained_service: TrainedService) -> list[str]:
    """Forty titles, among them the last to arrive and one that is not in the catalogue."""
    titles = trained_service.simulated.titles.sort_by(s.AVAILABLE_SINCE)[s.TITLE_ID].to_pylist()
    return [*titles[:15], *titles[240:251], *titles[-14:], STRANGER]


@pytest.fixture(scope="module")
def members(trained_service: TrainedService) -> dict[str, str]:
    """Who has watched most and least, who has a profile only (if anybody), and somebody unknown."""
    counts = trained_service.simulated.events[s.USER_ID].value_counts()
    by_count = sorted(counts.to_pylist(), key=lambda pair: (pair["counts"], pair["values"]))
    silent = sorted(
        set(trained_service.simulated.members[s.USER_ID].to_pylist()) - {p["values"] for p in by_count}
    )
    kinds = {"busiest": by_count[-1]["values"], "quietest": by_count[0]["values"], "unknown": STRANGER}
    return kinds | {"profile only": silent[0] if silent else STRANGER}


def tower_scores(title_ids: list[str]) -> Matrix:
    """What retrieval found: part of the request, so the same for all who ask."""
    return np.linspace(-1, 1, len(title_ids), dtype=np.float32)


def served(trained: TrainedService, user_id: str, title_ids: list[str], now: datetime, device: str) -> Matrix:
    """What a request computes: one read of the member, titles gathered from the prepared snapshot."""
    catalogue = Catalogue.prepare(trained.gateway.title_snapshot(title_ids, now))
    member = read_member(trained.gateway, user_id, now)
    rows = np.arange(len(title_ids))
    return candidate_features(
        member, catalogue, rows, epoch_microseconds(now), device, tower_scores(title_ids)
    )


def learned(
    trained: TrainedService, user_id: str, title_ids: list[str], now: datetime, device: str
) -> Matrix:
    """What training computes: one row per member, title and instant, by point-in-time retrieval."""
    rows = len(title_ids)
    instants = np.full(rows, epoch_microseconds(now))
    context: Arrays = {
        s.REQUEST_TIMESTAMP: instants.astype(np.float64),
        s.DEVICE_TYPE: np.full(rows, device),
        s.TWO_TOWER_SCORE: tower_scores(title_ids),
        **FIRST_PLACE,
    }
    member = members_as_of(trained.gateway, np.full(rows, user_id), instants)
    return ranking_features(member, titles_as_of(trained.gateway, np.array(title_ids), instants), context)


def asked_of_feast_offline(
    trained: TrainedService, user_id: str, title_ids: list[str], now: datetime, device: str
) -> Matrix:
    """The service ``ranker`` by Feast's own historical retrieval, with its on-demand view."""
    frame = pd.DataFrame(
        {
            s.USER_ID: user_id,
            s.TITLE_ID: title_ids,
            s.EVENT_TIMESTAMP: pd.Timestamp(now),
            s.REQUEST_TIMESTAMP: float(epoch_microseconds(now)),
            s.DEVICE_TYPE: device,
            s.TWO_TOWER_SCORE: tower_scores(title_ids),
            s.ROW_INDEX: 1.0,
            s.POSITION: 1.0,
        }
    )
    gateway = trained.gateway
    answer = gateway._store.get_historical_features(frame, gateway.service("ranker")).to_df()
    # Five features are inputs passed on under their own name: Feast answers those columns twice.
    once = answer.loc[:, ~answer.columns.duplicated(keep="last")].set_index(s.TITLE_ID)
    matrix: Matrix = once.loc[title_ids, list(RANKING_FEATURES)].to_numpy(np.float32)
    return matrix


def asked_of_feast_online(
    trained: TrainedService, user_id: str, title_ids: list[str], now: datetime, device: str
) -> Matrix:
    """The service ``ranker`` by one online call of Feast, with its on-demand view."""
    context = {
        s.REQUEST_TIMESTAMP: float(epoch_microseconds(now)), s.DEVICE_TYPE: device,
        s.ROW_INDEX: 1.0, s.POSITION: 1.0,
    }  # fmt: skip
    scores = {s.TWO_TOWER_SCORE: tower_scores(title_ids).tolist()}
    answer = trained.gateway.naive_ranking_rows(user_id, title_ids, context, scores).to_df()
    assert answer[s.TITLE_ID].tolist() == title_ids
    matrix: Matrix = answer[list(RANKING_FEATURES)].to_numpy(np.float32)
    return matrix


def differing(a: Matrix, b: Matrix) -> set[str]:
    """The features whose columns are not the same bytes, NaN equal to NaN."""
    assert a.shape == b.shape
    assert a.dtype == b.dtype == np.float32
    return {
        name for place, name in enumerate(RANKING_FEATURES) if a[:, place].tobytes() != b[:, place].tobytes()
    }


@pytest.mark.parametrize("after", AFTER_END, ids=["at the end", "hours later", "weeks later"])
@pytest.mark.parametrize("kind", ["busiest", "quietest", "profile only", "unknown"])
def test_serving_computes_what_training_learned_from(
    trained_service: TrainedService,
    members: dict[str, str],
    title_ids: list[str],
    kind: str,
    after: timedelta,
) -> None:
    now = trained_service.end + after
    for device in DEVICES:
        question = (trained_service, members[kind], title_ids, now, device)
        assert differing(served(*question), learned(*question)) == set()


@pytest.mark.parametrize("kind", ["busiest", "unknown"])
@pytest.mark.parametrize("device", ["tv", "web"])
def test_feast_answers_the_same_numbers_when_asked_for_the_whole_row(
    trained_service: TrainedService, members: dict[str, str], title_ids: list[str], kind: str, device: str
) -> None:
    now = trained_service.end + timedelta(hours=7, microseconds=123_457)
    question = (trained_service, members[kind], title_ids, now, device)
    expected = served(*question)
    assert differing(asked_of_feast_offline(*question), expected) == set()
    assert differing(asked_of_feast_online(*question), expected) == set()


def test_the_numbers_compared_say_something(
    trained_service: TrainedService, members: dict[str, str], title_ids: list[str]
) -> None:
    matrix = served(trained_service, members["busiest"], title_ids, trained_service.end, "tv")
    known = dict(zip(RANKING_FEATURES, np.isfinite(matrix).any(axis=0), strict=True))
    assert [name for name, finite in known.items() if not finite] == []
    assert np.ptp(matrix[:-1, RANKING_FEATURES.index("als_score")][:11]) > 0
    stranger = served(trained_service, STRANGER, title_ids, trained_service.end, "tv")
    assert np.isnan(stranger[:, RANKING_FEATURES.index("als_score")]).all()


# --- the proof can fail ------------------------------------------------------------------------


def test_a_changed_online_value_is_noticed_and_named(
    trained_service: TrainedService, members: dict[str, str], title_ids: list[str]
) -> None:
    rows = trained_service.lake.read(s.USER_SNAPSHOT).sort_by([(s.EVENT_TIMESTAMP, "descending")])
    victim = max(set(rows[s.USER_ID].to_pylist()) - set(members.values()))
    row = rows.filter(pc.equal(rows[s.USER_ID], victim)).slice(0, 1).to_pandas()
    question = (trained_service, victim, title_ids, trained_service.end, "tv")
    expected = learned(*question)
    assert differing(served(*question), expected) == set()
    skewed = row.assign(**{s.WATCH_VELOCITY: np.nextafter(row[s.WATCH_VELOCITY], np.float32(9e9))})
    skewed[s.EVENT_TIMESTAMP] += timedelta(seconds=1)  # Feast keeps the younger row
    trained_service.gateway._store.write_to_online_store(s.USER_SNAPSHOT.name, skewed)
    assert differing(served(*question), expected) == {"watch_velocity_now"}


def test_a_shifted_clock_is_noticed_and_named(
    trained_service: TrainedService, members: dict[str, str], title_ids: list[str]
) -> None:
    now = trained_service.end + timedelta(days=1)  # midnight, so that a second earlier is another day
    slow = served(trained_service, members["busiest"], title_ids, now - timedelta(seconds=1), "tv")
    assert differing(slow, learned(trained_service, members["busiest"], title_ids, now, "tv")) == {
        "request_hour", "request_weekday", "days_since_last_watch", "watch_velocity_now",
        "hours_from_preferred_hour", "title_age_years", "days_since_available", "log_decayed_plays_now",
    }  # fmt: skip


def test_another_device_is_noticed_and_named(
    trained_service: TrainedService, members: dict[str, str], title_ids: list[str]
) -> None:
    on_tv, on_web = (
        served(trained_service, members["busiest"], title_ids, trained_service.end, device)
        for device in ("tv", "web")
    )
    differs = differing(on_tv, on_web) - {"device_is_preferred", "device_is_session_device"}
    assert differs == {"device_code"}
