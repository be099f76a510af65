"""docs/impressions.md says what the code does."""

from __future__ import annotations

import re

import duckdb
import pytest

from feature_repo.impression_log.attribution import VIEWING_GAP, WINDOW
from feature_repo.impression_log.compaction import MANY_FILES
from feature_repo.impression_log.joining import join_impressions
from feature_repo.impression_log.retention import KEEP
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import EXPLORED_SLOTS
from feature_repo.settings import REPOSITORY_ROOT
from tests.feature_repo.impression_log.conftest import LATER, append, event, rows_of, shown

DOCUMENT = (REPOSITORY_ROOT / "docs" / "impressions.md").read_text("utf-8")


def statements(lake: Lake) -> list[str]:
    [block] = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)
    return [part for part in block.replace("var/lake", lake.root).split(";") if part.strip()]


def test_the_queries_of_the_document_answer(lake: Lake) -> None:
    arm = {"ranker_arm": "deeper-trees/treatment"}
    append(
        lake, [tile | arm for tile in shown("p1", 20, "a", "b", "c", "d")],
        [event(20.1, "a", "play"), event(21, "a", "complete", 0.9), event(20.2, "b", "play"),
         event(20.5, "b", "pause", 0.2)],
    )  # fmt: skip
    slot = shown("p1", 20, "a")[0] | {"stratum_title_ids": ["a", "z"], "stratum_propensities": [0.75, 0.25]}
    lake.append(EXPLORED_SLOTS, rows_of(EXPLORED_SLOTS, [slot]))
    join_impressions(lake, LATER)
    by_arm, strata = (duckdb.sql(statement).fetchall() for statement in statements(lake))
    assert by_arm == [("deeper-trees/treatment", 1, 4, 0.5, 0.5)]
    assert strata == [("p1", "a", "a", 0.75), ("p1", "a", "z", 0.25)]


@pytest.mark.parametrize(
    ("said", "value", "unit"),
    [
        (r"\*\*(\d+) hours\*\*", WINDOW.total_seconds(), 3600),
        (r"within (\d+) hours before it", VIEWING_GAP.total_seconds(), 3600),
        (r"(\d+) days are kept", KEEP.total_seconds(), 86_400),
    ],
)
def test_constants_are_those_of_the_code(said: str, value: float, unit: int) -> None:
    found = re.search(said, DOCUMENT)
    assert found is not None
    assert int(found[1]) * unit == value


def test_small_files_are_those_of_the_code() -> None:
    assert MANY_FILES == 8
    assert "eight files or more" in DOCUMENT
