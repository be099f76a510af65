"""docs/architecture.md lists the stages of a page with their budgets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from feature_repo.settings import REPOSITORY_ROOT
from serving.candidates.query import PageRequest
from serving.homepage import HomepageMaker
from serving.metrics import Unobserved
from serving.settings import LimitSettings, ServingSettings

DOCUMENT = (REPOSITORY_ROOT / "docs" / "architecture.md").read_text("utf-8")


@dataclass
class Budgets(Unobserved):
    """Takes note of every stage of a page, in order."""

    seen: dict[str, float] = field(default_factory=dict)

    def stage_finished(self, name: str, seconds: float, budget_ms: float) -> None:  # noqa: ARG002
        self.seen[name] = budget_ms


class NoSeeds:
    """Remembers nothing."""

    def resting(self, user_id: str) -> frozenset[str]:  # noqa: ARG002
        return frozenset()

    def remember(self, user_id: str, seeds: Any) -> None:
        pass


def test_the_stages_and_budgets_of_a_page_are_those_of_the_table(small: Any) -> None:
    budgets = Budgets()
    patient = ServingSettings(limits=LimitSettings(page_ms=600_000, stage_ms=600_000))
    maker = HomepageMaker(small.features, budgets, settings=patient, memory=NoSeeds())
    made = maker.make(small.service.state, PageRequest("ana", "tv", small.time[0], "KR"))
    assert made.homepage.degraded == []
    section = DOCUMENT.split("## A request, stage by stage")[1].split("\n## ")[0]
    told = {name: float(budget) for name, budget in re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", section, re.M)}
    assert list(told.items()) == list(budgets.seen.items())
