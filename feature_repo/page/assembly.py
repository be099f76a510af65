"""From ranked candidates to the rows of a page.

Continue Watching comes first, Top Picks second, the other rows in the order of what they promise the member.
Each row takes what the rows above it left, so that no title stands twice; a row that comes out too short is
dropped, and its titles are free for the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from feature_repo.page.board import Board
from feature_repo.page.exchange import View, widen
from feature_repo.page.exploration import Draw, Stratum, explored, strata_of
from feature_repo.page.row_plans import (
    CONTINUE_WATCHING,
    GENRE,
    TOP_PICKS,
    RowPlan,
    by_value,
    pool_of,
    row_plans,
)
from feature_repo.page.rules import FRANCHISE_CAP, FRANCHISE_FRONT, GENRE_CAP, PageRules
from feature_repo.page.shelf import Ingredients
from feature_repo.page.verdict import relaxed_rules


@dataclass(slots=True)
class PlacedRow:
    """A row of the page: places of the shelf in order of position; ``seed`` and ``genre`` as in its plan."""

    row_type: str
    places: list[int]
    seed: int | None = None
    genre: int | None = None


@dataclass(slots=True)
class Page:
    """The rows from the top, and how they came about.

    ``relaxed`` names the rules that gave way, in the order of RELAXATION; ``exchanged`` pairs the places
    (displaced, newcomer) of exchanges for variety in view; ``propensities`` holds, of explored places, the
    probability with which they were drawn: all others were bound to be shown. ``strata`` holds what each of
    them was drawn from.
    """

    board: Board
    rows: list[PlacedRow] = field(default_factory=list)
    relaxed: list[str] = field(default_factory=list)
    exchanged: list[tuple[int, int]] = field(default_factory=list)
    propensities: dict[int, float] = field(default_factory=dict)
    strata: dict[int, Stratum] = field(default_factory=dict)

    @property
    def places(self) -> list[int]:
        """All places on the page, row by row."""
        return [place for row in self.rows for place in row.places]

    @property
    def top_picks(self) -> PlacedRow | None:
        """The row of that type, where there is one."""
        return next((row for row in self.rows if row.row_type == TOP_PICKS), None)


def _unhurried() -> None:
    """Let every page be finished."""


def assemble(
    parts: Ingredients, rules: PageRules, draw: Draw, between_rows: Callable[[], object] = _unhurried
) -> Page:
    """Return a page of at least ``rules.fewest_tiles`` tiles where there are so many candidates.

    ``draw`` decides which titles are explored; ``between_rows`` may raise to give the page up.
    """
    plans = row_plans(parts, rules)
    page = Page(Board(parts.shelf, pool_of(parts, plans, rules), rules))
    _add(page, RowPlan(CONTINUE_WATCHING, parts.begun, rules.continue_watching, personal=False), rules, 1)
    page.board.rule_out(parts.begun)
    best = list(range(min(rules.ranked, len(parts.shelf))))
    _add(page, RowPlan(TOP_PICKS, best, max(1, rules.top_picks - rules.most_explored)), rules)
    for plan in by_value(plans, page.board, rules):
        between_rows()
        if plan.row_type != GENRE or _rows_of(page, GENRE) < rules.genre_rows:
            _add(page, plan, rules)
    _fill_up(page, rules)
    between_rows()
    _widen_view(page, parts, rules)
    _explore(page, rules, draw)
    page.relaxed = _relaxed(page, parts, rules)
    return page


def plain_page(parts: Ingredients, rules: PageRules) -> Page:
    """Return the plainest page there is: one row, in the order of the shelf."""
    page = Page(Board(parts.shelf, pool_of(parts, [], rules), rules))
    places = list(range(min(rules.fewest_tiles, len(parts.shelf))))
    if places:
        page.board.take(places)
        page.rows.append(PlacedRow(TOP_PICKS, places))
    page.relaxed = _relaxed(page, parts, rules)
    return page


def _relaxed(page: Page, parts: Ingredients, rules: PageRules) -> list[str]:
    begun = [row.places for row in page.rows if row.row_type == CONTINUE_WATCHING]
    others = [row.places for row in page.rows if row.row_type != CONTINUE_WATCHING]
    return relaxed_rules(parts.shelf, begun[0] if begun else [], others, parts.household_languages, rules)


def _add(page: Page, plan: RowPlan, rules: PageRules, shortest: int | None = None) -> None:
    """Add a planned row, unless too few titles are left for it."""
    board, shortest = page.board, rules.shortest_row if shortest is None else shortest
    room = rules.most_tiles - rules.most_explored - len(board.used)
    length = min(plan.length, room)
    if length < shortest:
        return
    if plan.personal:
        places = board.choose_best(board.in_pool(plan.places), length)
    elif plan.row_type == CONTINUE_WATCHING:
        places = plan.places[:length]  # what was begun is shown whatever the caps say
        board.take(places)
    else:
        places = board.choose_in_order(plan.places, length)
    if len(places) < shortest:
        board.give_back(places)
        return
    board.settle(places)
    page.rows.append(PlacedRow(plan.row_type, places, plan.seed, plan.genre))


def _rows_of(page: Page, row_type: str) -> int:
    return sum(row.row_type == row_type for row in page.rows)


def _fill_up(page: Page, rules: PageRules) -> None:
    """Lengthen Top Picks until the page has its fewest tiles; rule after rule gives way for that."""
    for relaxed in (None, GENRE_CAP, FRANCHISE_CAP, FRANCHISE_FRONT):
        missing = rules.fewest_tiles - len(page.board.used)
        if missing <= 0:
            return
        if relaxed is not None:
            page.board.relax(relaxed)
        _lengthen(page, missing)


def _lengthen(page: Page, missing: int) -> None:
    """Add up to ``missing`` of the best open titles to Top Picks."""
    row = page.top_picks or PlacedRow(TOP_PICKS, [])
    added = 0
    for _ in range(2):  # a title that waits for the first tiles to fill has its turn in the second round
        for place in page.board.open_places.tolist():
            if added == missing:
                break
            front_full = len(row.places) >= page.board.front
            if page.board.is_open(place) and (front_full or page.board.fits_front(place, row.places)):
                row.places.append(place)
                page.board.take([place])
                added += 1
    if row.places and page.top_picks is None:
        begun = page.rows and page.rows[0].row_type == CONTINUE_WATCHING
        page.rows.insert(1 if begun else 0, row)


def _widen_view(page: Page, parts: Ingredients, rules: PageRules) -> None:
    host = page.top_picks
    rows = [row.places for row in page.rows]
    view = View.of(rules, parts.household_languages)
    page.exchanged = widen(rows, host.places if host else [], page.board, view)


def _explore(page: Page, rules: PageRules, draw: Draw) -> None:
    """Let explored titles into Top Picks, every second tile after its first ones."""
    host = page.top_picks
    shown = len(page.board.used)
    tiles = min(round(rules.exploration_share * shown), rules.most_explored, rules.most_tiles - shown)
    if host is None or tiles <= 0:
        return
    strata = strata_of(page.board, rules, tiles)
    page.propensities = explored(strata, draw)
    page.strata = dict(zip(page.propensities, strata, strict=True))
    page.board.take(page.propensities)
    for slot, place in enumerate(page.propensities):
        host.places.insert(rules.franchise_free_tiles + 2 * slot, place)
