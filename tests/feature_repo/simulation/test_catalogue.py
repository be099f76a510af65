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
