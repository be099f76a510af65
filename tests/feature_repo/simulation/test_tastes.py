from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.simulation.catalogue import make_catalogue
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.members import NO_LIMIT, make_members
from feature_repo.simulation.simulate import SimulatedService
from feature_repo.simulation.tastes import make_world
from feature_repo.simulation.vocabulary import COUNTRIES, LANGUAGES, LONG_GENRES, SHORT_GENRES, YOUNG_GENRES
from feature_repo.simulation.world import DAYPARTS, World

DAY = 86_400_000_000
START, END = 20_000 * DAY, 20_010 * DAY


def drawn(**changes: float) -> World:
    """A world of 100 titles and 80 members, of the same seed whatever the configuration."""
    config = SimulationConfig.model_validate({"titles": 100, "members": 80, "days": 10} | changes)
    catalogue = make_catalogue(config, START, END, np.random.default_rng(1))
    members = make_members(config, START, END, np.random.default_rng(2))
    return make_world(config, catalogue, members, START, END, np.random.default_rng(3))


def logits(
    world: World, at: float, device: str, users: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Taste logits of one title for all members, at microseconds after the start."""
    rows = np.arange(80) if users is None else users
    devices = np.full(len(rows), s.DEVICES.index(device))
    return world.taste_logits(rows, np.full(len(rows), 7), np.full(len(rows), START + at), devices)


def test_a_phone_by_day_is_for_light_genres_and_an_evening_television_for_long_ones(
    service: SimulatedService,
) -> None:
    context = service.world.context_genres
    light = [s.GENRES.index(genre) for genre in SHORT_GENRES]
    heavy = [s.GENRES.index(genre) for genre in LONG_GENRES]
    phone = context[s.DEVICES.index("mobile"), DAYPARTS.index("morning")]
    television = context[s.DEVICES.index("tv"), DAYPARTS.index("evening")]
    assert phone[light].mean() > phone[heavy].mean() + 0.5
    assert television[heavy].mean() > television[light].mean() + 0.3


def test_an_unknown_device_is_the_mean_of_the_devices(service: SimulatedService) -> None:
    known, unknown = service.world.context_genres[:-1], service.world.context_genres[-1]
    assert np.allclose(known.mean(axis=0), unknown, atol=1e-6)


def test_members_prefer_their_own_language(service: SimulatedService) -> None:
    languages = [LANGUAGES.index(code) for code in service.members[s.LANGUAGE].to_pylist()]
    assert (service.world.user_languages.argmax(axis=1) == languages).all()


def test_profiles_with_a_low_limit_like_what_is_made_for_the_young(service: SimulatedService) -> None:
    liked = [s.GENRES.index(genre) for genre in YOUNG_GENRES]
    tastes = service.world.taste_start[:, liked].mean(axis=1)
    young = service.world.user_maturity_limits < NO_LIMIT
    assert tastes[young].mean() > tastes[~young].mean() + 0.5


def test_tastes_drift(service: SimulatedService) -> None:
    change = service.world.taste_finish - service.world.taste_start
    assert 0.4 < change.std() < 0.8


def test_titles_of_a_scene_share_the_taste_that_genres_do_not_show(service: SimulatedService) -> None:
    franchises = np.array([f or "" for f in service.titles[s.FRANCHISE_ID].to_pylist()])
    residuals = service.world.title_residuals
    within = [residuals[franchises == f].std(axis=0).mean() for f in set(franchises) - {""}]
    assert np.mean(within) < 0.7 * residuals.std(axis=0).mean()


def test_the_device_moves_the_logit_by_its_genres_and_type_times_the_members_habit() -> None:
    world = drawn()
    offsets = np.array([country.utc_offset_hours for country in COUNTRIES])
    noon_utc = DAY / 2
    daypart = ((12 + offsets[world.user_countries]) % 24) // 6
    genres = world.context_genres[:, daypart] @ world.title_genres[7]
    types = world.context_types[:, daypart, world.title_types[7]]
    tv, mobile = s.DEVICES.index("tv"), s.DEVICES.index("mobile")
    expected = (genres[mobile] - genres[tv] + types[mobile] - types[tv]) * world.user_context_strength
    assert logits(world, noon_utc, "mobile") - logits(world, noon_utc, "tv") == pytest.approx(
        expected, abs=1e-5
    )
    assert np.abs(expected).max() > 0.1


def test_the_hour_moves_the_logit_of_the_same_device() -> None:
    world = drawn(drift_strength=0.0)
    british = np.flatnonzero(world.user_countries == [c.code for c in COUNTRIES].index("GB"))
    assert len(british) > 0
    three, nine_oclock, eleven = (logits(world, h / 24 * DAY, "tv", british) for h in (3, 9, 11))
    assert nine_oclock == pytest.approx(eleven)
    assert (np.abs(three - nine_oclock) > 1e-3).all()


@pytest.mark.parametrize("strength", [0.0, 0.5, 2.0])
def test_the_context_effect_is_proportional_to_its_strength(strength: float) -> None:
    assert drawn(context_strength=strength).context_genres == pytest.approx(
        strength * drawn(context_strength=1.0).context_genres, abs=1e-6
    )


def test_without_context_device_and_hour_do_not_matter() -> None:
    world = drawn(context_strength=0.0, drift_strength=0.0)
    assert logits(world, DAY / 2, "mobile") == pytest.approx(logits(world, DAY / 8, "tv"))


def test_without_drift_the_taste_at_the_end_is_that_at_the_start() -> None:
    world = drawn(drift_strength=0.0)
    assert np.array_equal(world.taste_start, world.taste_finish)


def test_half_way_through_the_window_the_taste_is_half_way_between() -> None:
    world = drawn(context_strength=0.0, drift_strength=1.5)
    start, middle, finish = (logits(world, share * 10 * DAY, "tv") for share in (0.0, 0.5, 1.0))
    assert middle == pytest.approx((start + finish) / 2, abs=1e-5)
    assert np.abs(finish - start).max() > 0.5


def test_appeal_falls_with_the_logarithm_of_the_rank() -> None:
    appeal = np.sort(drawn(appeal_exponent=0.5).title_appeal)[::-1]
    assert appeal.mean() == pytest.approx(0.0, abs=1e-6)
    assert appeal[0] - appeal[1] == pytest.approx(0.5 * np.log(2), abs=1e-6)
    assert appeal[0] - appeal[99] == pytest.approx(0.5 * np.log(100), abs=1e-6)


def test_appealing_titles_are_rather_good_ones_and_quality_is_standard() -> None:
    world = drawn(titles=4_000)
    correlation = np.corrcoef(world.title_appeal, world.title_quality)[0, 1]
    assert correlation == pytest.approx(0.4, abs=4 / np.sqrt(4_000))
    assert world.title_quality.std() == pytest.approx(1.0, abs=0.05)


def test_english_is_level_and_no_language_is_above_ones_own() -> None:
    world = drawn(language_strength=2.0)
    own = world.user_languages.max(axis=1)
    assert own == pytest.approx(np.full(80, 2.0))
    english = world.user_languages[:, LANGUAGES.index("en")]
    assert set(english.tolist()) == {0.0, 2.0}
    assert world.user_languages.min() >= -2.0


@pytest.mark.parametrize("dimensions", [1, 8, 64])
def test_the_taste_outside_genres_has_the_configured_spread_whatever_its_rank(dimensions: int) -> None:
    world = drawn(residual_dimensions=dimensions, residual_strength=1.5, titles=1_000, members=500)
    assert world.title_residuals.shape == (1_000, dimensions)
    spread = (world.user_residuals @ world.title_residuals.T).std()
    assert spread == pytest.approx(1.5, rel=0.35 if dimensions == 1 else 0.2)


def test_the_world_takes_the_catalogue_and_the_members_as_they_are() -> None:
    config = SimulationConfig(titles=60, members=10, days=10)
    catalogue = make_catalogue(config, START, END, np.random.default_rng(1))
    members = make_members(config, START, END, np.random.default_rng(2))
    world = make_world(config, catalogue, members, START, END, np.random.default_rng(3))
    assert world.title_ids is catalogue.title_ids
    assert world.user_ids is members.user_ids
    assert np.array_equal(world.title_genres, catalogue.genre_weights)
    assert (world.start_us, world.end_us) == (START, END)
    assert (world.play_base, world.play_ceiling) == (config.play_base, config.play_ceiling)
