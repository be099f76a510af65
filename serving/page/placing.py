"""Titles placed one by one: once per page, and apart from others of their franchise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from serving.catalogue import NO_FRANCHISE
from serving.page.layout import Layout


@dataclass(slots=True)
class PlacedRow:
    """A row of the page: title rows in order of position."""

    row_type: str
    title: str
    titles: list[int]
    seed: int | None = None


@dataclass(slots=True)
class Placing:
    """What stands on the page so far."""

    franchises: Sequence[int]
    layout: Layout
    used: set[int] = field(default_factory=set)
    _per_franchise: Counter[int] = field(default_factory=Counter)

    def choose(self, ordered: Iterable[int], length: int) -> list[int]:
        """Return up to ``length`` of ``ordered`` (distinct) for a row, without placing them yet.

        A second title of a franchise waits until the row's first tiles are filled; if they never are,
        it stays out.
        """
        front = min(self.layout.franchise_free_tiles, length)
        chosen: list[int] = []
        waiting: list[int] = []
        row_franchises: Counter[int] = Counter()
        for title in ordered:
            if len(chosen) >= front and waiting:
                chosen += waiting[: length - len(chosen)]
                waiting = []
            if len(chosen) >= length:
                break
            franchise = self.franchises[title]
            if title in self.used or self._full(franchise, row_franchises):
                continue
            row_franchises[franchise] += 1
            repeats = franchise != NO_FRANCHISE and row_franchises[franchise] > 1
            (waiting if repeats and len(chosen) < front else chosen).append(title)
        if len(chosen) >= front:
            chosen += waiting[: length - len(chosen)]
        return chosen

    def place(self, titles: Iterable[int]) -> None:
        """Put titles on the page."""
        for title in titles:
            self.used.add(title)
            self._per_franchise[self.franchises[title]] += 1

    def remove(self, titles: Iterable[int]) -> None:
        """Take titles off the page again."""
        for title in titles:
            self.used.discard(title)
            self._per_franchise[self.franchises[title]] -= 1

    def _full(self, franchise: int, row_franchises: Counter[int]) -> bool:
        if franchise == NO_FRANCHISE:
            return False
        return self._per_franchise[franchise] + row_franchises[franchise] >= self.layout.per_franchise
