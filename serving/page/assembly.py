"""From ranked candidates to the rows of a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from feature_repo import schema as s
from serving.candidates.answer import Candidates
from serving.candidates.query import Query
from serving.page.genres import genres_by_preference, spread_genres
from serving.page.layout import Layout
from serving.page.placing import PlacedRow, Placing
from serving.page.ranked import Ranked

CONTINUE_WATCHING, TOP_PICKS, BECAUSE_YOU_WATCHED, TRENDING_NOW, NEW_RELEASES, GENRE = s.ROW_TYPES


@dataclass(frozen=True, slots=True, eq=False)
class Ingredients:
    """All that a page is made of. Every title of every list is among the ranked candidates.

    ``begun``, ``trending`` and ``new_titles`` stand in their generators' order: the personal model has no say
    there. What the member has begun stands in its own row only.
    """

    query: Query
    ranked: Ranked
    begun: Sequence[Candidates]
    seeds: Sequence[Candidates]
    trending: Sequence[Candidates]
    new_titles: Sequence[Candidates]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A row that would like to be on the page."""

    row_type: str
    title: str
    ordered: Iterable[int]
    length: int
    seed: int | None = None


def assemble(parts: Ingredients, layout: Layout) -> list[PlacedRow]:
    """Return the page's rows in order: at least ``layout.fewest_tiles`` tiles where candidates allow."""
    placing = Placing(parts.query.catalogue.franchises, layout)
    begun = _titles_of(parts.begun)
    ranked = [title for title in parts.ranked.rows.tolist() if title not in begun]
    page: list[PlacedRow] = []
    if begun:
        page.append(PlacedRow(CONTINUE_WATCHING, "Continue Watching", begun[: layout.continue_watching]))
        placing.place(page[0].titles)
    for plan in chain(_leading_plans(parts, ranked, layout), _genre_plans(parts, ranked, layout)):
        if sum(row.row_type == GENRE for row in page) == layout.genre_rows:
            break
        titles = placing.choose(plan.ordered, min(plan.length, layout.most_tiles - len(placing.used)))
        if len(titles) >= layout.shortest_row:
            placing.place(titles)
            page.append(PlacedRow(plan.row_type, plan.title, titles, plan.seed))
    _top_up(page, ranked, placing, parts, layout)
    spread_genres(page, ranked, placing, parts.query.catalogue.genres)
    return page


def popular_page(query: Query, ranked: Ranked, layout: Layout) -> list[PlacedRow]:
    """Return the plainest page there is: one row, in the order of the candidates."""
    titles = ranked.rows[: layout.fewest_tiles].tolist()
    return [PlacedRow(TOP_PICKS, top_picks_title(query), titles)] if titles else []


def top_picks_title(query: Query) -> str:
    """Name the first row after what it is: picks for somebody we know, what is popular for others."""
    return "Top Picks for You" if query.member.personal else "Popular Now"


def _leading_plans(parts: Ingredients, ranked: list[int], layout: Layout) -> Iterator[_Plan]:
    best = ranked[: layout.ranked]
    candidates = set(ranked)
    rank_of = {title: rank for rank, title in enumerate(ranked)}
    yield _Plan(TOP_PICKS, top_picks_title(parts.query), best, layout.top_picks)
    for neighbours in parts.seeds:
        like_it = sorted(candidates.intersection(neighbours.rows.tolist()), key=rank_of.__getitem__)
        seed = -1 if neighbours.seed is None else neighbours.seed
        name = f"Because You Watched {parts.query.catalogue.names[seed]}"
        yield _Plan(BECAUSE_YOU_WATCHED, name, like_it, layout.because_you_watched, seed)
    hot = _titles_of(parts.trending)
    yield _Plan(TRENDING_NOW, "Trending Now", _among(hot, candidates), layout.trending_now)
    fresh = _titles_of(parts.new_titles)
    yield _Plan(NEW_RELEASES, "New Releases", _among(fresh, candidates), layout.new_releases)


def _titles_of(answers: Sequence[Candidates]) -> list[int]:
    """Return the titles of several answers, one after the other."""
    return list(chain.from_iterable(answer.rows.tolist() for answer in answers))


def _among(titles: Iterable[int], candidates: set[int]) -> list[int]:
    """Keep the first occurrence of each title that is a candidate."""
    return [title for title in dict.fromkeys(titles) if title in candidates]


def _genre_plans(parts: Ingredients, ranked: list[int], layout: Layout) -> Iterator[_Plan]:
    """Offer a row per genre of the best candidates, the member's favourite genre first."""
    genres = parts.query.catalogue.genres
    best = np.array(ranked[: layout.ranked], dtype=np.intp)
    for genre in genres_by_preference(parts.query, best):
        yield _Plan(GENRE, s.GENRES[genre], best[genres[best, genre]].tolist(), layout.genre)


def _top_up(
    page: list[PlacedRow], ranked: list[int], placing: Placing, parts: Ingredients, layout: Layout
) -> None:
    """Lengthen the first row until the page has its fewest tiles, or the candidates are used up."""
    missing = layout.fewest_tiles - sum(len(row.titles) for row in page)
    if missing <= 0:
        return
    first = next((row for row in page if row.row_type == TOP_PICKS), None)
    if first is None:
        first = PlacedRow(TOP_PICKS, top_picks_title(parts.query), [])
        page.insert(1 if page and page[0].row_type == CONTINUE_WATCHING else 0, first)
    placing.remove(first.titles)
    first.titles = placing.choose(dict.fromkeys([*first.titles, *ranked]), len(first.titles) + missing)
    placing.place(first.titles)
    if not first.titles:
        page.remove(first)
