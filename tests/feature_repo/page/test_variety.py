from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from feature_repo.page.rules import PageRules
from feature_repo.page.variety import (
    DeterminantalPointProcess,
    MaximalMarginalRelevance,
    RelevanceOnly,
    RowVectors,
    variety_of,
)

RELEVANCE = np.array([1.0, 0.5, 0.0])
VECTORS = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)


def row(*vectors: list[float]) -> RowVectors:
    placed = np.array(vectors, dtype=np.float32).reshape(-1, 2)
    return RowVectors(placed, VECTORS @ placed.T)


def test_without_variety_nothing_on_the_page_matters() -> None:
    variety = RelevanceOnly(RELEVANCE)
    variety.place(row([1, 0]))
    assert variety.worth().tolist() == RELEVANCE.tolist()


def test_marginal_relevance_takes_the_nearest_title_of_the_page_off() -> None:
    variety = MaximalMarginalRelevance(RELEVANCE, 0.25)
    assert variety.worth() == pytest.approx([0.75, 0.375, 0.0])
    variety.place(row([1, 0]))  # cosines 1, 0.6, 0
    assert variety.worth() == pytest.approx([0.75 - 0.25, 0.375 - 0.15, 0.0])
    variety.place(row([0, 1], [-1, 0]))  # 0, 0.8, 1: the nearer of the page's titles counts
    assert variety.worth() == pytest.approx([0.5, 0.375 - 0.2, -0.25])
    variety.place(row())
    assert variety.worth() == pytest.approx([0.5, 0.175, -0.25])


unit_vectors = arrays(np.float64, (8, 5), elements=st.floats(-1, 1)).filter(
    lambda matrix: (np.linalg.norm(matrix, axis=1) > 0.1).all()
)


@given(vectors=unit_vectors, cut=st.integers(0, 3))
def test_the_gain_of_a_dpp_is_the_ratio_of_gram_determinants(vectors: np.ndarray, cut: int) -> None:
    units = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    candidates, page = units[:4], units[4:7]
    variety = DeterminantalPointProcess(np.zeros(4), candidates, 0.5)
    for part in (page[:cut], page[cut:]):  # how the page is cut into rows makes no difference
        variety.place(RowVectors(part, candidates @ part.T))

    def determinant(titles: np.ndarray) -> float:
        return float(np.linalg.det(titles.astype(np.float64) @ titles.T.astype(np.float64)))

    if determinant(page) < 1e-3:
        return  # the ratio cannot be told
    for place, candidate in enumerate(candidates):
        gain = determinant(np.vstack([page, candidate])) / determinant(page)
        assert variety.worth()[place] == pytest.approx(0.5 * np.log(max(gain, 1e-3)), abs=5e-3)


def test_titles_already_on_the_page_gain_nothing_in_a_dpp() -> None:
    variety = DeterminantalPointProcess(RELEVANCE, VECTORS, 0.5)
    variety.place(row([1, 0], [1, 0]))
    worth = variety.worth()
    assert worth[0] == pytest.approx(0.5 + 0.5 * np.log(1e-3))
    assert worth[2] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("none", RelevanceOnly), ("mmr", MaximalMarginalRelevance), ("dpp", DeterminantalPointProcess)],
)
def test_the_rules_name_the_variety(name: str, kind: type) -> None:
    rules = PageRules.model_validate({"variety": name})
    assert isinstance(variety_of(rules, RELEVANCE, VECTORS), kind)
