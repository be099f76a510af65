from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from feature_repo import schema as s
from feature_repo.transforms import towers as t

# Monday 2024-01-01 20:30 UTC
NOW = 1_704_141_000_000_000.0


def weights(seed: int = 0, titles: int = 7) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(size=[titles if n == "titles" else n for n in shape]).astype(np.float32) * 0.1
        for name, shape in t.TOWER_SHAPES.items()
    }


def some_members(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    context = rng.random((n, t.CONTEXT_INPUT_DIMENSIONS), dtype=np.float32)
    return rng.integers(0, 7, (n, 5)), rng.random((n, 5), dtype=np.float32), context


@given(st.integers(0, 2**31), st.integers(1, 6))
def test_numpy_and_torch_give_the_same_vectors(seed: int, n: int) -> None:
    w = weights(seed)
    as_torch = {name: torch.from_numpy(array) for name, array in w.items()}
    history, mask, context = some_members(n, seed)
    ours = t.user_tower(w, history, mask, context)
    theirs = t.user_tower(as_torch, *(torch.from_numpy(a) for a in (history, mask, context)))
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)
    inputs = np.random.default_rng(seed).random((n, t.TITLE_INPUT_DIMENSIONS), dtype=np.float32)
    np.testing.assert_allclose(
        t.item_tower(w, inputs), t.item_tower(as_torch, torch.from_numpy(inputs)).numpy(), atol=1e-5
    )


def test_vectors_have_unit_length_and_the_promised_size() -> None:
    user = t.user_tower(weights(), *some_members(4, 1))
    title = t.item_tower(weights(), np.ones((3, t.TITLE_INPUT_DIMENSIONS), dtype=np.float32))
    assert (user.shape, title.shape) == ((4, s.TWO_TOWER_DIMENSIONS), (3, s.TWO_TOWER_DIMENSIONS))
    for vectors in (user, title):
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_history_is_the_weighted_mean_of_its_embeddings() -> None:
    w = weights()
    mean = t.history_mean(w, np.array([[3, 5, 0]]), np.array([[1.0, 3.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(mean[0], 0.25 * w["history"][3] + 0.75 * w["history"][5], rtol=1e-5)


def test_an_empty_history_is_zero_whatever_stands_in_its_places() -> None:
    assert not t.history_mean(weights(), np.array([[6, 2]]), np.zeros((1, 2), np.float32)).any()


def test_the_order_of_a_history_does_not_matter() -> None:
    history, mask, context = some_members(1, 2)
    turned = t.user_tower(weights(), history[:, ::-1], mask[:, ::-1], context)
    np.testing.assert_allclose(turned, t.user_tower(weights(), history, mask, context), atol=1e-6)


def test_the_context_is_device_hour_and_weekday() -> None:
    made = t.context_inputs(np.array([NOW, NOW]), np.array(["tablet", "fridge"]))
    devices, hours, days = np.split(made, [len(s.DEVICES) + 1, len(s.DEVICES) + 25], axis=1)
    assert devices.tolist() == [[0, 0, 1, 0, 0], [0, 0, 0, 0, 1]]
    assert hours.argmax(axis=1).tolist() == [20, 20]
    assert days.argmax(axis=1).tolist() == [0, 0]
    assert made.sum(axis=1).tolist() == [3, 3]


def test_what_is_unknown_of_a_title_is_zero() -> None:
    nothing = t.title_inputs({
        s.GENRE_VECTOR: np.full((1, len(s.GENRES)), np.nan), s.CAST_VECTOR: np.full((1, 64), np.nan),
        s.SYNOPSIS_EMBEDDING: np.full((1, 512), np.nan), s.ORIGINAL_LANGUAGE: np.array([""]),
        s.RELEASE_YEAR: np.array([np.nan]),
    })  # fmt: skip
    assert nothing.shape == (1, t.TITLE_INPUT_DIMENSIONS)
    assert not nothing.any()


def test_language_and_year_have_their_places() -> None:
    made = t.title_inputs({
        s.GENRE_VECTOR: np.zeros((2, len(s.GENRES))), s.CAST_VECTOR: np.zeros((2, 64)),
        s.SYNOPSIS_EMBEDDING: np.zeros((2, 512)), s.ORIGINAL_LANGUAGE: np.array(["ko", "tlh"]),
        s.RELEASE_YEAR: np.array([2020.0, 1980.0]),
    })  # fmt: skip
    languages = made[:, -3 - len(t.LANGUAGES) : -3]
    assert languages[0].argmax() == t.LANGUAGES.index("ko")
    assert not languages[1].any()
    assert made[:, -3:].tolist() == [[0, 1, 1], [1, -1, 1]]


def test_a_title_watched_further_counts_more_and_an_empty_place_nothing() -> None:
    assert t.history_weights(np.array([0.0, 0.5, 1.0, np.nan])) == pytest.approx([0.1, 0.55, 1.0, 0.0])
