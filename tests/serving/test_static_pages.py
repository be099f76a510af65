from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.serving.test_fallbacks import Broken


@pytest.fixture
def broken(small: Any) -> Any:
    """The service with a state in which nothing works."""
    holder = small.service._holder
    holder.swap(replace(holder.current, models=Broken(), catalogue=Broken(), clock=holder.current.clock))
    return small


def test_where_every_stage_fails_the_bundles_own_page_is_served(broken: Any) -> None:
    answer = broken.client.get("/v1/members/ana/homepage?country=KR")
    page = answer.get_json()
    assert (answer.status_code, page["degraded"]) == (200, ["page:static"])
    tiles = [tile["title_id"] for row in page["rows"] for tile in row["tiles"]]
    assert 40 <= len(tiles) == len(set(tiles)) <= 60
    # Popularity rises with the row in KR; every seventh title is for adults.
    assert tiles[:4] == ["t159", "t158", "t157", "t156"]
    assert "t154" not in tiles


def test_a_country_without_a_chart_gets_titles_offered_everywhere(broken: Any) -> None:
    page = broken.client.get("/v1/members/ana/homepage?country=FR").get_json()
    rows = [int(tile["title_id"][1:]) for row in page["rows"] for tile in row["tiles"]]
    assert rows[:3] == [2, 3, 4]
    assert all(row % 5 and row % 7 for row in rows)
