from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway

if TYPE_CHECKING:
    from tests.conftest import MakeRows

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_view_is_as_of_its_newest_row_whatever_is_written_afterwards(
    gateway: FeatureGateway, make_rows: MakeRows
) -> None:
    assert gateway.newest_rows() == {}

    def write(user: str, at: datetime, **how: bool) -> None:
        rows = make_rows(s.USER_PROFILE, [{s.USER_ID: user, s.EVENT_TIMESTAMP: at}])
        gateway.write_online(s.USER_PROFILE, rows, **how)

    write("ann", NOON)
    write("bob", NOON + HOUR)
    write("cyd", NOON - HOUR)
    write("bob", NOON - HOUR)  # which is refused: the store has a younger row
    write("bob", NOON - HOUR, overwrite=True)
    assert gateway.newest_rows() == {s.USER_PROFILE.name: NOON + HOUR}


def test_views_that_seldom_change_are_as_of_the_statistics_that_were_materialized_with_them(
    gateway: FeatureGateway, lake: Lake, make_rows: MakeRows
) -> None:
    lake.replace(s.USER_PROFILE, make_rows(s.USER_PROFILE, [{s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON}]))
    lake.replace(s.USER_PICKS, s.USER_PICKS.arrow_schema.empty_table())
    lake.replace(s.USER_HISTORY, make_rows(s.USER_HISTORY, [{s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON}]))
    gateway.materialize(NOON - HOUR, NOON + 3 * HOUR)
    assert gateway.newest_rows() == {s.USER_PROFILE.name: NOON, s.USER_HISTORY.name: NOON}
    later = make_rows(s.TITLE_STATISTICS, [{s.TITLE_ID: "t1", s.EVENT_TIMESTAMP: NOON + 2 * HOUR}])
    lake.replace(s.TITLE_STATISTICS, later)
    gateway.materialize(NOON - HOUR, NOON + 3 * HOUR)
    newest = gateway.newest_rows()
    assert newest[s.USER_HISTORY.name] == NOON
    seldom = (s.USER_PROFILE, s.USER_PICKS, s.TITLE_STATISTICS)
    assert {newest[table.name] for table in seldom} == {NOON + 2 * HOUR}


def test_it_is_forgotten_with_the_rows(gateway: FeatureGateway, make_rows: MakeRows) -> None:
    rows = make_rows(s.USER_PROFILE, [{s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON}])
    gateway.write_online(s.USER_PROFILE, rows)
    gateway.forget()
    gateway.apply()
    assert gateway.newest_rows() == {}
