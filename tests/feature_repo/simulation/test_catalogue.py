from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from feature_repo import schema as s
from feature_repo.simulation.catalogue import make_catalogue
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.vocabulary import COUNTRIES, GENRE_SHARES, GENRE_WORDS

DAY = 86_400_000_000
START, END = 20_000 * DAY, 20_028 * DAY
CONFIG = SimulationConfig(titles=1_000, arriving_title_share=0.03)
CATALOGUE = make_catalogue(CONFIG, START, END, np.random.default_rng(4))


def test_the_vocabulary_covers_every_genre() -> None:
    assert set(GENRE_WORDS) == set(GENRE_SHARES) == set(s.GENRES)


def test_genre_vectors_have_unit_length_and_weigh_the_first_genre_most() -> None:
    weights = CATALOGUE.genre_weights
    assert np.linalg.norm(weights, axis=1) == pytest.approx(np.ones(1_000), abs=1e-6)
    assert (weights.argmax(axis=1) == CATALOGUE.genres[:, 0]).all()


def test_genres_of_a_title_are_distinct() -> None:
    assert all(len(set(names)) == len(names) > 0 for names in CATALOGUE.table[s.GENRE_NAMES].to_pylist())


def test_the_configured_share_arrives_and_is_announced_before() -> None:
    arriving = CATALOGUE.available_us >= START
    assert arriving.sum() == 30
    assert (CATALOGUE.available_us < END).all()
    assert (CATALOGUE.known_us[arriving] <= CATALOGUE.available_us[arriving]).all()
    assert (CATALOGUE.known_us >= START - DAY).all()


def test_titles_are_released_before_they_become_available() -> None:
    table = CATALOGUE.table.to_pandas()
    assert (table[s.RELEASE_YEAR] <= table[s.AVAILABLE_SINCE].dt.year).all()


def test_the_parts_of_a_franchise_share_genres_language_and_name() -> None:
    table = CATALOGUE.table.to_pandas().dropna(subset=s.FRANCHISE_ID)
    assert len(table) == 120
    for _, parts in table.groupby(s.FRANCHISE_ID):
        assert parts[s.GENRE_NAMES].map(tuple).nunique() == 1
        assert parts[s.ORIGINAL_LANGUAGE].nunique() == 1
        assert parts[s.NAME].str.split(":").str[0].nunique() == 1


def test_a_title_is_shown_where_its_language_is_spoken() -> None:
    table = CATALOGUE.table.to_pandas()
    regional = table.dropna(subset=s.COUNTRIES)
    assert 0 < len(regional) < 1_000 * (1 - CONFIG.worldwide_share) + 60
    for language, shown in zip(regional[s.ORIGINAL_LANGUAGE], regional[s.COUNTRIES], strict=True):
        assert {country.code for country in COUNTRIES if country.language == language} <= set(shown)


def test_shorts_are_shorter_than_episodes_and_episodes_than_movies() -> None:
    runtime = CATALOGUE.table.to_pandas().groupby(s.TITLE_TYPE)[s.RUNTIME_MINUTES].mean()
    assert runtime["short"] < 20 < runtime["series"] < 60 < runtime["movie"]


def test_children_are_shown_nothing_grim() -> None:
    table = CATALOGUE.table.to_pandas()
    young = table[s.GENRE_NAMES].map(lambda names: "Children" in names)
    assert table.loc[young, s.MATURITY_LEVEL].max() <= 7


def test_synopses_tell_titles_of_one_genre_from_others() -> None:
    vectors = TfidfVectorizer().fit_transform(CATALOGUE.synopses)
    similarity = np.asarray((vectors @ vectors.T).todense())
    first = CATALOGUE.genres[:, 0]
    same = first[:, None] == first[None, :]
    np.fill_diagonal(same, False)
    other = ~same & ~np.eye(1_000, dtype=bool)
    assert similarity[same].mean() > 1.5 * similarity[other].mean()


def test_titles_of_a_scene_share_people() -> None:
    casts = [set(cast) for cast in CATALOGUE.casts]
    rng = np.random.default_rng(0)
    shared: dict[bool, list[bool]] = {True: [], False: []}
    for a, b in rng.integers(1_000, size=(20_000, 2)):
        if a != b:
            shared[bool(CATALOGUE.scenes[a] == CATALOGUE.scenes[b])].append(bool(casts[a] & casts[b]))
    assert np.mean(shared[True]) > 3 * np.mean(shared[False])


