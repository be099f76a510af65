"""The command on a service that has served pages: for people, for programs, as a gate."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
from click.testing import CliRunner, Result

from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import FEATURES, SERVED_FEATURES
from feature_repo.transforms.ranking import RANKING_FEATURES
from tests.training.parity.conftest import Served
from training.cli import main
from training.parity.drift import drift_of


def run(served: Served, *arguments: str, lake: str | None = None) -> Result:
    environment = {
        "MARQUEE_HOME": str(served.settings.home), "MARQUEE_LAKE": lake or served.settings.lake,
        "REDIS_URL": served.gateway.online_url,
    }  # fmt: skip
    return CliRunner(env=environment).invoke(main, ["parity", "--most-pages", "4", *arguments])


def test_parity_passes_the_gate_and_leaves_a_report(served: Served) -> None:
    answer = run(served, "--json")
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.output)
    assert (found["pages"], found["failing"]) == (4, [])
    assert [f["name"] for f in found["features"]] == [*RANKING_FEATURES, "ranking_score"]
    assert found["drift"][0]["name"] == "ranking_score"
    assert (served.settings.reports / "parity.md").read_text("utf-8").startswith("# Parity")


def test_a_skew_fails_the_gate_unless_it_is_allowed(served: Served) -> None:
    lake, place = Lake(served.settings.lake), RANKING_FEATURES.index("request_hour")
    honest = lake.read(SERVED_FEATURES)
    rows = [[*row[:place], (row[place] + 9) % 24, *row[place + 1 :]] for row in honest[FEATURES].to_pylist()]
    at = honest.schema.get_field_index(FEATURES)
    try:
        lake.replace(
            SERVED_FEATURES,
            honest.set_column(at, honest.schema.field(at), pa.array(rows, honest.schema.field(at).type)),
        )
        answer = run(served)
        assert answer.exit_code == 1
        assert "no parity: request_hour" in answer.output
        assert run(served, "--allow", "1").exit_code == 0
    finally:
        lake.replace(SERVED_FEATURES, honest)


def test_a_window_without_pages_says_what_to_do(served: Served) -> None:
    answer = run(served, "--until", "2020-01-01T00:00:00Z")
    assert answer.exit_code == 1
    assert "--from and --until" in answer.output


def test_drift_is_large_where_a_feature_moved_out_of_its_range(served: Served) -> None:
    pages = served.pages
    before = {row.name: row for row in drift_of(pages, served.bundles)}
    matrix = pages.matrix.copy()
    matrix[:, RANKING_FEATURES.index("runtime_minutes")] += 1e4
    after = {row.name: row for row in drift_of(replace(pages, matrix=matrix), served.bundles)}
    assert before["runtime_minutes"].level != "large" or before["runtime_minutes"].stability_index < 2
    assert after["runtime_minutes"].level == "large"
    assert after["runtime_minutes"].stability_index > before["runtime_minutes"].stability_index
    assert after["play_rate"] == before["play_rate"]
