from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from feature_repo import schema as s
from feature_repo.transforms.cast import CastEncoder

COMEDIANS = [["Ana", "Bo", "Cy"], ["Bo", "Ana", "Di"], ["Cy", "Di", "Ana"]]
WARRIORS = [["Vik", "Wim", "Xan"], ["Wim", "Yan", "Vik"], ["Yan", "Xan", "Wim"]]


def billing(*casts: list[str]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(casts, pa.list_(pa.string()))])


def vectors(*casts: list[str], seed: int = 0) -> np.ndarray:
    """The vectors of a catalogue on its own axes."""
    return CastEncoder.fit(billing(*casts), seed).encode(billing(*casts))


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


def test_a_later_title_lies_where_a_title_of_the_catalogue_with_its_cast_lies():
    encoder = CastEncoder.fit(billing(*COMEDIANS, *WARRIORS), 0)
    later = encoder.encode(billing(WARRIORS[1]))
    np.testing.assert_allclose(later[0], vectors(*COMEDIANS, *WARRIORS)[4], rtol=1e-6)


def test_people_the_catalogue_does_not_know_are_left_out():
    encoder = CastEncoder.fit(billing(*COMEDIANS), 0)
    with_stranger, without, nobody = encoder.encode(billing(["Zoe", "Ana", "Bo"], ["Ana", "Bo"], ["Zoe"]))
    np.testing.assert_array_equal(with_stranger, without)
    assert not nobody.any()
