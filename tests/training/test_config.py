from __future__ import annotations

import pytest
from pydantic import ValidationError

from training.als import AlsConfig
from training.config import TrainingConfig


def test_the_defaults_survive_a_round_through_json() -> None:
    config = TrainingConfig()
    assert TrainingConfig.model_validate_json(config.model_dump_json()) == config


def test_settings_of_a_model_can_be_given_in_part() -> None:
    config = TrainingConfig.model_validate_json('{"als": {"alpha": 3.0}, "seed": 5}')
    assert config.als == AlsConfig(alpha=3.0)
    assert config.seed == 5
    assert config.ranker == TrainingConfig().ranker


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ranker_share", 1.0), ("test_share", 0.0), ("older_share", 1.1), ("window_days", 0.0),
        ("warm_iterations", 0), ("ranker_rows", 0), ("candidates", 1), ("relevance_fraction", -0.1),
        ("evaluation_members", 0), ("seed", -1), ("epochs", 3), ("moved", -0.1),
    ],
)  # fmt: skip
def test_a_value_out_of_range_and_an_unknown_setting_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValidationError, match=field):
        TrainingConfig.model_validate({field: value})
