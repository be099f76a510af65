from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from feature_repo import schema as s
from feature_repo.simulation.catalogue import Catalogue
from feature_repo.simulation.history import Searches, Tiles
from feature_repo.simulation.members import NO_LIMIT
from feature_repo.simulation.sessions import Sessions
from feature_repo.simulation.viewing import Viewings, draw_viewings
from feature_repo.simulation.vocabulary import COUNTRIES, LANGUAGES
from feature_repo.simulation.world import DAYPARTS, World

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START, END = 20_000 * DAY, 20_010 * DAY
SAME_EVENING = START + 20 * HOUR
"""An end before anybody comes back on the next day."""
MOVIE, SERIES = s.TITLE_TYPES.index("movie"), s.TITLE_TYPES.index("series")
TV, MOBILE = s.DEVICES.index("tv"), s.DEVICES.index("mobile")
SURE = 100.0
"""A quality at which every viewing is finished; with a minus, given up."""
GB = [country.code for country in COUNTRIES].index("GB")
BASE = -0.7
"""Logit of finishing a title of quality 0 that nobody has a taste for."""


def catalogue(types: list[int], franchises: list[int] | None = None, runtime: float = 60.0) -> Catalogue:
    """Titles of which only type, franchise and running time matter."""
    count = len(types)
    nothing = np.zeros(count, dtype=np.int64)
    return Catalogue(
        title_ids=np.array([f"t{i}" for i in range(count)]),
        genres=np.tile([0, -1, -1], (count, 1)),
        scenes=nothing,
        franchises=np.array(franchises or [-1] * count),
        types=np.array(types),
        runtime_minutes=np.full(count, runtime, dtype=np.float32),
        languages=nothing,
        maturity=nothing,
        in_country=np.ones((count, len(COUNTRIES)), dtype=bool),
        available_us=nothing,
        known_us=nothing,
        names=["n"] * count,
        casts=[[]] * count,
        synopses=[""] * count,
        release_years=nothing + 2000,
    )


def world(
    titles: Catalogue, quality: float = SURE, taste: float = 0.0, end: int = END, **changes: Any
) -> World:
    """One British member whose taste logit for every title is ``taste``."""
    count = len(titles.title_ids)
    nothing = np.zeros(count, dtype=np.int64)
    tastes = np.full((1, len(s.GENRES)), taste, dtype=np.float32)
    values: dict[str, Any] = {
        "title_ids": titles.title_ids,
        "title_genres": titles.genre_weights,
        "title_residuals": np.zeros((count, 1), dtype=np.float32),
        "title_appeal": np.zeros(count, dtype=np.float32),
        "title_quality": np.full(count, quality, dtype=np.float32),
        "title_types": titles.types,
        "title_languages": nothing,
        "title_maturity": nothing,
        "title_in_country": titles.in_country,
        "title_available_us": nothing,
        "user_ids": np.array(["m1"]),
        "taste_start": tastes,
        "taste_finish": tastes,
        "user_residuals": np.zeros((1, 1), dtype=np.float32),
        "user_context_strength": np.ones(1, dtype=np.float32),
        "user_languages": np.zeros((1, len(LANGUAGES)), dtype=np.float32),
        "user_countries": np.array([GB]),
        "user_maturity_limits": np.array([NO_LIMIT]),
        "context_genres": np.zeros((len(s.DEVICES) + 1, len(DAYPARTS), len(s.GENRES)), dtype=np.float32),
        "context_types": np.zeros((len(s.DEVICES) + 1, len(DAYPARTS), 3), dtype=np.float32),
        "start_us": START,
        "end_us": end,
        "play_base": 0.0,
        "play_ceiling": 1.0,
        "freshness_strength": 0.0,
        "freshness_days": 1.0,
    }
    return World(**(values | changes))


def played(pages: list[list[int]]) -> Tiles:
    """Every tile of every page played; page i belongs to session i."""
    rows = np.repeat(np.arange(len(pages)), [len(page) for page in pages])
    titles = np.array([title for page in pages for title in page], dtype=np.int64)
    yes = np.ones(len(rows), dtype=bool)
    return Tiles(rows, titles, np.zeros_like(rows), np.ones(len(rows)), yes, yes)


