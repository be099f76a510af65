from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import EXPLORED_SLOTS, STRATUM_PROPENSITIES, STRATUM_TITLE_IDS
from tests.proofs.off_policy import drawn, population
from training.cli import main
from training.explored_slots import ExploredSlots

if TYPE_CHECKING:
    from tests.conftest import TrainedService


def log_rows(log: ExploredSlots) -> list[dict[str, Any]]:
    """Explored slots as servers write them, with what came of them."""
    pages = [f"{user}/{at}" for user, at in zip(log.user_ids, log.instants, strict=True)]
    return [
        {
            s.PAGE_ID: page,
            s.USER_ID: str(log.user_ids[slot]),
            s.TITLE_ID: str(log.title_ids[log.drawn[slot]]),
            s.EVENT_TIMESTAMP: int(log.instants[slot]),
            s.DEVICE_TYPE: str(log.device_types[slot]) or None,
            s.ROW_INDEX: int(log.row_indices[slot]),
            s.POSITION: int(log.positions[slot]),
            STRATUM_TITLE_IDS: log.title_ids[log.offsets[slot] : log.offsets[slot + 1]].tolist(),
            STRATUM_PROPENSITIES: log.propensities[log.offsets[slot] : log.offsets[slot + 1]].tolist(),
            s.PLAYED: bool(log.played[slot]),
        }
        for slot, page in enumerate(pages)
    ]


@pytest.fixture(scope="module")
def log(trained_service: TrainedService) -> ExploredSlots:
    """Pages of the day after the training data's end."""
    people = population(
        trained_service.simulated.world, trained_service.end + timedelta(days=1),
        members=60, stratum=5, seed=2,
    )  # fmt: skip
    return drawn(people, np.arange(len(people.slots)), np.random.default_rng(4))


@pytest.fixture(scope="module")
def environment(
    trained_service: TrainedService,
    log: ExploredSlots,
    make_rows: Callable[..., pa.Table],
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, str]:
    """The trained service, with a lake that holds the log alone: the features lie where they were."""
    lake = Lake(str(tmp_path_factory.mktemp("log") / "lake"))
    for table in (EXPLORED_SLOTS, s.IMPRESSIONS):
        lake.replace(table, make_rows(table, log_rows(log)))
    return {
        "MARQUEE_HOME": str(trained_service.settings.home),
        "MARQUEE_LAKE": lake.root,
        "REDIS_URL": trained_service.gateway.online_url,
    }


def run(environment: Mapping[str, str], *arguments: str) -> Result:
    return CliRunner(env=dict(environment)).invoke(main, ["off-policy", *arguments])


def test_a_bundle_is_judged_by_pages_after_its_training(
    trained_service: TrainedService, environment: Mapping[str, str], log: ExploredSlots
) -> None:
    version = trained_service.version
    answer = run(environment, "--bundle", version, "--against", version, "--json")
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.output)
    assert found["bundles"] == {"candidate": version, "against": version}
    assert found["from"] == trained_service.end.isoformat()
    assert found["training_data_included"] is False
    logging = found["plays_per_slot"]["logging"]["ips"]
    assert (logging["slots"], logging["members"]) == (len(log), 60)
    assert logging["value"] == pytest.approx(log.played.mean())
    assert found["candidate_minus_against"]["doubly_robust"]["value"] == 0
    assert found["agreement"] == pytest.approx(1)


def test_people_read_a_table(trained_service: TrainedService, environment: Mapping[str, str]) -> None:
    answer = run(environment, "--bundle", trained_service.version, "--against", trained_service.version)
    assert answer.exit_code == 0, answer.output
    assert "same title in 100% of the slots" in answer.output
    assert "training data" not in answer.output


def test_pages_that_were_training_data_are_said_to_flatter(
    trained_service: TrainedService, environment: Mapping[str, str]
) -> None:
    version = trained_service.version
    early = f"{trained_service.end - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    answer = run(environment, "--bundle", version, "--against", version, "--from", early)
    assert answer.exit_code == 0, answer.output
    assert "were training data: they flatter" in answer.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--from", "2030-01-01T00:00:00Z"],
            "no explored slot with a known outcome from 2030-01-01T00:00:00Z",
        ),
        (["--against", "challenger"], "no challenger"),
        (["--against", "20200101T000000Z-00000000"], "20200101T000000Z-00000000"),
    ],
    ids=["no slot", "no alias", "no bundle"],
)
def test_what_is_not_there_is_named(
    trained_service: TrainedService, environment: Mapping[str, str], arguments: list[str], message: str
) -> None:
    version = trained_service.version
    answer = run(environment, "--bundle", version, *arguments)
    assert answer.exit_code == 1
    assert message in answer.output


def test_help_shows_what_to_type(environment: Mapping[str, str]) -> None:
    assert "python -m training off-policy --bundle challenger --json" in run(environment, "--help").output
