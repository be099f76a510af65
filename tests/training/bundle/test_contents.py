from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from training.bundle import BundleError
from training.bundle.contents import canonical, check_contents


def test_accepts_arrays_that_agree(contents: Any) -> None:
    check_contents(contents())


def test_accepts_a_bundle_without_members(contents: Any) -> None:
    no_one = {"user_ids": np.array([], dtype=str), "user_factors": np.zeros((0, 128), dtype=np.float32)}
    check_contents(contents(**no_one))


def test_accepts_the_zero_row_of_a_title_without_interactions(contents: Any) -> None:
    check_contents(contents(title_factors=np.zeros((3, 128), dtype=np.float32)))


@pytest.mark.parametrize(
    ("changed", "file", "message"),
    [
        ({"title_ids": np.array(["t1", "t2"])}, "als/title_factors.npy", r"shape \(3, 128\).*\(2, 128\)"),
        ({"user_ids": np.array(["u1"])}, "als/user_factors.npy", r"\(1, 128\) \(users × 128\)"),
        ({"title_factors": np.zeros((3, 64), dtype=np.float32)}, "als/title_factors.npy", r"\(3, 64\)"),
        ({"segments": np.array(["", "KR"])}, "popularity/scores.npy", r"expected \(2, 3\)"),
        ({"countries": np.array(["", "KR", "DE"])}, "trending/scores.npy", r"expected \(3, 3\)"),
        ({"tower_title_vectors": np.zeros((3, 8), dtype=np.float32)}, "two_tower/title_vectors.npy", r"3, 8"),
        ({"content_to_als": np.zeros((256, 128), dtype=np.float32)}, "two_tower/content_to_als.npy", r"257"),
        (
            {"hit_rates": np.zeros((2, 500), dtype=np.float32)},
            "hit_rates/by_rank.npy",
            r"expected \(1, 500\)",
        ),
        ({"trending": np.zeros(3, dtype=np.float32)}, "trending/scores.npy", r"shape \(3,\)"),
        ({"title_ids": np.array([["t1"]])}, "title_ids.npy", r"shape \(1, 1\)"),
        ({"title_factors": np.zeros((3, 128))}, "als/title_factors.npy", "dtype float64; expected float32"),
        ({"title_ids": np.array([1, 2, 3])}, "title_ids.npy", "dtype int64; expected unicode strings"),
        ({"title_ids": np.array(["a", "b", "c"], dtype=object)}, "title_ids.npy", "dtype object"),
        ({"title_ids": np.array(["t1", "t2", "t1"])}, "title_ids.npy", "'t1' more than once"),
        ({"countries": np.array(["KR", ""])}, "trending/countries.npy", "'KR' first"),
        ({"segments": np.array(["KR", "", "/ko"])}, "popularity/segments.npy", "'KR' first"),
        ({"ranker": b""}, "ranker.ubj", "0 bytes"),
        ({"ranker": b"\x80\x04pickled"}, "ranker.ubj", "UBJSON"),
    ],
)
def test_refuses_what_cannot_be_served_and_names_the_file(
    contents: Any, changed: dict[str, Any], file: str, message: str
) -> None:
    with pytest.raises(BundleError, match=message) as refused:
        check_contents(contents(**changed))
    assert refused.value.file == file
    assert refused.value.remedy


def test_refuses_towers_that_lack_a_weight_and_names_it(contents: Any) -> None:
    weights = contents().tower_weights
    missing = sorted(weights)[0]
    fewer = {name: array for name, array in weights.items() if name != missing}
    with pytest.raises(BundleError, match="no such array") as refused:
        check_contents(contents(tower_weights=fewer))
    assert missing in refused.value.file


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_refuses_numbers_that_are_not_finite_and_says_where(contents: Any, value: float) -> None:
    factors = np.ones((2, 128), dtype=np.float32)
    factors[1, 4] = value
    with pytest.raises(BundleError, match=r"at \[1, 4\], 1 values"):
        check_contents(contents(user_factors=factors))


def test_refuses_an_empty_catalogue(contents: Any) -> None:
    empty = {
        "title_ids": np.array([], dtype=str),
        "title_factors": np.zeros((0, 128), dtype=np.float32),
        "popularity": np.zeros((3, 0), dtype=np.float32),
        "tower_title_vectors": np.zeros((0, 256), dtype=np.float32),
        "trending": np.zeros((2, 0), dtype=np.float32),
    }
    with pytest.raises(BundleError, match="no titles"):
        check_contents(contents(**empty))


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)))
def test_canonical_strings_keep_their_values_and_lose_their_padding(words: list[str]) -> None:
    narrow, wide = np.array(words, dtype=str), np.array(words, dtype="<U40")
    assert canonical(wide).tolist() == words
    assert canonical(wide).tobytes() == canonical(narrow).tobytes()


def test_canonical_floats_do_not_depend_on_memory_layout() -> None:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    for other in (np.asfortranarray(rows), rows.astype(">f4"), np.repeat(rows, 2, axis=1)[:, ::2]):
        assert canonical(other).tobytes() == rows.tobytes()