def draw(
    truth: World,
    titles: Catalogue,
    pages: list[list[int]],
    device: int = TV,
    searches: Searches | None = None,
) -> tuple[Viewings, NDArray[np.float64]]:
    count = len(pages)
    sessions = Sessions(
        users=np.zeros(count, dtype=np.int64),
        started_us=np.full(count, START),
        devices=np.full(count, device),
        number=np.arange(count),
    )
    none = Searches(np.array([], dtype=np.int64), np.array([], dtype=np.int64))
    return draw_viewings(truth, titles, sessions, played(pages), searches or none, np.random.default_rng(12))


def assert_share(hits: NDArray[np.bool_], share: float) -> None:
    """Within four standard deviations of a binomial count."""
    deviation = np.sqrt(len(hits) * share * (1 - share))
    assert abs(hits.sum() - len(hits) * share) < 4 * deviation


def test_a_good_title_is_finished_and_a_bad_one_given_up() -> None:
    movies = catalogue([MOVIE])
    _, finished = draw(world(movies, SURE), movies, [[0]] * 500)
    _, given_up = draw(world(movies, -SURE), movies, [[0]] * 500)
    assert finished.min() >= 0.85
    assert finished.max() <= 1.0
    assert given_up.min() > 0.0
    assert given_up.max() < s.COMPLETION_FRACTION


def test_viewings_are_given_up_early_rather_than_late() -> None:
    """Beta(1, 2) has its mean at a third: 0.01 + 0.78 / 3 = 0.27."""
    movies = catalogue([MOVIE])
    _, given_up = draw(world(movies, -SURE), movies, [[0]] * 2_000)
    assert given_up.mean() == pytest.approx(0.27, abs=4 * 0.78 * np.sqrt(1 / 18 / 2_000))


@pytest.mark.parametrize(("quality", "taste"), [(0.0, 0.0), (1.0, 0.0), (0.0, 2.0), (-1.0, -2.0)])
def test_completion_follows_quality_and_taste(quality: float, taste: float) -> None:
    movies = catalogue([MOVIE])
    _, fractions = draw(world(movies, quality, taste), movies, [[0]] * 3_000)
    assert_share(fractions >= s.COMPLETION_FRACTION, float(expit(BASE + 0.7 * quality + 0.35 * taste)))


def test_each_viewing_of_a_session_tires() -> None:
    movies = catalogue([MOVIE, MOVIE, MOVIE])
    _, fractions = draw(world(movies, 0.0), movies, [[0, 1, 2]] * 3_000)
    finished = (fractions >= s.COMPLETION_FRACTION).reshape(-1, 3)
    for earlier in range(3):
        assert_share(finished[:, earlier], float(expit(BASE - 0.3 * earlier)))


@pytest.mark.parametrize(
    ("device", "hours", "lost"), [(TV, 2.0, 0.0), (MOBILE, 2.0, 1.6), (MOBILE, 0.25, 0.2)]
)
def test_long_titles_are_given_up_on_small_screens(device: int, hours: float, lost: float) -> None:
    movies = catalogue([MOVIE], runtime=60 * hours)
    _, fractions = draw(world(movies, 0.0), movies, [[0]] * 3_000, device)
    assert_share(fractions >= s.COMPLETION_FRACTION, float(expit(BASE - lost)))


def test_a_movie_on_its_own_is_watched_once_where_it_was_played() -> None:
    movies = catalogue([MOVIE, MOVIE])
    viewings, fractions = draw(world(movies), movies, [[0], [1]] * 200, MOBILE)
    assert viewings.titles.tolist() == [0, 1] * 200
    assert viewings.fractions.tolist() == fractions.tolist()
    assert set(viewings.devices.tolist()) == {MOBILE}
    assert set(viewings.users.tolist()) == {0}


def test_viewings_of_a_session_follow_one_another_after_two_minutes_of_browsing() -> None:
    movies = catalogue([MOVIE, MOVIE, MOVIE], runtime=90.0)
    viewings, fractions = draw(world(movies), movies, [[2, 0, 1]])
    assert viewings.titles.tolist() == [2, 0, 1]
    watched = fractions * 90 * MINUTE
    expected = START + 2 * MINUTE + np.array([0.0, watched[0], watched[0] + watched[1]])
    assert viewings.started_us == pytest.approx(expected, abs=2)


def test_each_session_has_a_clock_of_its_own() -> None:
    movies = catalogue([MOVIE])
    viewings, _ = draw(world(movies), movies, [[0]] * 50)
    assert set(viewings.started_us.tolist()) == {START + 2 * MINUTE}


