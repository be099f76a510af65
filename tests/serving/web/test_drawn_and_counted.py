"""The page's own functions, called in a browser: posters, what changed, what overlaps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser

from feature_repo import schema as s
from serving.web import static_files
from tests.serving.web.live_server import served


@pytest.fixture(scope="module")
def module_of(browser: Browser) -> Iterator[Any]:
    """Call a function of a module in the browser: module, expression over it as ``m``, argument."""
    app = Flask("pages")  # functions need their files, and no service
    app.register_blueprint(static_files.blueprint)
    with served(app) as address:
        page = browser.new_page()
        page.goto(f"{address}/static/any/compare/index.html")

        def call(module: str, expression: str, argument: Any = None) -> Any:
            script = (
                f"async (given) => {{ const m = await import('/static/any/{module}'); return {expression}; }}"
            )
            return page.evaluate(script, argument)

        yield call
        page.close()


def title(title_id: str, genres: list[str], name: str = "The Silent Agent: Embers") -> dict[str, Any]:
    return {"title_id": title_id, "name": name, "genres": genres, "release_year": 2019}


DRAW = "given.map(one => m.poster(one).outerHTML.replaceAll(/poster-\\d+/g, ''))"


def test_a_poster_is_the_same_each_time_and_another_for_another_title(module_of: Any) -> None:
    one, again, other = module_of(
        "home/poster.js", DRAW, [title("t1", ["Action"]), title("t1", ["Action"]), title("t2", ["Action"])]
    )
    assert one == again
    assert one != other
    for part in (">THE<", ">SILENT<", ">AGENT<", ">Embers<", ">ACTION · 2019<"):
        assert part in one


def test_every_genre_has_colours_of_its_own(module_of: Any) -> None:
    posters = module_of("home/poster.js", DRAW, [title("t1", [genre]) for genre in s.GENRES])
    skies = {poster.split('stop-color="')[1].split('"')[0] for poster in posters}
    assert len(skies) == len(s.GENRES)


@pytest.mark.parametrize(
    "name", ["", "A", "<b>&amp;</b>", "Word " * 60, "Donaudampfschifffahrtsgesellschaft" * 3, "한국 영화"]
)
def test_any_name_makes_a_poster_whose_text_stays_inside(module_of: Any, name: str) -> None:
    widest = module_of(
        "home/poster.js",
        """(() => { const drawn = m.poster(given); document.body.append(drawn);
             const lines = [...drawn.querySelectorAll('text')];
             return Math.max(0, ...lines.map(line => line.getBBox().x + line.getBBox().width)); })()""",
        title("t1", ["Drama"], name),
    )
    assert widest <= 200


def row(row_type: str, tiles: str, seed: str | None = None, name: str = "") -> dict[str, Any]:
    """A row of titles, one letter each; a capital letter is drawn by chance."""
    return {
        "row_type": row_type, "title": name or row_type, "seed_title_id": seed,
        "tiles": [
            {"title_id": one, "name": one, "position": place, "propensity": 0.01 if one.isupper() else 1.0,
             "watch_fraction": 0.3 if row_type == "continue_watching" else None}
            for place, one in enumerate(tiles, 1)
        ],
    }  # fmt: skip


def changes(module_of: Any, before: list[Any], after: list[Any]) -> list[str]:
    found: list[str] = module_of(
        "home/changes.js",
        "m.changesBetween({rows: given[0]}, {rows: given[1]}).map(m.inWords)",
        [before, after],
    )
    return found


def test_a_title_that_changes_rows_is_said_to_have_come_and_the_rest_closes_up_in_silence(
    module_of: Any,
) -> None:
    before = [row("top_picks", "abcd"), row("trending_now", "efg")]
    after = [row("continue_watching", "b"), row("top_picks", "acdh"), row("trending_now", "efg")]
    assert changes(module_of, before, after) == [
        "The row continue_watching is new, as number 1",
        "b came from top_picks to continue_watching, at place 1",
        "h is new in top_picks, at place 4",
    ]


def test_of_titles_that_change_places_the_fewest_are_said_to_have_moved(module_of: Any) -> None:
    assert changes(module_of, [row("top_picks", "abcde")], [row("top_picks", "eabcd")]) == [
        "e moved up in top_picks, from 5 to 1"
    ]
    assert changes(module_of, [row("top_picks", "abcd")], [row("top_picks", "bcd")]) == [
        "a left top_picks, where it stood at place 1"
    ]


def test_tiles_drawn_by_chance_do_not_count(module_of: Any) -> None:
    assert changes(module_of, [row("top_picks", "aXbY")], [row("top_picks", "aYbZ")]) == []


def test_rows_that_move_go_or_come_are_told_by_what_they_grew_from(module_of: Any) -> None:
    before = [
        row("because_you_watched", "ab", "s1", "Like s1"),
        row("genre", "cd", None, "Drama"),
        row("genre", "ef", None, "War"),
    ]
    after = [
        row("genre", "ef", None, "War"),
        row("genre", "cd", None, "Drama"),
        row("because_you_watched", "ab", "s2", "Like s2"),
    ]
    assert changes(module_of, before, after) == [
        "The row Like s2 is new, as number 3",
        "The row Like s1 is gone",
        "The row War moved up, from 3 to 1",
        "a came from Like s1 to Like s2, at place 1",
        "b came from Like s1 to Like s2, at place 2",
    ]


def test_overlap_is_of_the_first_titles_in_reading_order_without_those_drawn_by_chance(
    module_of: Any,
) -> None:
    left = {"rows": [row("top_picks", "abX"), row("genre", "cd")]}
    right = {"rows": [row("top_picks", "baY"), row("genre", "ec")]}
    found = module_of(
        "compare/overlap.js",
        "[3, 4, Infinity].map(most => { const o = m.overlap(given[0], given[1], most);"
        " return [o.share, [...o.both].sort().join(''), o.onlyLeft.join(''), o.onlyRight.join('')]; })",
        [left, right],
    )
    # First three: abc and bae, of which a and b are on both. All: abcd and baec, which share a, b and c.
    assert found == [[pytest.approx(2 / 3), "ab", "c", "e"], [0.75, "abc", "d", "e"], [0.75, "abc", "d", "e"]]


@pytest.mark.parametrize(
    ("ids", "sizes"),
    [
        ([], []),
        (["t000001"] * 250, [100, 100, 50]),
        (["i" * 97] * 61, [30, 30, 1]),
        (["é" * 128] * 5, [3, 2]),
    ],
)
def test_titles_are_asked_for_in_requests_of_a_length_that_servers_take(
    module_of: Any, ids: list[str], sizes: list[int]
) -> None:
    assert module_of("home/titles.js", "m.batchesOf(given).map(batch => batch.length)", ids) == sizes
