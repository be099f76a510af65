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


def test_what_was_materialized_is_as_of_the_end_of_the_span_though_its_rows_be_older(
    gateway: FeatureGateway, lake: Lake, make_rows: MakeRows
) -> None:
    lake.replace(s.USER_PROFILE, make_rows(s.USER_PROFILE, [{s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON}]))
    lake.replace(s.USER_PICKS, s.USER_PICKS.arrow_schema.empty_table())
    gateway.materialize(NOON - HOUR, NOON + 2 * HOUR)
    assert gateway.newest_rows() == dict.fromkeys((s.USER_PROFILE.name, s.USER_PICKS.name), NOON + 2 * HOUR)


def test_it_is_forgotten_with_the_rows(gateway: FeatureGateway, make_rows: MakeRows) -> None:
    rows = make_rows(s.USER_PROFILE, [{s.USER_ID: "ann", s.EVENT_TIMESTAMP: NOON}])
    gateway.write_online(s.USER_PROFILE, rows)
    gateway.forget()
    gateway.apply()
    assert gateway.newest_rows() == {}
