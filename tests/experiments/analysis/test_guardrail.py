"""The guardrail of an arm, and what the rule makes of it, from members counted by hand."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest

from experiments.analysis.guardrail import guardrail
from experiments.decision import decide
from tests.experiments.analysis.logs import DAY, START, experiment
from tests.experiments.test_decision import NOW, RULE, analysis, compared

TRIAL = experiment()


def members(control: tuple[int, int], new: tuple[int, int], waiting: int = 0) -> pa.Table:
    """(matured, retained) of each arm, exposed a second after each other; ``waiting`` more of each later."""
    rows = []
    for name, (matured, retained) in (("control", control), ("new", new)):
        for place in range(matured + waiting):
            first = START + timedelta(seconds=place)
            rows.append(
                {
                    "arm": f"trial/{name}", "first_us": int(first.timestamp()) * 1_000_000,
                    "matured": place < matured, "retained": place < retained,
                }
            )  # fmt: skip
    return pa.Table.from_pylist(rows)


@pytest.mark.parametrize("retained", [0, 1, 20])
def test_a_catastrophe_among_a_hundred_rolls_back(retained: int) -> None:
    found = guardrail(members((100, 60), (100, retained)), TRIAL, 1)
    assert (found.known, found.breached) == (False, True)
    verdict = decide(analysis(compared(guardrail=found)), RULE, NOW)
    assert verdict.action == "roll_back"


@pytest.mark.parametrize(
    ("control", "new"), [((99, 60), (99, 1)), ((300, 180), (300, 150)), ((1_000, 600), (1_000, 560))]
)
def test_a_loss_that_cannot_be_told_yet_is_never_promoted(
    control: tuple[int, int], new: tuple[int, int]
) -> None:
    found = guardrail(members(control, new), TRIAL, 1)
    assert (found.known, found.breached) == (False, False)
    assert decide(analysis(compared(guardrail=found)), RULE, NOW).action == "hold"


def test_no_change_among_members_enough_is_kept() -> None:
    found = guardrail(members((2_741, 1_645), (2_741, 1_645)), TRIAL, 1)
    assert (found.known, found.breached, found.change) == (True, False, 0.0)
    verdict = decide(analysis(compared(guardrail=found)), RULE, NOW)
    assert verdict.action == "promote"
    assert "a loss of 10% would have been seen" in verdict.reason


def test_the_loss_it_is_made_for_is_seen_among_members_enough() -> None:
    found = guardrail(members((2_741, 1_645), (2_741, 1_480)), TRIAL, 1)
    assert (found.known, found.breached) == (True, True)


def test_it_is_known_when_the_last_member_that_it_takes_has_had_the_time() -> None:
    # 300 of 500 in each arm: 2,741 are needed.
    few = guardrail(members((500, 300), (500, 300), waiting=2_200), TRIAL, 1)
    assert (few.needed, few.known, few.known_from) == ((2_741, 2_741), False, None)
    enough = guardrail(members((500, 300), (500, 300), waiting=2_241), TRIAL, 1)
    assert (enough.known, enough.known_from) == (False, START + 28 * DAY + timedelta(seconds=2_740))


def test_a_rule_content_to_see_greater_losses_needs_fewer_members() -> None:
    rough = experiment(rule={"retention_loss": 0.5})
    found = guardrail(members((500, 300), (500, 300)), rough, 1)
    assert (found.known, found.breached) == (True, False)


def test_a_margin_that_puts_up_with_anything_is_never_breached() -> None:
    found = guardrail(members((500, 300), (500, 1)), experiment(rule={"retention_margin": 1}), 1)
    assert (found.known, found.breached) == (True, False)