def test_genres_are_written_in_the_schemas_words_one_to_three_of_them() -> None:
    names = CATALOGUE.table[s.GENRE_NAMES].to_pylist()
    assert {name for row in names for name in row} <= set(s.GENRES)
    assert {len(row) for row in names} == {1, 2, 3}


@pytest.mark.parametrize("seed", range(6))
def test_a_franchise_has_at_least_two_parts_and_at_most_seven(seed: int) -> None:
    franchises = make_catalogue(
        SimulationConfig(titles=200), START, END, np.random.default_rng(seed)
    ).franchises
    sizes = np.bincount(franchises[franchises >= 0])
    assert sizes.sum() == 24  # 12 percent of 200
    assert sizes.min() >= 2
    assert sizes.max() <= 7


@pytest.mark.parametrize(("share", "titles_in_one"), [(0.0, 0), (0.017, 0), (0.04, 2)])
def test_too_few_titles_for_a_franchise_make_none(share: float, titles_in_one: int) -> None:
    """Of 60 titles, 0, 1 and 2 are chosen."""
    config = SimulationConfig(titles=60, franchise_share=share)
    catalogue = make_catalogue(config, START, END, np.random.default_rng(4))
    assert (catalogue.franchises >= 0).sum() == titles_in_one


def test_the_parts_of_a_franchise_have_names_of_their_own() -> None:
    table = CATALOGUE.table.to_pandas().dropna(subset=s.FRANCHISE_ID)
    assert (table.groupby(s.FRANCHISE_ID)[s.NAME].nunique() == table.groupby(s.FRANCHISE_ID).size()).all()


@pytest.mark.parametrize(("share", "arriving"), [(0.0, 0), (1.0, 100)])
def test_none_or_all_of_the_titles_arrive_during_the_window(share: float, arriving: int) -> None:
    config = SimulationConfig(titles=100, arriving_title_share=share)
    available = make_catalogue(config, START, END, np.random.default_rng(4)).available_us
    assert ((available >= START) & (available < END)).sum() == arriving


def test_arrivals_are_announced_three_days_ahead_but_not_before_the_catalogue_is_known() -> None:
    arriving = CATALOGUE.available_us >= START
    ahead = CATALOGUE.available_us[arriving] - CATALOGUE.known_us[arriving]
    assert ahead.max() == 3 * DAY
    early = CATALOGUE.available_us[arriving] < START + 2 * DAY
    assert (CATALOGUE.known_us[arriving][early] == START - DAY).all()
    assert set(CATALOGUE.known_us[~arriving].tolist()) == {START - DAY}


def test_a_title_shown_in_every_country_lists_none_and_others_list_theirs() -> None:
    config = SimulationConfig(titles=100, worldwide_share=0.0)
    catalogue = make_catalogue(config, START, END, np.random.default_rng(4))
    everywhere = catalogue.in_country.all(axis=1)
    assert everywhere.sum() < 10
    known = [country.code for country in COUNTRIES]
    for shown, listed in zip(
        catalogue.in_country.tolist(), catalogue.table[s.COUNTRIES].to_pylist(), strict=True
    ):
        expected = [code for code, there in zip(known, shown, strict=True) if there]
        assert listed == (None if all(shown) else expected)


def test_a_service_that_shows_everything_everywhere_lists_no_country() -> None:
    config = SimulationConfig(titles=100, worldwide_share=1.0)
    table = make_catalogue(config, START, END, np.random.default_rng(4)).table
    assert table[s.COUNTRIES].null_count == 100


def test_most_anime_is_in_japanese() -> None:
    table = CATALOGUE.table.to_pandas()
    anime = table[s.GENRE_NAMES].map(lambda names: "Anime" in names)
    assert (table.loc[anime, s.ORIGINAL_LANGUAGE] == "ja").mean() > 0.7
    assert (table.loc[~anime, s.ORIGINAL_LANGUAGE] == "ja").mean() < 0.15


def test_the_same_generator_makes_the_same_catalogue() -> None:
    config = SimulationConfig(titles=80)
    first, second, other = (
        make_catalogue(config, START, END, np.random.default_rng(seed)).table for seed in (1, 1, 2)
    )
    assert first.equals(second)
    assert not first.equals(other)
