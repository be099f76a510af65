"""How long the rows of a page are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """Tiles per row and page.

    ``ranked`` is how many of the best candidates the personal rows choose from. The rows' lengths sum to
    no more than ``most_tiles``; a page that falls short of ``fewest_tiles`` is topped up from the rest of
    the candidates. A row that cannot fill ``shortest_row`` is left out.
    """

    ranked: int = 75
    continue_watching: int = 10
    top_picks: int = 12
    because_you_watched: int = 8
    trending_now: int = 10
    new_releases: int = 10
    genre: int = 8
    genre_rows: int = 3
    shortest_row: int = 4
    fewest_tiles: int = 40
    most_tiles: int = 80
    franchise_free_tiles: int = 5
    """No two titles of a franchise stand in the first so many of a row."""
    per_franchise: int = 4
    """Titles of one franchise on a page."""
    genres_in_view: int = 4
    """Genres that the first ``tiles_in_view`` tiles span at least."""
    tiles_in_view: int = 40
