from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from feature_repo import schema as s
from feature_repo.impression_log.joining import join_impressions
from feature_repo.impression_log.retention import KEEP, expire_impressions
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import EXPLORED_SLOTS, SHOWN_TILES
from tests.feature_repo.impression_log.conftest import (
    LATER,
    START,
    append,
    event,
    imported,
    outcomes,
    rows_of,
    shown,
)

CountFiles = Callable[[Lake, s.Table], dict[str, int]]
LONG_AFTER = START + timedelta(days=900)


@pytest.fixture
def four_days(lake: Lake) -> Lake:
    append(
        lake, [t for day in range(4) for t in shown(f"p{day}", 24 * day + 20, "a")], [event(21, "a", "play")]
    )
    slots = [t | {"stratum_title_ids": ["a"], "stratum_propensities": [1.0]}
             for day in range(4) for t in shown(f"p{day}", 24 * day + 20, "a")]  # fmt: skip
    lake.append(EXPLORED_SLOTS, rows_of(EXPLORED_SLOTS, slots))
    lake.append(s.IMPRESSIONS, rows_of(s.IMPRESSIONS, [imported("imported", 12)]))
    join_impressions(lake, LATER)
    return lake


def test_ninety_days_are_kept() -> None:
    assert timedelta(days=90) == KEEP


def test_days_go_from_all_tables_of_the_log_and_events_stay(four_days: Lake, files_of: CountFiles) -> None:
    gone = expire_impressions(four_days, LONG_AFTER, keep=timedelta(days=2))
    days = ["2026-03-01", "2026-03-02"]
    assert gone == [
        f"{name}/{day}" for name in ("shown_tiles", "explored_slots", "impressions") for day in days
    ]
    for table in (SHOWN_TILES, EXPLORED_SLOTS, s.IMPRESSIONS):
        assert set(files_of(four_days, table)) == {"2026-03-03", "2026-03-04"}
    assert four_days.exists(s.EVENTS)
    assert expire_impressions(four_days, LONG_AFTER, keep=timedelta(days=2)) == []
    assert join_impressions(four_days, LONG_AFTER, keep=timedelta(days=2)).days == {}


def test_age_is_reckoned_from_the_newest_day_and_not_from_the_wall_clock(four_days: Lake) -> None:
    assert expire_impressions(four_days, LONG_AFTER) == []
    assert len(outcomes(four_days)) == 5


def test_a_page_of_a_clock_gone_wrong_does_not_empty_the_log(four_days: Lake) -> None:
    append(four_days, shown("from the future", 24 * 800, "a"))
    assert expire_impressions(four_days, LATER) == []
    assert len(expire_impressions(four_days, LONG_AFTER)) == 12


def test_a_day_goes_when_its_end_is_that_long_ago(four_days: Lake) -> None:
    now = START + timedelta(days=3, hours=12)  # amid the fourth day
    assert expire_impressions(four_days, now, keep=timedelta(days=3)) == []
    assert len(expire_impressions(four_days, now, keep=timedelta(days=2, hours=12))) == 3


def test_a_join_lets_old_days_go(four_days: Lake) -> None:
    append(four_days, shown("p100", 24 * 100, "a"))
    joined = join_impressions(four_days, LONG_AFTER)
    assert len(joined.expired) == 12
    assert set(outcomes(four_days)) == {("p100", "a")}


def test_without_a_log_of_servers_impressions_are_kept_for_ever(lake: Lake) -> None:
    lake.append(s.IMPRESSIONS, rows_of(s.IMPRESSIONS, [imported("imported", 12)]))
    assert expire_impressions(lake, LONG_AFTER) == []
    assert lake.exists(s.IMPRESSIONS)


def test_less_than_a_day_is_refused(four_days: Lake) -> None:
    with pytest.raises(ValueError, match=r"keep = 23:00:00: .* at least one day"):
        expire_impressions(four_days, LATER, keep=timedelta(hours=23))
