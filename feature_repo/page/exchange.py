"""Exchanges of single tiles, so that what is in view spans genres and the household's languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from feature_repo.page.board import Board
from feature_repo.page.rules import PageRules

_TRIES: Final = 8
"""Newcomers tried for a tile: those who bring the same are many."""


@dataclass(frozen=True, slots=True)
class View:
    """What the first tiles of a page must span: ``tiles`` of them count."""

    tiles: int
    genres: int
    languages: Sequence[int]
    per_language: int

    @classmethod
    def of(cls, rules: PageRules, languages: Sequence[int]) -> View:
        """Return the view that the rules ask for; explored tiles come in later and move others down."""
        tiles = max(0, rules.tiles_in_view - rules.most_explored)
        return cls(tiles, rules.genres_in_view, languages, rules.per_language)


@dataclass(frozen=True, slots=True)
class _Lack:
    """Genres and titles of languages that are missing in view; fewer is better, genres first."""

    genres: int
    languages: int

    @property
    def order(self) -> tuple[int, int]:
        return self.genres, self.languages


def widen(rows: Sequence[list[int]], host: list[int], board: Board, view: View) -> list[tuple[int, int]]:
    """Exchange tiles of ``host``, the last first, for titles that bring what is missing in view.

    ``rows`` are all rows from the top, ``host`` one of them, changed in place. Each exchange brings in the
    most relevant title that helps, within the caps, and must leave less missing. Return the exchanges,
    (displaced, newcomer).
    """
    exchanged: list[tuple[int, int]] = []
    lack = _lack(rows, board, view)
    first = _tiles_before(rows, host)
    for position in reversed(range(min(len(host), max(0, view.tiles - first)))):
        helpful = _helpful(rows, board, view) if lack.order > (0, 0) else []
        if not helpful:
            break
        displaced = host[position]
        newcomer, less = _best_newcomer(rows, host, position, helpful, board, view, lack)
        if newcomer is not None:
            board.give_back([displaced])
            board.take([newcomer])
            exchanged.append((displaced, newcomer))
            lack = less
    return exchanged


def _lack(rows: Sequence[list[int]], board: Board, view: View) -> _Lack:
    in_view = [place for row in rows for place in row][: view.tiles]
    spanned = int(board.shelf.genres[in_view].any(axis=0).sum())
    languages = board.shelf.languages[in_view]
    missing = sum(max(0, view.per_language - int((languages == code).sum())) for code in view.languages)
    return _Lack(max(0, view.genres - spanned), missing)


def _tiles_before(rows: Sequence[list[int]], host: list[int]) -> int:
    before = 0
    for row in rows:
        if row is host:
            break
        before += len(row)
    return before


def _best_newcomer(
    rows: Sequence[list[int]],
    host: list[int],
    position: int,
    helpful: list[int],
    board: Board,
    view: View,
    lack: _Lack,
) -> tuple[int | None, _Lack]:
    """Put the first newcomer that leaves less missing into ``host``; return it with what is missing then."""
    displaced = host[position]
    others = [place for i, place in enumerate(host[: board.front]) if i != position]
    for newcomer in helpful[:_TRIES]:
        if position < board.front and not board.fits_front(newcomer, others):
            continue
        host[position] = newcomer
        less = _lack(rows, board, view)
        if less.order < lack.order:
            return newcomer, less
    host[position] = displaced
    return None, lack


def _helpful(rows: Sequence[list[int]], board: Board, view: View) -> list[int]:
    """Return the open titles that bring a genre or a language which is missing in view."""
    in_view = [place for row in rows for place in row][: view.tiles]
    spanned = board.shelf.genres[in_view].any(axis=0)
    candidates = board.open_places
    helps = np.zeros(len(candidates), dtype=np.bool_)
    if spanned.sum() < view.genres:
        helps |= board.shelf.genres[candidates][:, ~spanned].any(axis=1)
    languages = board.shelf.languages[in_view]
    for code in view.languages:
        if (languages == code).sum() < view.per_language:
            helps |= board.shelf.languages[candidates] == code
    found: list[int] = candidates[helps].tolist()
    return found
