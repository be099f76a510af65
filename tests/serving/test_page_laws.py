from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from feature_repo import schema as s

TITLES = 160
fractions = st.dictionaries(st.integers(0, TITLES - 1), st.floats(0, 1, width=32), max_size=60)


@pytest.mark.parametrize("known_taste", [True, False])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    recent=fractions,
    limit=st.sampled_from([None, *s.MATURITY_LEVELS]),
    country=st.sampled_from(["", "KR", "US", "FR"]),
    device=st.sampled_from(s.DEVICES),
)
def test_every_page_keeps_the_laws(
    small: Any, page_of: Callable[..., dict[str, Any]], member_of: Callable[..., dict[str, Any]],
    known_taste: bool, recent: dict[int, float], limit: int | None, country: str, device: str,
) -> None:  # fmt: skip
    taste = small.features.members["ana"][s.USER_EMBEDDING] if known_taste else None
    profile = {s.COUNTRY: country or None, s.MATURITY_LIMIT: limit}
    small.features.members["sam"] = member_of(recent, taste, **profile)
    page = page_of("sam", device=device)
    shown = {
        row["row_type"] == "continue_watching": [int(tile["title_id"][1:]) for tile in row["tiles"]]
        for row in page["rows"][:1]
    }.get(True, [])
    new = [int(tile["title_id"][1:]) for row in page["rows"] for tile in row["tiles"]][len(shown) :]
    suitable = {
        row for row in range(2, TITLES)  # titles 0 and 1 are not available yet
        if (row % 5 or country in ("KR", "US")) and (limit is None or (18 if row % 7 == 0 else 7) <= limit)
    }  # fmt: skip
    begun = [row for row, fraction in recent.items() if 0.05 <= fraction < 0.8 and row in suitable]
    allowed = suitable - set(recent)
    assert page["degraded"] == []
    assert shown == begun[:10]
    assert len(new) == len(set(new))
    assert set(new) <= allowed
    assert min(40 - len(shown), len(allowed)) <= len(new) <= 80 - len(shown)
    check_rows(page)
    check_variety(page, small.features.titles)


def check_rows(page: Mapping[str, Any]) -> None:
    for row in page["rows"]:
        assert row["row_type"] in s.ROW_TYPES
        assert [tile["position"] for tile in row["tiles"]] == list(range(1, len(row["tiles"]) + 1))
        assert (row["seed_title_id"] is not None) == (row["row_type"] == "because_you_watched")


def check_variety(page: Mapping[str, Any], titles: Mapping[str, Any]) -> None:
    tiles = [tile["title_id"] for row in page["rows"] for tile in row["tiles"]]
    spanned = {genre for title in tiles[:40] for genre in titles[title][s.GENRE_NAMES]}
    assert len(spanned) >= 4 or len(tiles) < 40
    for row in page["rows"]:
        if row["row_type"] == "continue_watching":
            continue
        front = [titles[tile["title_id"]][s.FRANCHISE_ID] for tile in row["tiles"][:5]]
        named = [franchise for franchise in front if franchise]
        assert len(named) == len(set(named))
