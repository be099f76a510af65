from __future__ import annotations

import pytest
from pydantic import ValidationError

from feature_repo.simulation.config import SimulationConfig


def test_the_default_service_has_the_documented_size() -> None:
    config = SimulationConfig()
    assert (config.titles, config.members, config.days, config.page_tiles) == (15_000, 5_000, 28, 24)


def test_what_taste_and_popularity_leave_is_exploration() -> None:
    config = SimulationConfig(policy_taste_share=0.5, policy_popularity_share=0.25)
    assert config.policy_exploration_share == 0.25


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"titles": 3}, "titles"),
        ({"days": 0}, "days"),
        ({"play_ceiling": 1.5}, "play_ceiling"),
        ({"policy_taste_share": 0.8, "policy_popularity_share": 0.2}, "policy_taste_share"),
        ({"page_rows": 10, "row_tiles": 10}, "page_rows"),
        ({"title_count": 100}, "title_count"),
    ],
)
def test_a_value_out_of_range_is_named(changes: dict[str, float], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        SimulationConfig.model_validate(changes)


def test_a_config_cannot_be_changed() -> None:
    config = SimulationConfig()
    with pytest.raises(ValidationError, match="frozen"):
        config.titles = 100  # type: ignore[misc]


def test_every_field_is_described() -> None:
    assert all(field.description for field in SimulationConfig.model_fields.values())
