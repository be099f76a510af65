from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from feature_repo import encoder_tables as tables, schema as s
from feature_repo.backfill import backfill, refresh_interactions, stored_encoder
from feature_repo.backfill_cli import build_features
from feature_repo.ingest.lake import Lake, LakeError

START = datetime(2024, 1, 1, tzinfo=UTC)
CREATED = datetime(2024, 6, 1, tzinfo=UTC)
BUILT = tuple(t for t in s.FEATURE_TABLES if t not in (s.USER_ALS_EMBEDDING, s.TITLE_ALS_EMBEDDING))
NAMES = {table.name for table in (*BUILT, *tables.ENCODER_TABLES)}


def table_of(table: s.Table, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([{s.EVENT_TIMESTAMP: START} | row for row in rows], schema=table.arrow_schema)


def events(count: int = 40) -> pa.Table:
    rng = np.random.default_rng(1)
    return table_of(s.EVENTS, [
        {s.EVENT_ID: f"e{i}", s.USER_ID: f"u{rng.integers(3)}", s.TITLE_ID: f"t{rng.integers(5)}",
         s.EVENT_TYPE: str(rng.choice(s.EVENT_TYPES)), s.WATCH_FRACTION: float(rng.random()),
         s.EVENT_TIMESTAMP: START + timedelta(minutes=int(rng.integers(60_000)))}
        for i in range(count)
    ])  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake as MovieLens leaves it: no impressions and no members."""
    lake = Lake(str(tmp_path / "lake"))
    lake.replace(s.TITLES, table_of(s.TITLES, [
        {s.TITLE_ID: f"t{i}", s.NAME: f"Title {i}", s.TITLE_TYPE: "movie", s.GENRE_NAMES: ["Drama"],
         s.CAST: ["Ana", f"Bo {i}"], s.SYNOPSIS: f"pirate number{i}", s.AVAILABLE_SINCE: START}
        for i in range(5)
    ]))  # fmt: skip
    lake.replace(s.EVENTS, events())
    return lake


def contents(lake: Lake) -> dict[str, list[dict[str, Any]]]:
    order = [(name, "ascending") for name in (s.EVENT_TIMESTAMP, s.USER_ID, s.TITLE_ID)]
    read = {table.name: lake.read(table) for table in BUILT}
    return {n: t.sort_by([k for k in order if k[0] in t.column_names]).to_pylist() for n, t in read.items()}


def test_every_feature_table_but_the_embeddings_is_written(lake: Lake):
    rows = backfill(lake, CREATED, seed=0)
    assert set(rows) == NAMES
    assert {t.name: rows[t.name] for t in BUILT} == {n: len(found) for n, found in contents(lake).items()}
    assert all(rows[table.name] == lake.read(table).num_rows for table in tables.ENCODER_TABLES)
    assert (rows[s.TITLE_METADATA.name], rows[s.USER_PROFILE.name]) == (5, 0)


@pytest.mark.parametrize("table", [s.USER_ALS_EMBEDDING, s.TITLE_ALS_EMBEDDING], ids=lambda t: t.name)
def test_embeddings_are_there_without_rows_until_a_training_and_then_stay(
    lake: Lake, make_rows: Callable[..., pa.Table], table: s.Table
) -> None:
    backfill(lake, CREATED, seed=0)
    assert lake.read(table).equals(table.arrow_schema.empty_table())
    lake.replace(table, make_rows(table, [{table.keys[0]: "x"}]))
    backfill(lake, CREATED, seed=0)
    assert lake.read(table).column(table.keys[0]).to_pylist() == ["x"]


def test_rows_are_stamped_and_within_the_declared_ranges(lake: Lake):
    backfill(lake, CREATED, seed=0)
    for table in BUILT:
        for row in lake.read(table).to_pylist():
            assert row[s.CREATED_TIMESTAMP] == CREATED
            for column in table.columns:
                values = row[column.name] if isinstance(row[column.name], list) else [row[column.name]]
                assert column.length in (None, len(values))
                assert column.nullable or None not in values
                numbers = [value for value in values if isinstance(value, int | float)]
                assert column.minimum is None or all(number >= column.minimum for number in numbers)
                assert column.maximum is None or all(number <= column.maximum for number in numbers)


def test_running_again_on_shuffled_and_repeated_events_changes_nothing(lake: Lake):
    backfill(lake, CREATED, seed=0)
    once = contents(lake)
    log = events()
    lake.replace(s.EVENTS, log.take(np.random.default_rng(2).permutation(np.tile(np.arange(len(log)), 2))))
    backfill(lake, CREATED, seed=0)
    assert contents(lake) == once


def test_latest_history_and_statistics_are_not_older_than_the_latest_snapshot(lake: Lake):
    backfill(lake, CREATED, seed=0)
    read = contents(lake)

    def latest(table: s.Table) -> dict[str, datetime]:
        return {row[s.USER_ID]: row[s.EVENT_TIMESTAMP] for row in read[table.name]}

    assert latest(s.USER_HISTORY) == latest(s.USER_SNAPSHOT)
    ends = {name: max(row[s.EVENT_TIMESTAMP] for row in read[name]) for name in (
        s.TITLE_STATISTICS.name, s.USER_SNAPSHOT.name, s.INTERACTIONS.name)}  # fmt: skip
    assert len(set(ends.values())) == 1


def test_impressions_and_members_count_where_there_are_any(lake: Lake):
    lake.replace(s.MEMBERS, table_of(s.MEMBERS, [{s.USER_ID: "u0", s.COUNTRY: "KR"}]))
    shown = {s.PAGE_ID: "p", s.USER_ID: "u0", s.TITLE_ID: "t9", s.ROW_TYPE: "top_picks", s.ROW_INDEX: 1,
             s.POSITION: 1, s.PROPENSITY: 0.5, s.PLAYED: True}  # fmt: skip
    lake.replace(s.IMPRESSIONS, table_of(s.IMPRESSIONS, [shown]))
    assert backfill(lake, CREATED, seed=0)[s.USER_PROFILE.name] == 1
    found = [row for row in contents(lake)[s.TITLE_STATISTICS.name] if row[s.TITLE_ID] == "t9"]
    assert [row[s.IMPRESSION_COUNT] for row in found] == [1]


def test_progress_names_every_table_in_turn(lake: Lake):
    seen: list[tuple[str, int, int]] = []
    backfill(lake, CREATED, seed=0, progress=lambda *step: seen.append(step))
    assert {name for name, _, _ in seen} == NAMES
    assert [done for _, done, _ in seen] == list(range(len(NAMES)))


def test_interrupted_backfill_leaves_the_old_tables(lake: Lake):
    backfill(lake, CREATED, seed=0)
    before = contents(lake)

    def interrupt(table: str, done: int, total: int) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(lake, CREATED + timedelta(days=1), seed=0, progress=interrupt)
    assert contents(lake) == before


def test_missing_raw_table_is_named(tmp_path: Path):
    with pytest.raises(LakeError, match=s.TITLES.name):
        backfill(Lake(str(tmp_path)), CREATED, seed=0)


def test_naive_clock_is_refused(lake: Lake):
    with pytest.raises(ValueError, match="created_at"):
        backfill(lake, datetime(2024, 6, 1), seed=0)


def test_command_builds_and_reports(lake: Lake):
    result = CliRunner().invoke(build_features, ["--lake", lake.root])
    assert result.exit_code == 0, result.output
    assert s.USER_SNAPSHOT.name in result.output
    assert lake.exists(s.INTERACTIONS)


def test_command_says_what_is_missing(tmp_path: Path):
    result = CliRunner().invoke(build_features, ["--lake", str(tmp_path)])
    assert result.exit_code == 1
    assert "import or simulate data first" in result.output


def test_with_the_stored_encoder_content_vectors_stay_what_they_were(lake: Lake) -> None:
    assert stored_encoder(lake) is None
    backfill(lake, CREATED, seed=0)
    before = lake.read(s.TITLE_CONTENT).sort_by(s.TITLE_ID)[s.SYNOPSIS_EMBEDDING].to_pylist()
    reef = {s.NAME: "Reef", s.TITLE_TYPE: "movie", s.GENRE_NAMES: [], s.CAST: ["Cy"]}
    reef |= {s.AVAILABLE_SINCE: START}
    more = [reef | {s.TITLE_ID: f"x{i}", s.SYNOPSIS: f"pirate queen {i} of the reef"} for i in range(9)]
    lake.append(s.TITLES, table_of(s.TITLES, more))
    backfill(lake, CREATED, 0, encoder=stored_encoder(lake))
    kept = lake.read(s.TITLE_CONTENT).sort_by(s.TITLE_ID)
    assert kept[s.SYNOPSIS_EMBEDDING].to_pylist()[:5] == before
    assert len(kept) == 14
    backfill(lake, CREATED, 0)
    anew = lake.read(s.TITLE_CONTENT).sort_by(s.TITLE_ID)[s.SYNOPSIS_EMBEDDING].to_pylist()[:5]
    assert anew != before


def test_interactions_can_be_brought_up_to_date_alone(lake: Lake) -> None:
    backfill(lake, CREATED, seed=0)
    before = contents(lake)
    lake.append(s.EVENTS, events(60).slice(40).set_column(
        0, s.EVENT_ID, pa.array([f"new{i}" for i in range(20)])
    ))  # fmt: skip
    rows = refresh_interactions(lake, CREATED)
    refreshed = contents(lake)
    assert rows == len(refreshed[s.INTERACTIONS.name]) > len(before[s.INTERACTIONS.name])
    backfill(lake, CREATED, seed=0)
    assert refreshed[s.INTERACTIONS.name] == contents(lake)[s.INTERACTIONS.name]
    assert refreshed[s.USER_SNAPSHOT.name] == before[s.USER_SNAPSHOT.name]
