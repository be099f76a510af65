from __future__ import annotations

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.members import NO_LIMIT, make_members
from feature_repo.simulation.vocabulary import COUNTRIES

DAY = 86_400_000_000
START, END = 20_000 * DAY, 20_028 * DAY
CONFIG = SimulationConfig(members=2_000, joining_member_share=0.25)
MEMBERS = make_members(CONFIG, START, END, np.random.default_rng(8))


def test_ids_count_from_one_with_six_digits() -> None:
    assert MEMBERS.user_ids[[0, 1999]].tolist() == ["m000001", "m002000"]


def test_most_members_speak_the_language_of_their_country() -> None:
    table = MEMBERS.table.to_pandas()
    spoken = {country.code: country.language for country in COUNTRIES}
    assert 0.85 < (table[s.COUNTRY].map(spoken) == table[s.LANGUAGE]).mean() < 0.95


def test_countries_follow_their_shares() -> None:
    counts = np.bincount(MEMBERS.countries, minlength=len(COUNTRIES))
    for country, count in zip(COUNTRIES, counts, strict=True):
        deviation = np.sqrt(2_000 * country.share * (1 - country.share))
        assert abs(count - 2_000 * country.share) < 4 * deviation


def test_a_member_without_limit_has_null_in_the_table() -> None:
    limits = MEMBERS.table[s.MATURITY_LIMIT]
    assert limits.null_count == (MEMBERS.maturity_limits == NO_LIMIT).sum()
    assert set(limits.drop_null().to_pylist()) == {7, 13, 16}


def test_the_configured_share_joins_during_the_window() -> None:
    joining = (MEMBERS.joined_us >= START).mean()
    assert joining == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / 2_000))
    assert MEMBERS.joined_us.max() < END


def test_mean_activity_is_as_configured_and_heavy_tailed() -> None:
    activity = MEMBERS.sessions_per_day
    assert activity.mean() == pytest.approx(CONFIG.sessions_per_day, rel=0.1)
    assert np.median(activity) < 0.85 * activity.mean()


def test_device_shares_are_distributions() -> None:
    assert MEMBERS.device_shares.shape == (2_000, len(s.DEVICES))
    assert MEMBERS.device_shares.sum(axis=1) == pytest.approx(np.ones(2_000))


def test_profiles_are_made_at_most_sixty_days_before_the_window() -> None:
    assert MEMBERS.joined_us.min() >= START - 60 * DAY
    assert (MEMBERS.joined_us < START).any()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nobody_or_everybody_joins_during_the_window(share: float) -> None:
    config = SimulationConfig(members=200, joining_member_share=share)
    joined = make_members(config, START, END, np.random.default_rng(8)).joined_us
    assert ((joined >= START) == bool(share)).all()


def test_without_spread_all_members_are_equally_active() -> None:
    config = SimulationConfig(members=50, sessions_per_day=1.7, activity_spread=0.0)
    assert make_members(config, START, END, np.random.default_rng(8)).sessions_per_day == pytest.approx(
        np.full(50, 1.7)
    )


def test_nobody_opens_the_service_more_than_six_times_a_day() -> None:
    config = SimulationConfig(members=500, sessions_per_day=4.0, activity_spread=2.0)
    assert make_members(config, START, END, np.random.default_rng(8)).sessions_per_day.max() == 6.0


def test_television_is_the_most_used_device_and_the_tablet_the_least() -> None:
    means = MEMBERS.device_shares.mean(axis=0)
    assert s.DEVICES[means.argmax()] == "tv"
    assert s.DEVICES[means.argmin()] == "tablet"


def test_the_table_says_when_each_profile_was_made() -> None:
    table = MEMBERS.table
    assert table.schema == s.MEMBERS.arrow_schema
    assert table[s.EVENT_TIMESTAMP].cast("int64").to_pylist() == MEMBERS.joined_us.tolist()
    assert table[s.USER_ID].to_pylist() == MEMBERS.user_ids.tolist()