def test_a_finished_episode_is_followed_by_the_next_half_of_the_time_and_at_most_four_times() -> None:
    """Episodes of a session: 1 + 1/2 + 1/4 + 1/8 + 1/16."""
    series = catalogue([SERIES])
    viewings, fractions = draw(world(series, end=SAME_EVENING), series, [[0]] * 2_000)
    assert len(fractions) == 2_000
    firsts = np.flatnonzero(viewings.started_us == START + 2 * MINUTE)
    episodes = np.diff(firsts, append=len(viewings.titles))
    assert len(firsts) == 2_000
    assert set(episodes.tolist()) == {1, 2, 3, 4, 5}
    for count, share in ((1, 0.5), (2, 0.25), (5, 0.0625)):
        assert_share(episodes == count, share)


def test_who_gives_an_episode_up_watches_no_other() -> None:
    series = catalogue([SERIES])
    viewings, _ = draw(world(series, -SURE), series, [[0]] * 300)
    assert len(viewings.titles) == 300


def test_a_finished_part_of_a_franchise_may_be_followed_by_the_next_part() -> None:
    """Title 1 belongs to no franchise, so part 0 is followed by part 2, and that by part 3."""
    parts = catalogue([MOVIE] * 4, [5, -1, 5, 5])
    viewings, _ = draw(world(parts), parts, [[0]] * 2_000)
    assert set(viewings.titles.tolist()) == {0, 2, 3}
    firsts = viewings.titles == 0
    assert firsts.sum() == 2_000
    assert_share(np.append(viewings.titles[1:], 0)[firsts] == 2, 0.2)
    before_the_third = viewings.titles[np.flatnonzero(viewings.titles == 3) - 1]
    assert set(before_the_third.tolist()) == {2}


def test_the_last_part_of_a_franchise_is_followed_by_nothing() -> None:
    parts = catalogue([MOVIE] * 3, [5, 5, 6])
    viewings, _ = draw(world(parts), parts, [[1]] * 200)
    assert viewings.titles.tolist() == [1] * 200


@pytest.mark.parametrize("why", ["country", "maturity", "not yet available"])
def test_a_next_part_that_may_not_be_shown_is_not_watched(why: str) -> None:
    parts = catalogue([MOVIE] * 2, [0, 0])
    shown = np.ones((2, len(COUNTRIES)), dtype=bool)
    shown[1, GB] = False
    limits: dict[str, dict[str, Any]] = {
        "country": {"title_in_country": shown},
        "maturity": {"title_maturity": np.array([0, 18]), "user_maturity_limits": np.array([16])},
        "not yet available": {"title_available_us": np.array([0, START + 1])},
    }
    viewings, _ = draw(world(parts, **limits[why]), parts, [[0]] * 300)
    assert viewings.titles.tolist() == [0] * 300


def test_a_finished_episode_brings_members_back_about_the_same_hour_on_the_next_days() -> None:
    series = catalogue([SERIES])
    viewings, _ = draw(world(series), series, [[0]] * 1_000)
    days = np.round((viewings.started_us - START - 2 * HOUR) / DAY).astype(int)
    assert set(days.tolist()) == {0, 1, 2, 3}
    today = days == 0
    assert_share(np.arange(today.sum()) < (days == 1).sum(), 0.45)
    hours = (viewings.started_us - START) / HOUR - 24 * days
    assert np.abs(hours[~today]).max() < 12
    assert (np.bincount(days)[:-1] > np.bincount(days)[1:]).all()


def test_nobody_comes_back_after_the_window() -> None:
    series = catalogue([SERIES])
    end = START + DAY + 6 * HOUR
    viewings, _ = draw(world(series, end=end), series, [[0]] * 500)
    assert (viewings.started_us > START + 12 * HOUR).any()
    assert viewings.started_us.max() < end


def test_movies_bring_nobody_back() -> None:
    movies = catalogue([MOVIE])
    viewings, _ = draw(world(movies), movies, [[0]] * 300)
    assert viewings.started_us.max() < START + HOUR


def test_what_was_searched_is_watched_but_is_no_tile() -> None:
    movies = catalogue([MOVIE, MOVIE])
    searched = Searches(np.array([1]), np.array([1]))
    viewings, fractions = draw(world(movies), movies, [[0], []], searches=searched)
    assert viewings.titles.tolist() == [0, 1]
    assert fractions.tolist() == [viewings.fractions[0]]


def test_without_a_play_there_is_no_viewing() -> None:
    movies = catalogue([MOVIE])
    viewings, fractions = draw(world(movies), movies, [[], []])
    assert len(viewings.titles) == len(fractions) == 0
