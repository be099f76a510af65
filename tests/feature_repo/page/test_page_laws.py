"""Every rule of a page, over random catalogues and members, those included for whom it cannot be met."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from hypothesis import assume, given, settings, strategies as st

from feature_repo.page.assembly import Page, assemble
from feature_repo.page.exploration import draws_of
from feature_repo.page.rules import RELAXATION, PageRules
from feature_repo.page.shelf import NO_FRANCHISE, UNKNOWN_LANGUAGE, Ingredients, SeedList, Shelf

GENRES = 8


@st.composite
def random_parts(draw: st.DrawFn) -> Ingredients:
    """Up to 250 titles; few or many genres, franchises and languages, so that rules are met or not."""
    n = draw(st.integers(0, 250))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    common = draw(st.sampled_from([1, 3, GENRES]))
    genres = np.zeros((n, GENRES), dtype=np.bool_)
    genres[np.arange(n), rng.integers(0, common, n)] = True
    genres[rng.random((n, GENRES)) < draw(st.sampled_from([0.0, 0.1]))] = True
    franchises = rng.integers(0, draw(st.sampled_from([1, 5, 60])), n)
    franchises[rng.random(n) < draw(st.sampled_from([0.0, 0.5, 1.0]))] = NO_FRANCHISE
    languages = rng.integers(UNKNOWN_LANGUAGE, draw(st.sampled_from([1, 3])), n)
    vectors = rng.normal(size=(n + 5, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = rng.permutation(n + 5)[:n]
    relevance = np.sort(rng.random(n))[::-1]
    if draw(st.booleans()):
        relevance[:] = 0.5

    def some(most: int) -> list[int]:
        wanted = min(n, draw(st.integers(0, most)))
        chosen: list[int] = rng.permutation(n)[:wanted].tolist()
        return chosen

    begun = some(15)
    rest = [place for place in range(n) if place not in begun]

    def listed(most: int) -> list[int]:
        return [place for place in some(most) if place in rest]

    return Ingredients(
        Shelf(rows, relevance, genres, franchises, languages, vectors), begun,
        [SeedList(n + 100 + i, listed(60)) for i in range(draw(st.integers(0, 2)))],
        listed(40), listed(40), rng.permutation(GENRES).tolist(),
        draw(st.sampled_from([[], [0, 1]])),
    )  # fmt: skip


random_rules = st.builds(
    PageRules,
    variety=st.sampled_from(["none", "mmr", "dpp"]),
    variety_weight=st.sampled_from([0.0, 0.3, 0.8]),
    per_franchise=st.sampled_from([1, 4, 80]),
    per_genre=st.sampled_from([5, 40, 80]),
    exploration_share=st.sampled_from([0.0, 0.05, 0.2, 0.5]),
    fewest_tiles=st.sampled_from([0, 40, 70]),
    shortest_row=st.sampled_from([1, 4]),
    ranked=st.sampled_from([20, 75]),
    crowding_penalty=st.sampled_from([0.0, 0.5]),
)


@settings(max_examples=300, deadline=None)
@given(parts=random_parts(), rules=random_rules, page_id=st.text(max_size=8))
def test_every_page_keeps_its_rules_or_says_which_gave_way(
    parts: Ingredients, rules: PageRules, page_id: str
) -> None:
    page = assemble(parts, rules, draws_of(page_id))
    assert page.relaxed == [rule for rule in RELAXATION if rule in page.relaxed]  # each once, in order
    check_tiles(page, parts, rules)
    check_rows(page, parts, rules)
    check_franchises(page, parts, rules)
    check_genres(page, parts, rules)
    check_languages(page, parts, rules)
    check_exploration(page, parts, rules)


def check_tiles(page: Page, parts: Ingredients, rules: PageRules) -> None:
    places = page.places
    assert len(places) == len(set(places)) <= rules.most_tiles
    assert page.board.used == set(places)
    allowed = set(range(len(parts.shelf))) - set(parts.begun[rules.continue_watching :])
    assert set(places) <= allowed
    if "fewest_tiles" in page.relaxed:
        # Nothing is held back but explored titles that were not drawn: there are none, as all are shown.
        assert len(places) == len(allowed) < rules.fewest_tiles
    else:
        assert len(places) >= rules.fewest_tiles


def check_rows(page: Page, parts: Ingredients, rules: PageRules) -> None:
    types = [row.row_type for row in page.rows]
    assert Counter(types)["genre"] <= rules.genre_rows
    assert "continue_watching" not in types[1:]
    assert ("continue_watching" in types) == bool(parts.begun)
    for row in page.rows:
        bound = [place for place in row.places if place not in page.propensities]
        if row.row_type == "continue_watching":
            assert row.places == parts.begun[: rules.continue_watching]
        elif row.row_type == "because_you_watched":
            like = next(seed for seed in parts.seeds if seed.seed == row.seed)
            assert set(row.places) <= set(like.places)
        elif row.row_type == "genre":
            assert parts.shelf.genres[row.places, row.genre].all()
            assert max(row.places) < rules.ranked
        elif row.row_type in ("trending_now", "new_releases"):
            own = parts.trending if row.row_type == "trending_now" else parts.new_titles
            assert set(row.places) <= set(own)
        if row.row_type not in ("continue_watching", "top_picks"):
            assert len(row.places) >= rules.shortest_row
        assert bound


def check_franchises(page: Page, parts: Ingredients, rules: PageRules) -> None:
    franchises = parts.shelf.franchises
    if "franchise_front" not in page.relaxed:
        for row in page.rows:
            if row.row_type != "continue_watching":
                front = [f for f in franchises[row.places[: rules.franchise_free_tiles]] if f != NO_FRANCHISE]
                assert len(front) == len(set(front))
    if "franchise_cap" not in page.relaxed:
        check_cap(
            page, lambda place: [f for f in [franchises[place]] if f != NO_FRANCHISE], rules.per_franchise
        )


def check_cap(page: Page, groups_of: Any, cap: int) -> None:
    """Beyond Continue Watching, a group comes to its cap at most; what was begun counts, but is shown."""
    counts: Counter[int] = Counter(g for place in page.places for g in groups_of(place))
    others = {
        g for row in page.rows if row.row_type != "continue_watching" for place in row.places
        for g in groups_of(place)
    }  # fmt: skip
    assert all(counts[g] <= cap for g in others)


def check_genres(page: Page, parts: Ingredients, rules: PageRules) -> None:
    genres = parts.shelf.genres
    if "genre_cap" not in page.relaxed:
        check_cap(page, lambda place: np.flatnonzero(genres[place]).tolist(), rules.per_genre)
    spanned = genres[page.places[: rules.tiles_in_view]].any(axis=0).sum()
    if "genres_in_view" not in page.relaxed:
        assert spanned >= rules.genres_in_view


def check_languages(page: Page, parts: Ingredients, rules: PageRules) -> None:
    languages = parts.shelf.languages[page.places[: rules.tiles_in_view]]
    if "language_variety" not in page.relaxed:
        for code in parts.household_languages:
            assert (languages == code).sum() >= rules.per_language


def check_exploration(page: Page, parts: Ingredients, rules: PageRules) -> None:
    explored = set(page.propensities)
    assert len(explored) <= rules.most_explored
    assert all(rules.ranked <= place < rules.ranked + rules.exploration_pool for place in explored)
    assert all(0 < propensity <= 1 for propensity in page.propensities.values())
    if explored:
        assert page.top_picks is not None
        assert explored <= set(page.top_picks.places)
        others = parts.shelf.franchises[[place for place in page.places if place not in explored]]
        own = [f for f in parts.shelf.franchises[list(explored)] if f != NO_FRANCHISE]
        assert len(own) == len(set(own))
        assert not set(own) & set(others.tolist())


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rules=random_rules)
def test_where_titles_suffice_no_rule_gives_way(seed: int, rules: PageRules) -> None:
    """300 titles of eight genres and two languages, no franchise: every rule can be met."""
    assume(rules.per_genre * GENRES >= rules.fewest_tiles)
    rng = np.random.default_rng(seed)
    n = 300
    genres = np.eye(GENRES, dtype=np.bool_)[np.arange(n) % GENRES]
    vectors = rng.normal(size=(n, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shelf = Shelf(
        np.arange(n), np.linspace(1, 0, n), genres, np.full(n, NO_FRANCHISE), np.arange(n) // 2 % 2, vectors
    )
    parts = Ingredients(
        shelf, [], [SeedList(n, rng.permutation(n)[:60].tolist())], rng.permutation(n)[:40].tolist(),
        rng.permutation(n)[:40].tolist(), list(range(GENRES)), [0, 1],
    )  # fmt: skip
    assert assemble(parts, rules, draws_of("page")).relaxed == []


@settings(max_examples=60, deadline=None)
@given(parts=random_parts(), rules=random_rules)
def test_the_bound_part_of_a_page_does_not_depend_on_the_draw(parts: Ingredients, rules: PageRules) -> None:
    """Else a tile's propensity of 1 would not be true."""

    def bound(page_id: str) -> list[list[int]]:
        page = assemble(parts, rules, draws_of(page_id))
        return [[place for place in row.places if place not in page.propensities] for row in page.rows]

    assert bound("one") == bound("another")
