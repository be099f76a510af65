"""What an experiment may be."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from experiments.definitions import ExperimentDefinition
from feature_repo import schema as s
from feature_repo.page.rules import PageRules
from feature_repo.transforms.candidate_mix import LIMITS

CONTROL = {"name": "control", "share": 500}


def asked(treatment: dict[str, Any], layer: str = "ranker", **rest: Any) -> dict[str, Any]:
    arms = [CONTROL, {"name": "new", "share": 500, "treatment": treatment}]
    return {"name": "trial", "layer": layer, "arms": arms, "traffic": 100, **rest}


@pytest.mark.parametrize(
    ("layer", "treatment"),
    [
        ("candidate", {"generators": {"als": {"enabled": False}, "similar": {"limit": 50}}}),
        ("ranker", {"bundle": "challenger"}),
        ("post_filter", {"page": {"variety_weight": 0.4}}),
        ("ui", {"variant": "large-tiles"}),
    ],
)
def test_each_layer_has_its_own_terms(layer: str, treatment: dict[str, Any]) -> None:
    definition = ExperimentDefinition.model_validate(asked(treatment, layer))
    assert definition.arm("new").treatment.layers == {layer}
    assert definition.control.treatment.layers == set()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (asked({"generators": {"psychic": {}}}, "candidate"), "no candidate generator 'psychic'"),
        (asked({"page": {"variety_weight": 7}}, "post_filter"), "variety_weight"),
        (asked({"page": {"colour": "red"}}, "post_filter"), "colour"),
        (asked({"variant": "large"}, "ranker"), "changes the layer 'ui'"),
        (asked({"bundle": "../../etc"}), "bundle"),
        (asked({}, arms=[CONTROL, {"name": "new", "share": 400}]), "sum to 900"),
        (asked({}, arms=[CONTROL, CONTROL]), "two arms are called 'control'"),
        (asked({}, arms=[CONTROL]), "at least 2 items"),
        (asked({}, first_bucket=950), "reach over 999"),
        (asked({}, traffic=1001), "traffic"),
        (asked({}, layer="colour"), "layer"),
        (asked({}, name="no spaces"), "name"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ExperimentDefinition.model_validate(wrong)


def test_the_first_arm_changes_nothing() -> None:
    arms = [{"name": "a", "share": 500, "treatment": {"bundle": "challenger"}}, {"name": "b", "share": 500}]
    with pytest.raises(ValidationError, match="the first arm is control"):
        ExperimentDefinition.model_validate(asked({}, arms=arms))


def test_a_treatment_changes_the_rules_it_names() -> None:
    definition = ExperimentDefinition.model_validate(asked({"page": {"variety_weight": 0.4}}, "post_filter"))
    rules = PageRules(top_picks=20)
    changed = definition.arm("new").treatment.page_rules(rules)
    assert changed == PageRules(top_picks=20, variety_weight=0.4)
    assert definition.control.treatment.page_rules(rules) == rules


def test_the_generators_are_those_of_the_mix() -> None:
    assert sorted(s.GENERATORS) == sorted(LIMITS)


def test_a_rule_says_which_loss_must_be_seen() -> None:
    def loss(**rule: Any) -> float:
        return ExperimentDefinition.model_validate(
            asked({"variant": "x"}, "ui", rule=rule)
        ).rule.retention_loss

    assert loss() == 0.1
    assert loss(retention_margin=0.2) == 0.4  # as it was kept before there was a loss to name
    assert loss(retention_margin=1) == 1.0
    assert loss(retention_margin=0.2, retention_loss=0.3) == 0.3
    with pytest.raises(ValidationError, match=r"retention_loss 0.1 is not above retention_margin 0.2"):
        loss(retention_margin=0.2, retention_loss=0.1)
