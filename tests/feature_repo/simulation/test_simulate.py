from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.simulate import SimulatedService, instant_us, simulate

TABLES = [(s.TITLES, "titles"), (s.MEMBERS, "members"), (s.EVENTS, "events"), (s.IMPRESSIONS, "impressions")]
TINY = SimulationConfig(titles=80, members=12, days=3)


@pytest.mark.parametrize(("table", "name"), TABLES)
def test_tables_conform_to_the_schema(service: SimulatedService, table: s.Table, name: str) -> None:
    data: pa.Table = getattr(service, name)
    assert data.schema == table.arrow_schema
    assert data.num_rows > 0
    for column in table.columns:
        values = data[column.name].combine_chunks()
        assert column.nullable or values.null_count == 0, column.name
        flat = values.flatten() if pa.types.is_list(column.type) else values
        if column.allowed:
            assert set(flat.drop_null().to_pylist()) <= set(column.allowed)
        if column.minimum is not None:
            assert min(flat.drop_null().to_pylist(), default=column.minimum) >= column.minimum
        if column.maximum is not None:
            assert max(flat.drop_null().to_pylist(), default=column.maximum) <= column.maximum


@pytest.mark.parametrize(("table", "name"), TABLES)
def test_keys_are_unique(service: SimulatedService, table: s.Table, name: str) -> None:
    keys = getattr(service, name).select(list(table.keys)).to_pandas()
    assert not keys.duplicated().any()


def test_same_seed_makes_the_same_service_and_another_seed_another(end: datetime) -> None:
    first, second, other = (simulate(TINY, seed, end) for seed in (3, 3, 4))
    for _, name in TABLES:
        assert getattr(first, name).equals(getattr(second, name))
    assert not first.events.equals(other.events)


def test_moving_the_end_by_whole_weeks_moves_the_instants_only(end: datetime) -> None:
    first, second = simulate(TINY, 3, end), simulate(TINY, 3, end + timedelta(weeks=2))
    assert first.events.drop(s.EVENT_TIMESTAMP).equals(second.events.drop(s.EVENT_TIMESTAMP))
    before, after = (np.asarray(t.events[s.EVENT_TIMESTAMP].cast(pa.int64())) for t in (first, second))
    assert (after - before == 14 * 86_400_000_000).all()


@pytest.mark.parametrize("name", ["events", "impressions"])
def test_nothing_happens_outside_the_window(
    service: SimulatedService, config: SimulationConfig, end: datetime, name: str
) -> None:
    when = getattr(service, name).to_pandas()[s.EVENT_TIMESTAMP]
    assert when.min() >= pd.Timestamp(end) - pd.Timedelta(days=config.days)
    assert when.max() < pd.Timestamp(end)


@pytest.mark.parametrize("name", ["events", "impressions"])
def test_titles_are_only_seen_where_and_when_they_may_be(service: SimulatedService, name: str) -> None:
    titles = service.titles.drop(s.EVENT_TIMESTAMP).to_pandas().set_index(s.TITLE_ID)
    members = service.members.rename_columns(
        [f"member_{c}" if c == s.EVENT_TIMESTAMP else c for c in service.members.column_names]
    ).to_pandas()
    rows = getattr(service, name).to_pandas()
    rows = rows.join(titles, on=s.TITLE_ID, rsuffix="_title")
    rows = rows.merge(members, on=s.USER_ID, validate="many_to_one", suffixes=("", "_member"))
    assert (rows[s.EVENT_TIMESTAMP] >= rows[s.AVAILABLE_SINCE]).all()
    assert (rows[s.EVENT_TIMESTAMP] >= rows[f"member_{s.EVENT_TIMESTAMP}"]).all()
    limited = rows[rows[s.MATURITY_LIMIT].notna()]
    assert len(limited) > 0
    assert (limited[s.MATURITY_LEVEL] <= limited[s.MATURITY_LIMIT]).all()
    regional = rows[rows[s.COUNTRIES].notna()]
    assert len(regional) > 0
    assert all(c in shown for c, shown in zip(regional[s.COUNTRY], regional[s.COUNTRIES], strict=True))


def test_some_titles_arrive_and_some_members_join_during_the_window(
    service: SimulatedService, config: SimulationConfig, end: datetime
) -> None:
    start = pd.Timestamp(end) - pd.Timedelta(days=config.days)
    assert (service.titles.to_pandas()[s.AVAILABLE_SINCE] > start).sum() == 30  # a tenth of 300
    joined = (service.members.to_pandas()[s.EVENT_TIMESTAMP] > start).sum()
    assert 0 < joined < config.members / 2


def test_popularity_is_heavy_tailed(service: SimulatedService, config: SimulationConfig) -> None:
    events = service.events.to_pandas()
    plays = events.loc[events[s.EVENT_TYPE] == "play", s.TITLE_ID].value_counts()
    assert plays.iloc[: config.titles // 10].sum() > 0.3 * plays.sum()
    assert (plays <= 2).sum() + config.titles - len(plays) > 0.3 * config.titles


def test_the_oracles_choice_is_far_above_popularity_which_is_above_chance(
    service: SimulatedService, end: datetime
) -> None:
    events = service.events.to_pandas()
    popular = events.loc[events[s.EVENT_TYPE] == "play", s.TITLE_ID].value_counts().index[:10]
    ids = service.world.title_ids
    truth = service.world.play_probability(
        service.world.user_ids[:, None], ids[None, :], np.array(float(instant_us(end))), np.array("tv")
    )
    oracle = np.sort(truth, axis=1)[:, -10:].mean()
    by_popularity = truth[:, np.isin(ids, popular.to_numpy(dtype=str))].mean()
    assert by_popularity > 1.5 * truth.mean()
    assert oracle > 2 * by_popularity


def test_progress_counts_members(end: datetime) -> None:
    seen: list[tuple[int, int]] = []
    simulate(TINY, 3, end, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (12, 12)


def test_an_end_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        simulate(TINY, 3, datetime(2026, 3, 2))


def test_a_service_nobody_opens_has_no_events(end: datetime) -> None:
    quiet = simulate(SimulationConfig(titles=60, members=1, days=1, sessions_per_day=1e-9), 1, end)
    assert quiet.events.num_rows == quiet.impressions.num_rows == 0
    assert quiet.titles.num_rows == 60
