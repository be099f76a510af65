from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake, LakeError
from feature_repo.transforms.calendar import epoch_microseconds
from training.catalogue import read_catalogue, read_members

MakeRows = Callable[..., pa.Table]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NOBODY = np.array([], dtype=np.str_)


def title(name: str, known: datetime, available: datetime) -> dict[str, object]:
    return {s.TITLE_ID: name, s.EVENT_TIMESTAMP: known, s.AVAILABLE_SINCE: available}


def member(name: str, known: datetime, country: str | None) -> dict[str, object]:
    return {s.USER_ID: name, s.EVENT_TIMESTAMP: known, s.COUNTRY: country}


def test_titles_are_sorted_and_a_later_version_replaces_an_earlier_one(
    lake: Lake, make_rows: MakeRows
) -> None:
    rows = [title("t2", NOON, NOON), title("t10", NOON + DAY, NOON + DAY), title("t10", NOON, NOON)]
    lake.replace(s.TITLES, make_rows(s.TITLES, rows))
    catalogue = read_catalogue(lake)
    assert catalogue.title_ids.tolist() == ["t10", "t2"]
    assert catalogue.available_since.tolist() == [epoch_microseconds(NOON + DAY), epoch_microseconds(NOON)]


def test_a_title_is_available_from_its_very_microsecond(lake: Lake, make_rows: MakeRows) -> None:
    lake.replace(s.TITLES, make_rows(s.TITLES, [title("t1", NOON, NOON), title("t2", NOON, NOON + DAY)]))
    catalogue = read_catalogue(lake)
    assert catalogue.available_at(NOON - timedelta(microseconds=1)).tolist() == [False, False]
    assert catalogue.available_at(NOON).tolist() == [True, False]


def test_a_lake_without_titles_is_refused_with_a_remedy(lake: Lake) -> None:
    with pytest.raises(LakeError, match="import or simulate"):
        read_catalogue(lake)
    lake.replace(s.TITLES, s.TITLES.arrow_schema.empty_table())
    with pytest.raises(ValueError, match="feature_repo simulate"):
        read_catalogue(lake)


def test_members_have_their_newest_country_and_strangers_who_watch_have_none(
    lake: Lake, make_rows: MakeRows
) -> None:
    rows = [member("bob", NOON, "KR"), member("ann", NOON + DAY, "FR"), member("ann", NOON, "DE"),
            member("cyd", NOON, None)]  # fmt: skip
    lake.replace(s.MEMBERS, make_rows(s.MEMBERS, rows))
    members = read_members(lake, np.array(["zoe", "bob", "al", "zoe"]))
    assert members.user_ids.tolist() == ["al", "ann", "bob", "cyd", "zoe"]
    assert members.countries.tolist() == ["", "FR", "KR", "", ""]
    assert read_members(lake, NOBODY).user_ids.tolist() == ["ann", "bob", "cyd"]


def test_without_any_profile_those_who_watch_are_the_members(lake: Lake) -> None:
    lake.replace(s.MEMBERS, s.MEMBERS.arrow_schema.empty_table())
    members = read_members(lake, np.array(["b", "a"]))
    assert members.user_ids.tolist() == ["a", "b"]
    assert members.countries.tolist() == ["", ""]
