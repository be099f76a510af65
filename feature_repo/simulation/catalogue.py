"""The simulated catalogue: what the service knows about its titles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.vocabulary import (
    ADULT_GENRES,
    CATALOGUE_LANGUAGE_SHARES,
    COUNTRIES,
    EPISODIC_GENRES,
    GENRE_SHARES,
    LANGUAGES,
    SCENE_WORDS,
    SHORT_GENRES,
    YOUNG_GENRES,
)
from feature_repo.simulation.writing import write_casts, write_names, write_synopses
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY

_GENRE_WEIGHTS: Final = (1.0, 0.7, 0.5)
_RUNTIME_MEANS: Final = np.array([108.0, 44.0, 13.0])
_RUNTIME_SPREADS: Final = np.array([18.0, 11.0, 5.0])
_CATALOGUE_AGE_DAYS: Final = 700.0


@dataclass(frozen=True, slots=True)
class Catalogue:
    """T titles as arrays; codes are places in schema.GENRES, schema.TITLE_TYPES, LANGUAGES, COUNTRIES."""

    title_ids: NDArray[np.str_]
    genres: NDArray[np.int64]
    """(T, 3) codes, -1 where a title has fewer genres."""
    scenes: NDArray[np.int64]
    franchises: NDArray[np.int64]
    """-1: belongs to none."""
    types: NDArray[np.int64]
    runtime_minutes: NDArray[np.float32]
    languages: NDArray[np.int64]
    maturity: NDArray[np.int64]
    in_country: NDArray[np.bool_]
    """(T, countries)."""
    available_us: NDArray[np.int64]
    known_us: NDArray[np.int64]
    names: list[str]
    casts: list[list[str]]
    synopses: list[str]
    release_years: NDArray[np.int64]

    @property
    def genre_weights(self) -> NDArray[np.float32]:
        """(T, 30) rows of unit length; the first genre weighs most."""
        weights = np.zeros((len(self.title_ids), len(s.GENRES)), dtype=np.float32)
        for place, weight in enumerate(_GENRE_WEIGHTS):
            titles = np.flatnonzero(self.genres[:, place] >= 0)
            weights[titles, self.genres[titles, place]] = weight
        unit: NDArray[np.float32] = weights / np.linalg.norm(weights, axis=1, keepdims=True)
        return unit

    @property
    def table(self) -> pa.Table:
        """The catalogue as rows of schema.TITLES."""
        values = {
            s.TITLE_ID: self.title_ids,
            s.NAME: self.names,
            s.RELEASE_YEAR: self.release_years,
            s.RUNTIME_MINUTES: self.runtime_minutes,
            s.TITLE_TYPE: np.array(s.TITLE_TYPES)[self.types],
            s.MATURITY_LEVEL: self.maturity,
            s.ORIGINAL_LANGUAGE: np.array(LANGUAGES)[self.languages],
            s.GENRE_NAMES: [[s.GENRES[code] for code in row if code >= 0] for row in self.genres.tolist()],
            s.CAST: self.casts,
            s.SYNOPSIS: self.synopses,
            s.FRANCHISE_ID: [None if f < 0 else f"f{f + 1:05d}" for f in self.franchises.tolist()],
            s.COUNTRIES: _country_codes(self.in_country),
            s.AVAILABLE_SINCE: self.available_us,
            s.EVENT_TIMESTAMP: self.known_us,
        }
        schema = s.TITLES.arrow_schema
        return pa.table([pa.array(values[field.name], field.type) for field in schema], schema=schema)


def make_catalogue(
    config: SimulationConfig, start_us: int, end_us: int, rng: np.random.Generator
) -> Catalogue:
    """Draw the catalogue of a window; instants are microseconds since 1970 UTC."""
    franchises, leaders = _draw_franchises(config, rng)
    genres = _draw_genres(config.titles, rng)[leaders]
    scenes = rng.integers(len(SCENE_WORDS), size=config.titles)[leaders]
    types = _draw_types(genres[:, 0], rng)[leaders]
    languages = _draw_languages(genres, rng)[leaders]
    runtime = rng.normal(_RUNTIME_MEANS[types], _RUNTIME_SPREADS[types]).clip(3.0, 240.0).round()
    maturity = _draw_maturity(genres, rng)[leaders]
    in_country = _draw_countries(config, languages, rng)
    available_us, known_us = _draw_arrivals(config, start_us, end_us, rng)
    return Catalogue(
        title_ids=np.array([f"t{number:06d}" for number in range(1, config.titles + 1)]),
        genres=genres,
        scenes=scenes,
        franchises=franchises,
        types=types,
        runtime_minutes=runtime.astype(np.float32),
        languages=languages,
        maturity=maturity,
        in_country=in_country,
        available_us=available_us,
        known_us=known_us,
        names=write_names(genres, franchises, leaders, rng),
        casts=write_casts(genres, scenes, rng),
        synopses=write_synopses(genres, scenes, rng),
        release_years=_draw_release_years(available_us, rng),
    )


def _draw_franchises(
    config: SimulationConfig, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the franchise of each title (-1: none) and the title whose traits it shares."""
    count = int(config.titles * config.franchise_share)
    chosen = rng.permutation(config.titles)[: count if count > 1 else 0]
    sizes = rng.integers(2, 7, size=len(chosen))
    numbers = np.repeat(np.arange(len(chosen)), sizes)[: len(chosen)]
    # Where the last franchise was cut to one title, that title joins the franchise before.
    numbers[-1:] = numbers[-2:-1]
    franchises = np.full(config.titles, -1)
    franchises[chosen] = numbers
    leaders = np.arange(config.titles)
    first = np.searchsorted(numbers, numbers)
    leaders[chosen] = chosen[first]
    return franchises, leaders


