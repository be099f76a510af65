"""A home in which decisions on experiments move the aliases of bundles."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.bundle_alias import CHAMPION, bundle_aliases
from experiments.definitions import Status
from experiments.promotion import carry_out
from experiments.records import DecisionRecord
from experiments.starting import start_experiment
from experiments.store import ExperimentStore

if TYPE_CHECKING:
    from tests.experiments.conftest import Define

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=15)
OLD, NEW, THIRD = (f"20260101T00000{n}Z-0000000{n}" for n in (1, 2, 3))


class Home:
    """A store with running experiments, bundles and a folder of decisions."""

    def __init__(self, store: ExperimentStore, folder: Path, define: Define) -> None:
        self.store, self.define = store, define
        self.bundles, self.decisions = folder / "bundles", folder / "experiments" / "decisions"
        for version in (OLD, NEW, THIRD):
            (self.bundles / version).mkdir(parents=True)
            (self.bundles / version / "manifest.json").write_text("{}")
        self.aliases = bundle_aliases(self.bundles)
        self.aliases.set("champion", OLD)
        self.aliases.set("challenger", NEW)

    def run(self, name: str = "one", layer: str = "ranker", **rest: Any) -> None:
        self.store.create(self.define(name, layer, **rest), NOW)
        start_experiment(self.store, self.aliases, name, NOW)

    def decide(self, action: Any, arm: str | None = None, name: str = "one", **rest: Any) -> DecisionRecord:
        given = {"reason": "plays +3 %", "evidence": {"lift": 0.03}, "now": LATER, "decided_by": "rule"}
        return carry_out(self.store, self.aliases, self.decisions, name, action, arm, **(given | rest))

    @property
    def champion(self) -> str | None:
        return self.aliases.get(CHAMPION)

    @property
    def files(self) -> dict[str, Any]:
        return {file.name: json.loads(file.read_text()) for file in sorted(self.decisions.glob("*"))}

    def status(self, name: str = "one") -> Status:
        return self.store.get(name).status
