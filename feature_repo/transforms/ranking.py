"""The ranker's input: one row of numbers per (member, title, context).

The same function makes training rows (n members, n titles, n contexts) and a request's candidates
(one member, 500 titles, one context): every argument broadcasts along its first axis. Elapsed times
come from the request's clock, never from a stored duration.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.decay import (
    MICROSECONDS_PER_DAY,
    MICROSECONDS_PER_HOUR,
    TRENDING_TIME_CONSTANT_DAYS,
    VELOCITY_TIME_CONSTANT_DAYS,
    decay_factor,
)
from feature_repo.transforms.encoding import Arrays

MEMBER_INPUTS: Final = (
    s.GENRE_PREFERENCE, s.MEAN_SESSION_MINUTES, s.LAST_WATCHED_AT, s.PREFERRED_DEVICE,
    s.PREFERRED_HOUR, s.WATCH_VELOCITY, s.WATCH_COUNT, s.LANGUAGE, s.USER_EMBEDDING,
    s.SESSION_COMPLETION, s.SESSION_MINUTES, s.SESSION_DEVICE, s.SESSION_WATCHED_AT, s.SESSION_GENRES,
)  # fmt: skip
TITLE_INPUTS: Final = (
    s.GENRE_VECTOR, s.RELEASE_YEAR, s.RUNTIME_MINUTES, s.TITLE_TYPE, s.MATURITY_LEVEL, s.ORIGINAL_LANGUAGE,
    s.AVAILABLE_SINCE, s.VIEW_COUNT, s.MEAN_COMPLETION, s.DECAYED_PLAYS, s.DECAYED_PLAYS_AT,
    s.PLAY_RATE, s.TITLE_EMBEDDING,
)  # fmt: skip
CONTEXT_INPUTS: Final = (
    s.REQUEST_TIMESTAMP, s.DEVICE_TYPE, s.TWO_TOWER_SCORE, s.ROW_INDEX, s.POSITION,
)  # fmt: skip
"""The request's clock and device, what retrieval found, and the place: these belong to no entity."""
FIRST_PLACE: Final[Arrays] = {
    s.ROW_INDEX: np.ones(1, dtype=np.float32), s.POSITION: np.ones(1, dtype=np.float32),
}  # fmt: skip
"""Where every title is imagined to stand while titles are ranked.

A tile further down is looked at less often, so that fewer plays follow from it whatever it shows. Training
tells the ranker where each tile stood, so that it need not credit the title with the place; all titles that
are compared then get the same one. (Ling et al., "Model Ensemble for Click Prediction in Bing Search Ads",
WWW 2017 Companion; Zhao et al., "Recommending What Video to Watch Next", RecSys 2019.)
"""

PLACE_FEATURES: Final = ("shown_row", "shown_position")
RANKING_FEATURES: Final = (
    "request_hour", "request_weekday", "device_code",
    "mean_session_minutes", "days_since_last_watch", "watch_velocity_now", "log_watch_count",
    "hours_from_preferred_hour", "device_is_preferred",
    "hours_since_session_watch", "session_completion", "session_minutes", "device_is_session_device",
    "title_age_years", "days_since_available", "runtime_minutes", "title_type_code", "maturity_level",
    "log_view_count", "mean_completion", "play_rate", "log_decayed_plays_now",
    "genre_affinity", "strongest_genre_affinity", "session_genre_affinity", "language_match",
    "runtime_to_session_ratio",
    "als_score", "als_cosine", "user_embedding_norm", "title_embedding_norm", "two_tower_cosine",
    *PLACE_FEATURES,
    *(f"genre_{g.lower().replace(' & ', '_').replace(' ', '_').replace('-', '_')}" for g in s.GENRES),
)  # fmt: skip
"""The columns of :func:`ranking_features`, in order."""

RANKING_FEATURES_HASH: Final = hashlib.sha256("\n".join(RANKING_FEATURES).encode()).hexdigest()
"""Travels in every bundle: a ranker is only served by code that computes its very columns."""


def ranking_features(member: Arrays, titles: Arrays, context: Arrays) -> NDArray[np.float32]:
    """Return the ranker's matrix, float32, (rows, len(RANKING_FEATURES)); NaN where unknown.

    ``member`` holds MEMBER_INPUTS, ``titles`` TITLE_INPUTS, ``context`` CONTEXT_INPUTS, all as
    :func:`feature_repo.transforms.encoding.encode` makes them (``request_timestamp``: float64
    microseconds since 1970 UTC; ``two_tower_score``: float32, the inner product of the member's and the
    title's two-tower vectors, of unit length; ``row_index`` and ``position``: float32, from 1, where the tile
    stood, :data:`FIRST_PLACE` where titles are to be compared). Each array has n rows or one row. Logarithms
    are ``log1p``.
    Raises ``KeyError`` for a missing input and ``ValueError`` where row counts do not broadcast.
    """
    rows = _broadcast_rows(member, titles, context)
    columns = _context_columns(context) | _member_columns(member, context)
    columns |= _title_columns(titles, context) | _cross_columns(member, titles)
    matrix = np.empty((rows, len(RANKING_FEATURES)), dtype=np.float32)
    for place, name in enumerate(RANKING_FEATURES[: -len(s.GENRES)]):
        matrix[:, place] = columns[name]
    matrix[:, -len(s.GENRES) :] = titles[s.GENRE_VECTOR]
    # A NaN's sign depends on how many rows the processor took at a time: one NaN for all.
    np.copyto(matrix, np.nan, where=np.isnan(matrix))
    return matrix


def at_place(matrix: NDArray[np.float32], row: int = 1, position: int = 1) -> NDArray[np.float32]:
    """Return a copy of a :func:`ranking_features` matrix with every title at one place, from 1."""
    moved = matrix.copy()
    for name, value in zip(PLACE_FEATURES, (row, position), strict=True):
        moved[:, RANKING_FEATURES.index(name)] = value
    return moved


