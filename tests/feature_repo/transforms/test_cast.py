from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.transforms.cast import cast_vectors

COMEDIANS = [["Ana", "Bo", "Cy"], ["Bo", "Ana", "Di"], ["Cy", "Di", "Ana"]]
WARRIORS = [["Vik", "Wim", "Xan"], ["Wim", "Yan", "Vik"], ["Yan", "Xan", "Wim"]]


def vectors(*casts: list[str], seed: int = 0) -> np.ndarray:
    return cast_vectors(pa.chunked_array([pa.array(casts, pa.list_(pa.string()))]), seed)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_titles_of_people_who_work_together_lie_close():
    made = vectors(*COMEDIANS, *WARRIORS)
    assert made.shape == (6, s.CAST_DIMENSIONS)
    assert made.dtype == np.float32
    assert cosine(made[0], made[1]) > 0.5
    assert abs(cosine(made[0], made[3])) < 1e-3


def test_title_without_known_company_is_zero():
    made = vectors(*COMEDIANS, [], ["Solo"])
    assert not made[3:].any()


def test_only_the_top_five_count():
    crowd = ["Ana", "Bo", "Cy", "Di", "Ed"]
    made = vectors(*COMEDIANS, crowd, [*crowd, "Flo"], ["Flo", "Gil"])
    assert made[3] == pytest.approx(made[4])


def test_same_seed_gives_the_same_vectors_and_another_the_same_signs():
    first = vectors(*COMEDIANS, *WARRIORS)
    np.testing.assert_array_equal(first, vectors(*COMEDIANS, *WARRIORS))
    other = vectors(*COMEDIANS, *WARRIORS, seed=9)
    assert first @ first.T == pytest.approx(other @ other.T, abs=1e-4)


@pytest.mark.parametrize("casts", [[], [[]], [["Solo"], ["Una"]]])
def test_catalogue_without_co_appearances_is_all_zero(casts: list[list[str]]):
    made = vectors(*casts)
    assert made.shape == (len(casts), s.CAST_DIMENSIONS)
    assert not made.any()


def test_name_listed_twice_counts_once():
    assert vectors(["Ana", "Ana", "Bo"], ["Bo", "Cy"]) == pytest.approx(vectors(["Ana", "Bo"], ["Bo", "Cy"]))
