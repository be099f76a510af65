from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.history import examination_probability
from feature_repo.simulation.simulate import SimulatedService
from feature_repo.simulation.vocabulary import COUNTRIES, LANGUAGES
from feature_repo.simulation.world import DAYPARTS, World, device_codes

HOUR = 3_600_000_000.0
DAY = 24 * HOUR
GB = [country.code for country in COUNTRIES].index("GB")  # UTC, so local hours are UTC hours


def hand_made(**changes: object) -> World:
    """One British member, two titles; every effect is off but those a test turns on."""
    contexts = (len(s.DEVICES) + 1, len(DAYPARTS))
    genres = np.zeros((2, len(s.GENRES)), dtype=np.float32)
    genres[0, 0] = genres[1, 1] = 1.0
    world = World(
        title_ids=np.array(["t1", "t2"]),
        title_genres=genres,
        title_residuals=np.zeros((2, 1), dtype=np.float32),
        title_appeal=np.zeros(2, dtype=np.float32),
        title_quality=np.zeros(2, dtype=np.float32),
        title_types=np.array([0, 2]),
        title_languages=np.array([0, 1]),
        title_maturity=np.array([7, 7]),
        title_in_country=np.ones((2, len(COUNTRIES)), dtype=bool),
        title_available_us=np.array([0, 0]),
        user_ids=np.array(["m1"]),
        taste_start=np.zeros((1, len(s.GENRES)), dtype=np.float32),
        taste_finish=np.zeros((1, len(s.GENRES)), dtype=np.float32),
        user_residuals=np.zeros((1, 1), dtype=np.float32),
        user_context_strength=np.ones(1, dtype=np.float32),
        user_languages=np.zeros((1, len(LANGUAGES)), dtype=np.float32),
        user_countries=np.array([GB]),
        user_maturity_limits=np.array([13]),
        context_genres=np.zeros((*contexts, len(s.GENRES)), dtype=np.float32),
        context_types=np.zeros((*contexts, len(s.TITLE_TYPES)), dtype=np.float32),
        start_us=0,
        end_us=int(10 * DAY),
        play_base=0.0,
        play_ceiling=1.0,
        freshness_strength=0.0,
        freshness_days=1.0,
    )
    return dataclasses.replace(world, **changes)  # type: ignore[arg-type]


def ask(world: World, title: str = "t1", at: float = 0.0, device: str = "tv") -> float:
    answer = world.play_probability(np.array(["m1"]), np.array([title]), np.array([at]), np.array([device]))
    return float(answer[0])


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def test_without_any_effect_the_probability_is_the_ceiling_times_one_half() -> None:
    assert ask(hand_made()) == 0.5
    assert ask(hand_made(play_ceiling=0.6)) == pytest.approx(0.3)


def test_appeal_language_and_residual_add_in_logits() -> None:
    languages = np.zeros((1, len(LANGUAGES)), dtype=np.float32)
    languages[0, 1] = 0.25
    world = hand_made(
        title_appeal=np.array([0.0, 1.0], dtype=np.float32),
        user_languages=languages,
        user_residuals=np.array([[2.0]], dtype=np.float32),
        title_residuals=np.array([[0.0], [0.5]], dtype=np.float32),
    )
    assert logit(ask(world, "t1")) == pytest.approx(0.0)
    assert logit(ask(world, "t2")) == pytest.approx(1.0 + 0.25 + 2.0 * 0.5)


@pytest.mark.parametrize(("day", "expected"), [(0, 1.0), (5, 2.0), (10, 3.0), (20, 3.0)])
def test_taste_drifts_linearly_over_the_window_and_stays_after_it(day: float, expected: float) -> None:
    start, finish = np.zeros((2, 1, len(s.GENRES)), dtype=np.float32)
    start[0, 0], finish[0, 0] = 1.0, 3.0
    assert logit(ask(hand_made(taste_start=start, taste_finish=finish), at=day * DAY)) == pytest.approx(
        expected
    )


