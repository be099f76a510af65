"""Names, casts and synopses, written so that text and cast tell something about taste.

Words come from the vocabularies of a title's genres and of its scene (a circle of film people), so
that TF-IDF and co-appearance find what members like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.simulation.vocabulary import (
    ADJECTIVES,
    FIRST_NAMES,
    GENRE_WORDS,
    LAST_NAMES,
    PART_NAMES,
    SCENE_WORDS,
)

_Item = TypeVar("_Item")

_CAST_SIZE: Final = 6
_SCENE_PEOPLE: Final = 60
_TEMPLATES: Final = (
    "When a {0} meets a {1}, the {2} of the {3} leads past {4} and {5} to one last {6}.",
    "After the {0}, only {1} and {2} remain; between {3} and {4} lies a {5} and a {6}.",
    "The {0} was only the beginning: a {1}, a {2}, and the {3} that ties {4} to {5} and {6}.",
    "Nobody speaks of the {0} until a {1} brings {2}, {3} and {4} back to the {5} by the {6}.",
)
_GENRE_WORDS_PER_SYNOPSIS: Final = 5
_SCENE_WORDS_PER_SYNOPSIS: Final = 2
_WORDS: Final = tuple(tuple(GENRE_WORDS[genre].split()) for genre in s.GENRES)
_SCENES: Final = tuple(tuple(words.split()) for words in SCENE_WORDS)


def write_names(
    genres: NDArray[np.int64],
    franchises: NDArray[np.int64],
    leaders: NDArray[np.int64],
    rng: np.random.Generator,
) -> list[str]:
    """Name each title by its first genre; the parts of a franchise share the first half.

    ``genres`` (T, 3) are codes, ``franchises`` (T,) -1 for none, ``leaders`` (T,) the title whose first
    half a title takes. No two parts of a franchise have the same second half.
    """
    draws = rng.random((len(genres), 3))
    stems = []
    for first, (adjective, noun, _) in zip(genres[:, 0].tolist(), draws.tolist(), strict=True):
        words = _WORDS[first]
        stems.append(f"The {_pick(ADJECTIVES, adjective)} {_pick(words, noun).capitalize()}")
    names = [stems[leader] for leader in leaders.tolist()]
    parts: Counter[int] = Counter()
    for place in np.flatnonzero((franchises >= 0) & (leaders != np.arange(len(leaders)))).tolist():
        leader = int(leaders[place])
        first_part = int(draws[leader, 2] * len(PART_NAMES))
        names[place] += f": {PART_NAMES[(first_part + parts[leader]) % len(PART_NAMES)]}"
        parts[leader] += 1
    return names


def write_casts(
    genres: NDArray[np.int64], scenes: NDArray[np.int64], rng: np.random.Generator
) -> list[list[str]]:
    """Bill up to six people, most of them from the title's scene, the rest from its first genre."""
    pools = len(_SCENES) + len(s.GENRES)
    people = _people(pools * _SCENE_PEOPLE)
    # A low exponent would make everybody equally busy; squaring lets stars appear often.
    place = (rng.random((len(genres), _CAST_SIZE)) ** 2 * _SCENE_PEOPLE).astype(np.int64)
    of_scene = rng.random((len(genres), _CAST_SIZE)) < 0.7
    pool = np.where(of_scene, scenes[:, None], len(_SCENES) + genres[:, :1])
    rows = (pool * _SCENE_PEOPLE + place).tolist()
    return [list(dict.fromkeys(people[person] for person in row)) for row in rows]


def write_synopses(
    genres: NDArray[np.int64], scenes: NDArray[np.int64], rng: np.random.Generator
) -> list[str]:
    """Write one sentence per title from the words of its genres and of its scene."""
    draws = rng.random((len(genres), 1 + 2 * _GENRE_WORDS_PER_SYNOPSIS + _SCENE_WORDS_PER_SYNOPSIS))
    order = rng.permuted(np.tile(np.arange(7), (len(genres), 1)), axis=1).tolist()
    synopses = []
    for codes, scene, draw, places in zip(
        genres.tolist(), scenes.tolist(), draws.tolist(), order, strict=True
    ):
        words = _synopsis_words([code for code in codes if code >= 0], scene, draw[1:])
        synopses.append(_pick(_TEMPLATES, draw[0]).format(*(words[place] for place in places)))
    return synopses


def _synopsis_words(genres: list[int], scene: int, draw: list[float]) -> list[str]:
    count = _GENRE_WORDS_PER_SYNOPSIS
    words = [_pick(_WORDS[_pick(genres, draw[i])], draw[count + i]) for i in range(count)]
    return words + [_pick(_SCENES[scene], value) for value in draw[2 * count :]]


def _people(count: int) -> list[str]:
    """Return ``count`` distinct names; a middle initial keeps namesakes apart."""
    pairs = len(FIRST_NAMES) * len(LAST_NAMES)
    names = []
    for number in range(count):
        lap, pair = divmod(number, pairs)
        # 641 has no factor in common with the number of pairs, so a lap visits every pair once.
        first, last = divmod(pair * 641 % pairs, len(LAST_NAMES))
        middle = f" {chr(ord('A') + lap - 1)}." if lap else ""
        names.append(f"{FIRST_NAMES[first]}{middle} {LAST_NAMES[last]}")
    return names


def _pick(items: Sequence[_Item], draw: float) -> _Item:
    return items[int(draw * len(items))]
