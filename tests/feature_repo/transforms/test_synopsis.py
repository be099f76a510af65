from __future__ import annotations

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.transforms.synopsis import SynopsisEncoder

SHIPS = [
    "A pirate ship sails stormy seas",
    "Stormy seas sink the pirate captain",
    "The captain steers a ship",
]
FOOD = ["A chef cooks noodle soup", "Noodle soup for the hungry chef", "The hungry baker cooks bread"]


def synopsis_embeddings(texts: list[str | None], seed: int) -> np.ndarray:
    """The embeddings of a catalogue on its own axes."""
    return SynopsisEncoder.fit(texts, seed).encode(texts)


def test_texts_that_share_words_lie_close():
    made = synopsis_embeddings([*SHIPS, *FOOD], seed=0)
    assert made.shape == (6, s.SYNOPSIS_DIMENSIONS)
    assert made.dtype == np.float32
    assert made[0] @ made[1] > made[0] @ made[4] + 0.2


def test_vectors_have_unit_length_and_few_texts_leave_the_rest_zero():
    made = synopsis_embeddings([*SHIPS, *FOOD], seed=0)
    assert np.linalg.norm(made, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    assert not made[:, 6:].any()


def test_missing_empty_and_stop_word_texts_are_exactly_zero():
    made = synopsis_embeddings([*SHIPS, None, "", "and the of"], seed=0)
    assert not made[3:].any()


@pytest.mark.parametrize("texts", [[], [None], ["", "the and"]])
def test_catalogue_without_words_is_all_zero(texts: list[str | None]):
    made = synopsis_embeddings(texts, seed=0)
    assert made.shape == (len(texts), s.SYNOPSIS_DIMENSIONS)
    assert not made.any()


def test_single_text_is_a_unit_vector():
    made = synopsis_embeddings(["pirate"], seed=0)
    assert np.abs(made[0]).tolist() == [1.0] + [0.0] * (s.SYNOPSIS_DIMENSIONS - 1)


def test_same_seed_gives_the_same_vectors_signs_included():
    first, again = (synopsis_embeddings([*SHIPS, *FOOD], seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_a_later_text_lies_where_the_same_text_of_the_catalogue_lies():
    encoder = SynopsisEncoder.fit([*SHIPS, *FOOD], seed=0)
    catalogue = synopsis_embeddings([*SHIPS, *FOOD], seed=0)
    np.testing.assert_allclose(encoder.encode([FOOD[2]])[0], catalogue[5], rtol=1e-6)


def test_words_the_catalogue_does_not_know_say_nothing():
    encoder = SynopsisEncoder.fit(SHIPS, seed=0)
    plain, stranger, nothing = encoder.encode(["pirate ship", "pirate ship xylophone", "xylophone"])
    np.testing.assert_allclose(plain, stranger, rtol=1e-6)
    assert not nothing.any()