def _broadcast_rows(*sides: Arrays) -> int:
    lengths = {len(array) for side in sides for array in side.values()}
    many = lengths - {1}
    if len(many) > 1:
        raise ValueError(f"row counts do not broadcast: {sorted(lengths)}")
    return many.pop() if many else 1


def _code(values: NDArray[Any], vocabulary: tuple[str, ...]) -> NDArray[np.float64]:
    codes = np.full(values.shape, np.nan)
    for code, word in enumerate(vocabulary):
        codes[values == word] = code
    return codes


def _both_known_and_equal(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    return np.where((a == "") | (b == ""), np.nan, (a == b).astype(np.float64))


def _context_columns(context: Arrays) -> Arrays:
    now = context[s.REQUEST_TIMESTAMP]
    day = np.floor(now / MICROSECONDS_PER_DAY)
    return {
        "request_hour": np.floor(now / MICROSECONDS_PER_HOUR) % 24,
        "request_weekday": (day + 3) % 7,  # 1970-01-01 was a Thursday; Monday is 0
        "device_code": _code(context[s.DEVICE_TYPE], s.DEVICES),
        "two_tower_cosine": context[s.TWO_TOWER_SCORE],
        "shown_row": context[s.ROW_INDEX],
        "shown_position": context[s.POSITION],
    }


def _member_columns(member: Arrays, context: Arrays) -> Arrays:
    now = context[s.REQUEST_TIMESTAMP]
    # The session knows of the hour that the snapshot does not know of yet.
    elapsed = now - np.fmax(member[s.LAST_WATCHED_AT], member[s.SESSION_WATCHED_AT])
    since_snapshot = now - member[s.LAST_WATCHED_AT]
    hour = np.floor(now / MICROSECONDS_PER_HOUR) % 24
    apart = np.abs(hour - member[s.PREFERRED_HOUR])
    return {
        "mean_session_minutes": member[s.MEAN_SESSION_MINUTES],
        "days_since_last_watch": elapsed / MICROSECONDS_PER_DAY,
        "watch_velocity_now": member[s.WATCH_VELOCITY]
        * decay_factor(since_snapshot, VELOCITY_TIME_CONSTANT_DAYS),
        "log_watch_count": np.log1p(member[s.WATCH_COUNT]),
        "hours_from_preferred_hour": np.minimum(apart, 24 - apart),
        "device_is_preferred": _both_known_and_equal(context[s.DEVICE_TYPE], member[s.PREFERRED_DEVICE]),
        "hours_since_session_watch": (now - member[s.SESSION_WATCHED_AT]) / MICROSECONDS_PER_HOUR,
        "session_completion": member[s.SESSION_COMPLETION],
        "session_minutes": member[s.SESSION_MINUTES],
        "device_is_session_device": _both_known_and_equal(context[s.DEVICE_TYPE], member[s.SESSION_DEVICE]),
    }


def _title_columns(titles: Arrays, context: Arrays) -> Arrays:
    now = context[s.REQUEST_TIMESTAMP]
    year = 1970 + now / (365.2425 * MICROSECONDS_PER_DAY)
    fading = decay_factor(now - titles[s.DECAYED_PLAYS_AT], TRENDING_TIME_CONSTANT_DAYS)
    return {
        "title_age_years": year - titles[s.RELEASE_YEAR],
        "days_since_available": (now - titles[s.AVAILABLE_SINCE]) / MICROSECONDS_PER_DAY,
        "runtime_minutes": titles[s.RUNTIME_MINUTES],
        "title_type_code": _code(titles[s.TITLE_TYPE], s.TITLE_TYPES),
        "maturity_level": titles[s.MATURITY_LEVEL],
        "log_view_count": np.log1p(titles[s.VIEW_COUNT]),
        "mean_completion": titles[s.MEAN_COMPLETION],
        "play_rate": titles[s.PLAY_RATE],
        "log_decayed_plays_now": np.log1p(titles[s.DECAYED_PLAYS] * fading),
    }


def _cross_columns(member: Arrays, titles: Arrays) -> Arrays:
    # Products are summed along the last axis of a fresh array in C order, not by a matrix product: the
    # order of additions then depends neither on the number of rows nor on how the inputs lie in memory,
    # and serving equals training bit for bit.
    shared = np.multiply(member[s.GENRE_PREFERENCE], titles[s.GENRE_VECTOR], order="C")
    of_session = np.multiply(member[s.SESSION_GENRES], titles[s.GENRE_VECTOR], order="C")
    score = np.multiply(member[s.USER_EMBEDDING], titles[s.TITLE_EMBEDDING], order="C").sum(axis=-1)
    user_norm = np.sqrt(np.square(member[s.USER_EMBEDDING], order="C").sum(axis=-1))
    title_norm = np.sqrt(np.square(titles[s.TITLE_EMBEDDING], order="C").sum(axis=-1))
    norms = user_norm * title_norm
    session = member[s.MEAN_SESSION_MINUTES]
    return {
        "genre_affinity": shared.sum(axis=-1),
        "strongest_genre_affinity": shared.max(axis=-1),
        "session_genre_affinity": of_session.sum(axis=-1),
        "language_match": _both_known_and_equal(titles[s.ORIGINAL_LANGUAGE], member[s.LANGUAGE]),
        "runtime_to_session_ratio": titles[s.RUNTIME_MINUTES] / np.where(session > 0, session, np.nan),
        "als_score": score,
        "als_cosine": score / np.where(norms > 0, norms, np.nan),
        "user_embedding_norm": user_norm,
        "title_embedding_norm": title_norm,
    }
