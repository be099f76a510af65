"""What stands on a page so far, and which candidates may still come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from feature_repo.page.rules import FRANCHISE_CAP, FRANCHISE_FRONT, GENRE_CAP, PageRules
from feature_repo.page.shelf import NO_FRANCHISE, Shelf
from feature_repo.page.variety import Floats, RowVectors, variety_of

_BLOCKED = -np.inf


class Board:
    """Titles placed one by one, once per page and within the caps; personal rows weigh what is above them.

    ``pool`` (m,) are the places that personal rows choose from, in the order of the shelf.
    """

    def __init__(self, shelf: Shelf, pool: NDArray[np.intp], rules: PageRules) -> None:
        self.shelf, self.pool, self._rules = shelf, pool, rules
        self.used: set[int] = set()
        self._ruled_out: set[int] = set()
        self.front = rules.franchise_free_tiles
        self._franchise_cap, self._genre_cap = rules.per_franchise, rules.per_genre
        self._franchises: list[int] = shelf.franchises.tolist()
        self._per_franchise: Counter[int] = Counter()
        self._per_genre = np.zeros(shelf.genres.shape[1], dtype=np.int64)
        self._blocked = np.zeros(len(shelf), dtype=np.bool_)
        self._safe_takes = rules.per_genre
        """So many more titles cannot fill a genre, whichever they are."""
        self._vectors = shelf.vectors_of(pool)
        self._similar = _similar_to_each(self._vectors, rules.similar_from)
        self._crowd = np.zeros(len(pool), dtype=np.int64)
        self._unweighed: list[int] = []
        self._variety = variety_of(rules, shelf.scaled_relevance(rules.ranked)[pool], self._vectors)

    def is_open(self, place: int) -> bool:
        """Say whether a title may come: it is not on the page, and no cap forbids it."""
        return not self._blocked[place]

    @property
    def open_places(self) -> NDArray[np.intp]:
        """The places of titles that may come, most relevant first."""
        return np.flatnonzero(~self._blocked)

    def in_pool(self, places: Iterable[int]) -> NDArray[np.bool_]:
        """Return which titles of the pool are among ``places``, (m,)."""
        among = np.zeros(len(self.shelf), dtype=np.bool_)
        among[list(places)] = True
        return among[self.pool]

    def genres_within(self, tiles: int) -> NDArray[np.bool_]:
        """Return which genres would pass their cap by ``tiles`` more titles, (G,)."""
        return np.asarray(self._per_genre + tiles > self._genre_cap)

    def choose_in_order(self, ordered: Iterable[int], length: int) -> list[int]:
        """Take up to ``length`` titles in their own order, where the personal model has no say.

        A second title of a franchise waits until the row's first tiles are filled; if they never are, it
        stays out.
        """
        row: list[int] = []
        waiting: list[int] = []
        for place in ordered:
            while waiting and self.front <= len(row) < length:
                self._take_if_open(waiting.pop(0), row)
            if len(row) >= length:
                break
            if len(row) < self.front and self._repeats(place, row):
                waiting.append(place)
            else:
                self._take_if_open(place, row)
        for place in waiting:
            if self.front <= len(row) < length:
                self._take_if_open(place, row)
        return row

    def choose_best(self, among: NDArray[np.bool_], length: int) -> list[int]:
        """Take up to ``length`` titles of the pool by their worth, most relevant first.

        ``among`` (m,) says which may come. A title that is similar to ``crowd`` titles of the
        page, the row's own among them, is penalised.
        """
        self._weigh_settled()
        worth = self._variety.worth()
        worth[self._crowd >= self._rules.crowd] -= self._rules.crowding_penalty
        crowd: list[int] = self._crowd.tolist()
        worth[self._blocked[self.pool] | ~among] = _BLOCKED
        row: list[int] = []
        held: list[tuple[NDArray[np.intp], Floats]] = []
        while len(row) < length and len(worth):
            best = int(worth.argmax())
            if worth[best] == _BLOCKED:
                break
            place = int(self.pool[best])
            row.append(place)
            if self.take([place]):
                worth[self._blocked[self.pool]] = _BLOCKED
            worth[best] = _BLOCKED
            self._penalise(worth, crowd, best)
            self._hold_franchise(worth, held, place, len(row))
        return self._in_order(row)

    def take(self, places: Iterable[int]) -> bool:
        """Put titles on the page; return whether a cap is reached."""
        reached = False
        for place in places:
            self.used.add(place)
            self._blocked[place] = True
            franchise = self._franchises[place]
            if franchise != NO_FRANCHISE:
                self._per_franchise[franchise] += 1
                reached |= self._per_franchise[franchise] >= self._franchise_cap
            self._per_genre += self.shelf.genres[place]
            self._safe_takes -= 1
        if self._safe_takes <= 0:
            self._safe_takes = int(self._genre_cap - self._per_genre.max())
            reached |= self._safe_takes <= 0
        if reached:
            self._block_anew()
        return reached

    def rule_out(self, places: Iterable[int]) -> None:
        """Keep titles off the page for good; those that are on it stay."""
        self._ruled_out.update(places)
        self._block_anew()

    def give_back(self, places: Iterable[int]) -> None:
        """Take titles off the page again."""
        for place in places:
            self.used.discard(place)
            self._per_franchise[self._franchises[place]] -= self._franchises[place] != NO_FRANCHISE
            self._per_genre -= self.shelf.genres[place]
        self._block_anew()

    def settle(self, row: Sequence[int]) -> None:
        """Let the rows that follow weigh themselves against this one."""
        self._unweighed.extend(row)

    def relax(self, rule: str) -> None:
        """Let a rule give way."""
        if rule == GENRE_CAP:
            self._genre_cap = len(self.shelf) + 1
        elif rule == FRANCHISE_CAP:
            self._franchise_cap = len(self.shelf) + 1
        elif rule == FRANCHISE_FRONT:
            self.front = 0
        self._block_anew()

    def fits_front(self, place: int, others: Iterable[int]) -> bool:
        """Say whether no title of the same franchise is among ``others``."""
        franchise = self._franchises[place]
        return franchise == NO_FRANCHISE or all(self._franchises[other] != franchise for other in others)

    def crowded_by(self, place: int) -> list[int]:
        """Return the titles of the page that are similar to one, in the order of the shelf."""
        shown = sorted(self.used - {place})
        cosines = self.shelf.vectors_of(shown) @ self.shelf.vectors_of([place])[0]
        return [shown[i] for i in np.flatnonzero(cosines >= self._rules.similar_from)]

    def full_franchise(self, place: int) -> bool:
        """Say whether a title's franchise has reached its cap."""
        franchise = self._franchises[place]
        return franchise != NO_FRANCHISE and self._per_franchise[franchise] >= self._franchise_cap

    def same_franchise(self, place: int) -> list[int]:
        """Return the titles of the page that belong to a title's franchise, in the order of the shelf."""
        franchise = self._franchises[place]
        return sorted(other for other in self.used if self._franchises[other] == franchise)

    def full_genres(self, place: int) -> NDArray[np.intp]:
        """Return the columns of a title's genres that have reached their cap."""
        return np.flatnonzero(self.shelf.genres[place] & (self._per_genre >= self._genre_cap))

    def _weigh_settled(self) -> None:
        """Weigh the pool against what was settled since it last was: not before a personal row asks."""
        if not self._unweighed:
            return
        vectors = self.shelf.vectors_of(self._unweighed)
        cosines = self._vectors @ vectors.T
        self._crowd += (cosines >= self._rules.similar_from).sum(axis=1)
        self._variety.place(RowVectors(vectors, cosines))
        self._unweighed.clear()

    def _take_if_open(self, place: int, row: list[int]) -> None:
        if not self._blocked[place]:
            row.append(place)
            self.take([place])

    def _repeats(self, place: int, row: Sequence[int]) -> bool:
        return not self.fits_front(place, row)

    def _block_anew(self) -> None:
        blocked = np.zeros(len(self.shelf), dtype=np.bool_)
        for genre in np.flatnonzero(self._per_genre >= self._genre_cap):
            blocked |= self.shelf.genres[:, genre]
        for franchise, count in self._per_franchise.items():
            if count >= self._franchise_cap:
                blocked |= self.shelf.franchises == franchise
        blocked[list(self.used | self._ruled_out)] = True
        self._blocked = blocked

    def _penalise(self, worth: Floats, crowd: list[int], chosen: int) -> None:
        for near in self._similar[chosen]:
            crowd[near] += 1
            if crowd[near] == self._rules.crowd:
                worth[near] -= self._rules.crowding_penalty

    def _hold_franchise(
        self, worth: Floats, held: list[tuple[NDArray[np.intp], Floats]], place: int, length: int
    ) -> None:
        """Hold the rest of a franchise back until the row's first tiles are filled."""
        franchise = self._franchises[place]
        if franchise != NO_FRANCHISE and length < self.front:
            rest = np.flatnonzero((self.shelf.franchises[self.pool] == franchise) & (worth > _BLOCKED))
            held.append((rest, worth[rest]))
            worth[rest] = _BLOCKED
        if length == self.front:
            for rest, worths in held:
                worth[rest] = np.where(self._blocked[self.pool[rest]], _BLOCKED, worths)

    def _in_order(self, row: Sequence[int]) -> list[int]:
        """Order a row by relevance; of a franchise, all but the first come after the first tiles."""
        front: list[int] = []
        later: list[int] = []
        for place in sorted(row):
            fits = len(front) < self.front and self.fits_front(place, front)
            (front if fits else later).append(place)
        return front + later


def _similar_to_each(vectors: NDArray[np.float32], similar_from: float) -> list[list[int]]:
    """Return, for each of m unit vectors (m, d), the others whose cosine is ``similar_from`` or more."""
    found: list[list[int]] = [[] for _ in range(len(vectors))]
    ones, others = np.nonzero(vectors @ vectors.T >= similar_from)
    for one, other in zip(ones.tolist(), others.tolist(), strict=True):
        if one != other:
            found[one].append(other)
    return found
