from __future__ import annotations

from hashlib import blake2b
from struct import pack

import numpy as np

from feature_repo.transforms.features_hash import features_hashes


def test_it_is_the_digest_of_the_bytes_without_its_lowest_bit() -> None:
    digest = blake2b(pack("<3f", 1.0, -2.5, 0.0), digest_size=8).hexdigest()
    assert features_hashes(np.array([[1.0, -2.5, 0.0]], np.float32)) == [int(digest, 16) // 2]


def test_it_is_the_same_on_every_machine_and_for_ever() -> None:
    assert features_hashes(np.array([[0.5, 0.25], [np.nan, 7]], np.float32)) == [
        1436845264315475691,
        7178058636002507304,
    ]


def test_rows_that_differ_in_the_last_bit_differ() -> None:
    one = np.float32(1)
    rows = np.array([[one], [np.nextafter(one, np.float32(2))]])
    assert len(set(features_hashes(rows))) == 2


def test_what_is_unknown_is_one_value_and_so_is_nothing() -> None:
    strange = np.frombuffer(pack("<I", 0xFFC00001), np.float32)[0]  # a NaN of another make
    assert len(set(features_hashes(np.array([[np.nan], [strange]], np.float32)))) == 1
    assert len(set(features_hashes(np.array([[0.0], [-0.0]], np.float32)))) == 1


def test_it_fits_a_signed_column_and_the_order_in_memory_does_not_matter() -> None:
    matrix = np.random.default_rng(0).normal(size=(500, 7)).astype(np.float32)
    hashes = features_hashes(matrix)
    assert all(0 <= value < 2**63 for value in hashes)
    assert features_hashes(np.asfortranarray(matrix)) == hashes
