"""Two towers: a member's taste and a title's content as unit vectors whose inner product says how they fit.

The functions use only what numpy arrays and torch tensors share, so that the very same code is trained,
evaluated and served; a server needs no torch. A tower's weights are arrays by name, see TOWER_SHAPES.

Member: the weighted mean of the history's embeddings (a learned one per title) beside device, hour and
weekday, through two layers (Covington, Adams, Sargin, "Deep Neural Networks for YouTube Recommendations",
RecSys 2016, section 3). Title: genres, cast, synopsis, language and year, through two layers, so that a
title nobody has watched has a vector like any other.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.calendar import HOURS_PER_DAY
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR
from feature_repo.transforms.encoding import Arrays

LANGUAGES: Final = (
    "ar", "bn", "cn", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it",
    "ja", "ko", "ml", "nl", "no", "pl", "pt", "ro", "ru", "sv", "ta", "te", "th", "tr", "uk", "vi", "zh",
)  # fmt: skip
"""ISO 639-1 codes with a dimension of their own; every other known language shares one."""
HISTORY_DIMENSIONS: Final = 128
HIDDEN_DIMENSIONS: Final = 256
_WEEKDAYS: Final = 7
_YEAR_SCALE: Final = 20.0
_RECENT_YEAR: Final = 2000.0
TITLE_INPUT_DIMENSIONS: Final = (
    len(s.GENRES) + s.CAST_DIMENSIONS + s.SYNOPSIS_DIMENSIONS + len(LANGUAGES) + 1 + 2
)
CONTEXT_INPUT_DIMENSIONS: Final = len(s.DEVICES) + 1 + HOURS_PER_DAY + _WEEKDAYS

TowerWeights = dict[str, Any]
"""Weight name to array: numpy's or torch's, float32."""
TOWER_SHAPES: Final[dict[str, tuple[str | int, ...]]] = {
    "history": ("titles", HISTORY_DIMENSIONS),
    "user_hidden": (HISTORY_DIMENSIONS + CONTEXT_INPUT_DIMENSIONS, HIDDEN_DIMENSIONS),
    "user_hidden_bias": (HIDDEN_DIMENSIONS,),
    "user_out": (HIDDEN_DIMENSIONS, s.TWO_TOWER_DIMENSIONS),
    "user_out_bias": (s.TWO_TOWER_DIMENSIONS,),
    "title_hidden": (TITLE_INPUT_DIMENSIONS, HIDDEN_DIMENSIONS),
    "title_hidden_bias": (HIDDEN_DIMENSIONS,),
    "title_out": (HIDDEN_DIMENSIONS, s.TWO_TOWER_DIMENSIONS),
    "title_out_bias": (s.TWO_TOWER_DIMENSIONS,),
}
_TINY: Final = 1e-12


def item_tower(weights: TowerWeights, inputs: Any) -> Any:
    """Return titles' vectors, (n, 256) of unit length, from their :func:`title_inputs`."""
    hidden = (inputs @ weights["title_hidden"] + weights["title_hidden_bias"]).clip(min=0.0)
    return _unit(hidden @ weights["title_out"] + weights["title_out_bias"])


def user_tower(weights: TowerWeights, history: Any, mask: Any, context: Any) -> Any:
    """Return members' vectors, (n, 256) of unit length.

    ``history`` (n, h) holds rows of the history table (any valid row where the mask is 0), ``mask`` (n, h)
    their weights >= 0, ``context`` :func:`context_inputs` (n, CONTEXT_INPUT_DIMENSIONS). An empty history
    is the zero vector.
    """
    return user_tower_of_mean(weights, history_mean(weights, history, mask), context)


def history_mean(weights: TowerWeights, history: Any, mask: Any) -> Any:
    """Return the weighted mean of the history's embeddings, (n, HISTORY_DIMENSIONS)."""
    total = (weights["history"][history] * mask[:, :, None]).sum(1)
    return total / mask.sum(1)[:, None].clip(min=_TINY)


def user_tower_of_mean(weights: TowerWeights, mean: Any, context: Any) -> Any:
    """Return members' vectors, (n, 256), from the mean of their history."""
    split = mean.shape[1]
    hidden = mean @ weights["user_hidden"][:split] + context @ weights["user_hidden"][split:]
    hidden = (hidden + weights["user_hidden_bias"]).clip(min=0.0)
    return _unit(hidden @ weights["user_out"] + weights["user_out_bias"])


def _unit(vectors: Any) -> Any:
    return vectors / ((vectors * vectors).sum(1)[:, None] + _TINY) ** 0.5


def title_inputs(titles: Arrays) -> NDArray[np.float32]:
    """Return what the item tower reads, float32 (n, TITLE_INPUT_DIMENSIONS), from encoded feature columns.

    ``titles`` holds GENRE_VECTOR, CAST_VECTOR, SYNOPSIS_EMBEDDING, ORIGINAL_LANGUAGE and RELEASE_YEAR, n rows
    each. What is unknown is 0.
    """
    languages, years = titles[s.ORIGINAL_LANGUAGE], titles[s.RELEASE_YEAR]
    one_hot = _one_hot(languages, LANGUAGES)
    other = (languages != "") & ~one_hot.any(axis=1)
    known = np.isfinite(years)
    year = np.where(known, (np.nan_to_num(years) - _RECENT_YEAR) / _YEAR_SCALE, 0.0)
    parts = (
        np.nan_to_num(titles[s.GENRE_VECTOR]), _unit_or_zero(titles[s.CAST_VECTOR]),
        np.nan_to_num(titles[s.SYNOPSIS_EMBEDDING]), one_hot, other[:, None], year[:, None], known[:, None],
    )  # fmt: skip
    return np.concatenate(parts, axis=1).astype(np.float32)


def context_inputs(
    request_timestamp: NDArray[np.float64], device_type: NDArray[np.str_]
) -> NDArray[np.float32]:
    """Return device, hour and weekday (UTC) one-hot, float32 (n, CONTEXT_INPUT_DIMENSIONS).

    ``request_timestamp`` in microseconds since 1970 UTC; a device that is not in DEVICES counts as unknown.
    """
    devices = _one_hot(device_type, s.DEVICES)
    hour = np.floor(request_timestamp / MICROSECONDS_PER_HOUR) % HOURS_PER_DAY
    weekday = (np.floor(request_timestamp / MICROSECONDS_PER_DAY) + 3) % _WEEKDAYS  # 1970 began on a Thursday
    parts = (
        devices, ~devices.any(axis=1, keepdims=True),
        hour[:, None] == np.arange(HOURS_PER_DAY), weekday[:, None] == np.arange(_WEEKDAYS),
    )  # fmt: skip
    return np.concatenate(parts, axis=1).astype(np.float32)


def history_weights(fractions: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return how much each title of a history counts: what was watched further counts more.

    ``fractions`` are 0 to 1, NaN for an empty place, which counts 0. A title left at once still counts a
    tenth: it was chosen.
    """
    watched = np.asarray(fractions, dtype=np.float32)
    return np.where(np.isnan(watched), np.float32(0), np.float32(0.1) + np.float32(0.9) * watched)


def _one_hot(values: NDArray[np.str_], vocabulary: tuple[str, ...]) -> NDArray[np.bool_]:
    hot: NDArray[np.bool_] = values[:, None] == np.array(vocabulary)
    return hot


def _unit_or_zero(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    known = np.nan_to_num(vectors)
    lengths = np.linalg.norm(known, axis=1, keepdims=True)
    return np.asarray(known / np.where(lengths > 0, lengths, 1), dtype=np.float32)
