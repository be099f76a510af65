"""Draws the hidden tastes of a catalogue and its members."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.simulation.catalogue import Catalogue
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.members import NO_LIMIT, Members
from feature_repo.simulation.vocabulary import LANGUAGES, LONG_GENRES, SHORT_GENRES, YOUNG_GENRES
from feature_repo.simulation.world import DAYPARTS, World

_SCENE_SHARE: Final = 0.7
"""Share of the variance of a title's residual that its scene, and so its cast, explains."""
_QUALITY_IN_APPEAL: Final = 0.4
_TV, _MOBILE = s.DEVICES.index("tv"), s.DEVICES.index("mobile")
_EVENING = DAYPARTS.index("evening")
_DAY = slice(DAYPARTS.index("morning"), DAYPARTS.index("afternoon") + 1)


def make_world(
    config: SimulationConfig,
    catalogue: Catalogue,
    members: Members,
    start_us: int,
    end_us: int,
    rng: np.random.Generator,
) -> World:
    """Draw the truth of a window; instants are microseconds since 1970 UTC."""
    appeal = _draw_appeal(config, rng)
    taste_start = _draw_genre_tastes(config, members, rng)
    drift = rng.normal(0.0, config.drift_strength, taste_start.shape)
    title_residuals, user_residuals = _draw_residuals(config, catalogue, rng)
    context_genres, context_types = _draw_context(config, rng)
    return World(
        title_ids=catalogue.title_ids,
        title_genres=catalogue.genre_weights,
        title_residuals=title_residuals,
        title_appeal=appeal,
        title_quality=_draw_quality(appeal, rng),
        title_types=catalogue.types,
        title_languages=catalogue.languages,
        title_maturity=catalogue.maturity,
        title_in_country=catalogue.in_country,
        title_available_us=catalogue.available_us,
        user_ids=members.user_ids,
        taste_start=taste_start,
        taste_finish=(taste_start + drift).astype(np.float32),
        user_residuals=user_residuals,
        user_context_strength=rng.lognormal(0.0, 0.4, config.members).astype(np.float32),
        user_languages=_draw_language_affinity(config, members, rng),
        user_countries=members.countries,
        user_maturity_limits=members.maturity_limits,
        context_genres=context_genres,
        context_types=context_types,
        start_us=start_us,
        end_us=end_us,
        play_base=config.play_base,
        play_ceiling=config.play_ceiling,
        freshness_strength=config.freshness_strength,
        freshness_days=config.freshness_days,
    )


def _draw_appeal(config: SimulationConfig, rng: np.random.Generator) -> NDArray[np.float32]:
    """Zipf's law over a random ranking: appeal is -exponent * log(rank), centred."""
    rank = rng.permutation(config.titles) + 1
    log_rank = np.log(rank)
    appeal: NDArray[np.float32] = (config.appeal_exponent * (log_rank.mean() - log_rank)).astype(np.float32)
    return appeal


def _draw_quality(appeal: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    own = rng.normal(0.0, 1.0, len(appeal))
    standard = appeal / (appeal.std() or 1.0)
    quality = _QUALITY_IN_APPEAL * standard + np.sqrt(1 - _QUALITY_IN_APPEAL**2) * own
    return np.asarray(quality, dtype=np.float32)


def _draw_genre_tastes(
    config: SimulationConfig, members: Members, rng: np.random.Generator
) -> NDArray[np.float32]:
    tastes = rng.normal(0.0, config.genre_strength, (config.members, len(s.GENRES)))
    young = np.flatnonzero(members.maturity_limits < NO_LIMIT)
    liked = [s.GENRES.index(genre) for genre in YOUNG_GENRES]
    tastes[young[:, None], liked] += config.genre_strength
    return tastes.astype(np.float32)


def _draw_residuals(
    config: SimulationConfig, catalogue: Catalogue, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Titles of a scene lie around its centre; a franchise shares its scene, so it hangs together."""
    dimensions = config.residual_dimensions
    centres = rng.normal(size=(int(catalogue.scenes.max()) + 1, dimensions))
    own = rng.normal(size=(config.titles, dimensions))
    titles = np.sqrt(_SCENE_SHARE) * centres[catalogue.scenes] + np.sqrt(1 - _SCENE_SHARE) * own
    # The product of two standard normal vectors has variance `dimensions`: scale it to one.
    users = rng.normal(0.0, config.residual_strength / np.sqrt(dimensions), (config.members, dimensions))
    return titles.astype(np.float32), users.astype(np.float32)


def _draw_context(
    config: SimulationConfig, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Light and short on the phone by day, long and dramatic on television in the evening."""
    genres = rng.normal(0.0, 0.3, (len(s.DEVICES), len(DAYPARTS), len(s.GENRES)))
    types = rng.normal(0.0, 0.1, (len(s.DEVICES), len(DAYPARTS), len(s.TITLE_TYPES)))
    light = [s.GENRES.index(genre) for genre in SHORT_GENRES]
    heavy = [s.GENRES.index(genre) for genre in LONG_GENRES]
    genres[_MOBILE, _DAY, light] += 1.0
    genres[_MOBILE, _DAY, heavy] -= 0.6
    genres[_TV, _EVENING, heavy] += 0.8
    types[_MOBILE] += (-0.6, 0.1, 1.2)
    types[_TV] += (0.3, 0.1, -0.8)
    unknown_genres = np.concatenate([genres, genres.mean(axis=0, keepdims=True)])
    unknown_types = np.concatenate([types, types.mean(axis=0, keepdims=True)])
    strength = config.context_strength
    return (strength * unknown_genres).astype(np.float32), (strength * unknown_types).astype(np.float32)


def _draw_language_affinity(
    config: SimulationConfig, members: Members, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Own language up, English level, others down; some members are open to all of them."""
    openness = rng.beta(2.0, 2.0, (config.members, 1))
    affinity = np.repeat(-(1 - openness), len(LANGUAGES), axis=1)
    affinity[:, LANGUAGES.index("en")] = 0.0
    affinity[np.arange(config.members), members.languages] = 1.0
    return (config.language_strength * affinity).astype(np.float32)
