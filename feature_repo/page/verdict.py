"""Which rules a finished page does not keep: what it says of itself, whatever way it was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from feature_repo.page.rules import (
    FEWEST_TILES,
    FRANCHISE_CAP,
    FRANCHISE_FRONT,
    GENRE_CAP,
    GENRES_IN_VIEW,
    LANGUAGE_VARIETY,
    RELAXATION,
    PageRules,
)
from feature_repo.page.shelf import NO_FRANCHISE, Shelf


def relaxed_rules(
    shelf: Shelf,
    begun: Sequence[int],
    rows: Sequence[Sequence[int]],
    languages: Sequence[int],
    rules: PageRules,
) -> list[str]:
    """Return the rules that gave way, in the order of RELAXATION.

    ``begun`` are the places of Continue Watching, ``rows`` those of all other rows from the top. What was
    begun counts against a cap, but only what stands elsewhere can break it.
    """
    offered = [place for row in rows for place in row]
    tiles = [*begun, *offered]
    in_view = tiles[: rules.tiles_in_view]
    spoken = shelf.languages[in_view]
    kept = {
        FEWEST_TILES: len(tiles) >= rules.fewest_tiles,
        GENRES_IN_VIEW: shelf.genres[in_view].any(axis=0).sum() >= rules.genres_in_view,
        LANGUAGE_VARIETY: all((spoken == code).sum() >= rules.per_language for code in languages),
        GENRE_CAP: _genre_cap_kept(shelf, offered, tiles, rules.per_genre),
        FRANCHISE_CAP: _franchise_cap_kept(shelf, offered, tiles, rules.per_franchise),
        FRANCHISE_FRONT: all(_distinct(shelf, row[: rules.franchise_free_tiles]) for row in rows),
    }
    return [rule for rule in RELAXATION if not kept[rule]]


def _genre_cap_kept(shelf: Shelf, offered: Sequence[int], tiles: Sequence[int], cap: int) -> bool:
    counts = shelf.genres[tiles].sum(axis=0)
    return not bool(np.any((counts > cap) & shelf.genres[offered].any(axis=0)))


def _franchise_cap_kept(shelf: Shelf, offered: Sequence[int], tiles: Sequence[int], cap: int) -> bool:
    counts = Counter(shelf.franchises[tiles].tolist())
    return all(counts[f] <= cap for f in set(shelf.franchises[offered].tolist()) - {NO_FRANCHISE})


def _distinct(shelf: Shelf, front: Sequence[int]) -> bool:
    named = [franchise for franchise in shelf.franchises[front].tolist() if franchise != NO_FRANCHISE]
    return len(named) == len(set(named))