def _draw_genres(titles: int, rng: np.random.Generator) -> NDArray[np.int64]:
    shares = np.array([GENRE_SHARES[g] for g in s.GENRES], dtype=np.float64)
    genres = rng.choice(len(s.GENRES), size=(titles, 3), p=shares / shares.sum())
    count = rng.choice([1, 2, 3], size=titles, p=[0.3, 0.45, 0.25])
    genres[(count < 2) | (genres[:, 1] == genres[:, 0]), 1] = -1
    repeated = (genres[:, 2] == genres[:, 0]) | (genres[:, 2] == genres[:, 1])
    genres[(count < 3) | repeated | (genres[:, 1] < 0), 2] = -1
    return genres


def _is_any(genres: NDArray[np.int64], names: tuple[str, ...]) -> NDArray[np.bool_]:
    return np.isin(genres, [s.GENRES.index(name) for name in names])


def _draw_types(first_genre: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    movie = np.where(_is_any(first_genre, EPISODIC_GENRES), 0.1, 0.55)
    short = np.where(_is_any(first_genre, SHORT_GENRES), 0.22, 0.05)
    draw = rng.random(len(first_genre))
    return np.where(draw < movie, 0, np.where(draw < movie + short, 2, 1))


def _draw_languages(genres: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    languages = rng.choice(len(LANGUAGES), size=len(genres), p=CATALOGUE_LANGUAGE_SHARES)
    anime = _is_any(genres, ("Anime",)).any(axis=1)
    return np.where(anime & (rng.random(len(genres)) < 0.85), LANGUAGES.index("ja"), languages)


def _draw_maturity(genres: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    levels = np.array(s.MATURITY_LEVELS)
    place = rng.choice(len(levels), size=len(genres), p=[0.1, 0.2, 0.35, 0.25, 0.1])
    place = np.where(_is_any(genres, ADULT_GENRES).any(axis=1), np.maximum(place, 3), place)
    place = np.where(_is_any(genres, YOUNG_GENRES).any(axis=1), np.minimum(place, 1), place)
    chosen: NDArray[np.int64] = levels[place]
    return chosen


def _draw_countries(
    config: SimulationConfig, languages: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """A title that is not shown worldwide is shown where its language is spoken and in half the rest."""
    spoken = np.array([[country.language == language for country in COUNTRIES] for language in LANGUAGES])
    worldwide = rng.random((config.titles, 1)) < config.worldwide_share
    elsewhere = rng.random((config.titles, len(COUNTRIES))) < 0.5
    return np.asarray(worldwide | spoken[languages] | elsewhere)


def _draw_arrivals(
    config: SimulationConfig, start_us: int, end_us: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when each title became available, and when its metadata became known."""
    age_days = rng.exponential(_CATALOGUE_AGE_DAYS, config.titles).clip(1.0, 3_650.0)
    available = start_us - (age_days * MICROSECONDS_PER_DAY).astype(np.int64)
    known = np.full(config.titles, start_us - MICROSECONDS_PER_DAY)
    count = round(config.titles * config.arriving_title_share)
    arriving = rng.permutation(config.titles)[:count]
    available[arriving] = rng.integers(start_us, end_us, size=count)
    known[arriving] = np.maximum(available[arriving] - 3 * MICROSECONDS_PER_DAY, known[arriving])
    return available, known


def _draw_release_years(available_us: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    years = available_us.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970
    age = rng.exponential(6.0, len(years)).astype(np.int64)
    released: NDArray[np.int64] = np.maximum(years - age, 1950)
    return released


def _country_codes(in_country: NDArray[np.bool_]) -> list[list[str] | None]:
    codes = [country.code for country in COUNTRIES]
    return [
        None if all(row) else [code for code, shown in zip(codes, row, strict=True) if shown]
        for row in in_country.tolist()
    ]