@pytest.mark.parametrize(
    ("device", "hour", "expected"),
    [("mobile", 12, 1.0), ("mobile", 11.99, 0.0), ("mobile", 18, 0.0), ("tv", 12, 0.0)],
)
def test_context_acts_on_its_device_and_local_daypart_only(device: str, hour: float, expected: float) -> None:
    types = np.zeros((len(s.DEVICES) + 1, len(DAYPARTS), len(s.TITLE_TYPES)), dtype=np.float32)
    types[s.DEVICES.index("mobile"), DAYPARTS.index("afternoon"), 2] = 0.5
    world = hand_made(context_types=types, user_context_strength=np.array([2.0], dtype=np.float32))
    assert logit(ask(world, "t2", hour * HOUR, device)) == pytest.approx(expected)


def test_newness_fades_with_its_time_constant() -> None:
    world = hand_made(freshness_strength=1.0, freshness_days=2.0)
    assert logit(ask(world, at=0.0)) == pytest.approx(1.0)
    assert logit(ask(world, at=2 * DAY)) == pytest.approx(np.exp(-1.0))


def test_a_title_that_may_not_be_shown_is_never_played() -> None:
    assert ask(hand_made(title_available_us=np.array([int(DAY), 0])), at=DAY - 1) == 0.0
    assert ask(hand_made(title_available_us=np.array([int(DAY), 0])), at=DAY) == 0.5
    assert ask(hand_made(title_maturity=np.array([16, 0]))) == 0.0
    elsewhere = np.ones((2, len(COUNTRIES)), dtype=bool)
    elsewhere[0, GB] = False
    assert ask(hand_made(title_in_country=elsewhere)) == 0.0


def test_arguments_broadcast_to_the_elementwise_answer(service: SimulatedService) -> None:
    world = service.world
    users, titles = world.user_ids[:3], world.title_ids[:5]
    at = np.array(float(world.end_us))
    grid = world.play_probability(users[:, None], titles[None, :], at, np.array("web"))
    assert grid.shape == (3, 5)
    one = world.play_probability(users[2], titles[4], at, np.array("web"))
    assert one.shape == ()
    assert grid[2, 4] == one


@pytest.mark.parametrize(
    ("user", "title", "device", "named"),
    [("nobody", "t1", "tv", "nobody"), ("m1", "t9", "tv", "t9"), ("m1", "t1", "radio", "radio")],
)
def test_unknown_names_are_named(user: str, title: str, device: str, named: str) -> None:
    with pytest.raises(KeyError, match=named):
        hand_made().play_probability(np.array(user), np.array(title), np.array(0.0), np.array(device))


def test_an_unknown_device_has_its_own_code() -> None:
    assert device_codes(np.array(["tv", "", "web"])).tolist() == [0, 4, 3]


def test_a_saved_world_is_the_same_world(service: SimulatedService, tmp_path: Path) -> None:
    service.world.save(tmp_path / "truth")
    loaded = World.load(tmp_path / "truth")
    for field in dataclasses.fields(World):
        saved, read = getattr(service.world, field.name), getattr(loaded, field.name)
        assert np.array_equal(saved, read), field.name
        assert np.asarray(saved).dtype == np.asarray(read).dtype, field.name
    assert sorted(p.name for p in (tmp_path / "truth").iterdir()) == ["world.json", "world.npz"]


def test_a_missing_or_foreign_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="simulate"):
        World.load(tmp_path)
    (tmp_path / "world.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(ValueError, match="format"):
        World.load(tmp_path)


def test_members_play_by_the_truth_that_can_be_asked(
    service: SimulatedService, config: SimulationConfig
) -> None:
    """Plays are a sum of independent Bernoulli draws, so they lie within 4 standard deviations."""
    shown = service.impressions.to_pandas()
    at = shown[s.EVENT_TIMESTAMP].astype("int64").to_numpy() / 1_000.0
    if shown[s.EVENT_TIMESTAMP].dt.unit == "us":
        at *= 1_000.0
    columns = (shown[name].to_numpy(dtype=str) for name in (s.USER_ID, s.TITLE_ID, s.DEVICE_TYPE))
    user, title, device = columns
    truth = service.world.play_probability(user, title, at, device)
    place = examination_probability(config)[shown[s.ROW_INDEX] - 1, shown[s.POSITION] - 1]
    expected = truth * place
    played = shown[s.PLAYED].to_numpy()
    for part in np.array_split(np.argsort(truth, kind="stable"), 5):
        deviation = np.sqrt((expected[part] * (1 - expected[part])).sum())
        assert abs(played[part].sum() - expected[part].sum()) < 4 * deviation
