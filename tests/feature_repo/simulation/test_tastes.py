from __future__ import annotations

import numpy as np

from feature_repo import schema as s
from feature_repo.simulation.members import NO_LIMIT
from feature_repo.simulation.simulate import SimulatedService
from feature_repo.simulation.vocabulary import LANGUAGES, LONG_GENRES, SHORT_GENRES, YOUNG_GENRES
from feature_repo.simulation.world import DAYPARTS


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
