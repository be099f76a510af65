from __future__ import annotations

import numpy as np

from serving.catalogue import NO_FRANCHISE
from serving.page.genres import spread_genres
from serving.page.layout import Layout
from serving.page.placing import PlacedRow, Placing

# Titles 0 to 5 are of genre 0; title 6 of 1, title 7 of 2, title 8 of 2 and 3.
GENRES = np.zeros((9, 4), dtype=np.bool_)
GENRES[[0, 1, 2, 3, 4, 5, 6, 7, 8, 8], [0, 0, 0, 0, 0, 0, 1, 2, 2, 3]] = True
LAYOUT = Layout(genres_in_view=3, tiles_in_view=4)


def spread(*rows: list[int]) -> list[list[int]]:
    page = [PlacedRow("top_picks", "Top", titles) for titles in rows]
    placing = Placing([NO_FRANCHISE] * 9, LAYOUT)
    placing.place(title for row in rows for title in row)
    spread_genres(page, list(range(9)), placing, GENRES)
    return [row.titles for row in page]


def test_last_tiles_of_the_first_row_give_way_to_new_genres() -> None:
    assert spread([0, 1, 2, 3]) == [[0, 1, 7, 6]]


def test_variety_that_other_rows_bring_leaves_the_first_row_alone() -> None:
    assert spread([0, 1], [6, 7]) == [[0, 1], [6, 7]]


def test_tiles_out_of_view_do_not_count() -> None:
    assert spread([0, 1, 2, 3], [6, 7])[0] == [0, 1, 2, 8]


def test_an_empty_page_stays_empty() -> None:
    assert spread() == []
