"""What promoted experiments leave for a server's settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.bundle_alias import bundle_aliases
from experiments.definitions import Status, Treatment
from experiments.promoted import promoted_settings, promoted_treatments
from experiments.promotion import carry_out
from experiments.store import ExperimentStore
from serving.settings import ServingSettings

if TYPE_CHECKING:
    from tests.experiments.conftest import Define

NOW = datetime(2026, 11, 1, tzinfo=UTC)
TREATMENTS = {
    "mix": {"generators": {"als": {"enabled": False}, "similar": {"limit": 20}}},
    "variety": {"page": {"variety_weight": 0.4, "top_picks": 10}},
    "variety-2": {"page": {"variety_weight": 0.3}},
    "tiles": {"variant": "large-tiles"},
}


def treatments(*names: str) -> dict[str, Treatment]:
    return {name: Treatment.model_validate(TREATMENTS[name]) for name in names}


def test_only_experiments_that_are_promoted_count_in_the_order_of_their_ends(
    tmp_path: Path, define: Define
) -> None:
    store = ExperimentStore.open(f"sqlite:///{tmp_path / 'experiments.db'}")
    aliases = bundle_aliases(tmp_path / "bundles")

    def decide(name: str, action: Any, arm: str | None, hours: int) -> None:
        now = NOW + timedelta(hours=hours)
        carry_out(store, aliases, tmp_path / "d", name, action, arm, "because", {}, now, "rule")

    for name in ("first", "second", "third", "running"):
        store.create(define(name, "post_filter", 100), NOW)
        store.change_status(name, Status.RUNNING, NOW)
    decide("second", "promote", "new", 1)
    decide("first", "promote", "new", 2)
    decide("third", "promote", "new", 3)
    decide("third", "roll_back", None, 4)
    assert promoted_treatments(store) == {
        name: Treatment(page={"variety_weight": 0.4}) for name in ("second", "first")
    }
    store.close()


def test_changes_go_into_a_servers_settings_and_leave_the_rest() -> None:
    defaults = ServingSettings().model_dump(mode="json")
    merged = promoted_settings(treatments(*TREATMENTS), defaults)
    server = ServingSettings.model_validate(merged)
    assert server.generators["als"].enabled is False
    assert server.generators["als"].limit == ServingSettings().generators["als"].limit
    assert server.generators["similar"].limit == 20
    assert (server.page.variety_weight, server.page.top_picks) == (0.3, 10)  # of two, the later one
    unchanged = server.page.model_copy(update={"variety_weight": 0.2, "top_picks": 12})
    assert unchanged == ServingSettings().page
    assert defaults == ServingSettings().model_dump(mode="json")


def test_without_settings_the_changes_stand_alone() -> None:
    assert promoted_settings(treatments("variety-2"), {}) == {"page": {"variety_weight": 0.3}}
    assert promoted_settings(treatments("tiles"), {}) == {}
