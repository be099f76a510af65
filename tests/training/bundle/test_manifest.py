from __future__ import annotations

from datetime import UTC, datetime

import pytest

from training.bundle import BundleError, FileRecord
from training.bundle.manifest import check_version, is_version, version_of

INSTANT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ONE = FileRecord(sha256="1" * 64, bytes=10)
TWO = FileRecord(sha256="2" * 64, bytes=10)


def test_the_order_of_files_does_not_change_the_version() -> None:
    assert version_of(INSTANT, {"a": ONE, "b": TWO}) == version_of(INSTANT, {"b": TWO, "a": ONE})


def test_swapped_files_change_the_version() -> None:
    assert version_of(INSTANT, {"a": ONE, "b": TWO}) != version_of(INSTANT, {"a": TWO, "b": ONE})


def test_the_digits_are_the_hash_of_names_and_checksums() -> None:
    # printf 'a 111…1' | sha256sum, with 64 ones
    assert version_of(INSTANT, {"a": ONE}) == "20260102T030405Z-663365bf"
    assert is_version(version_of(INSTANT, {"a": ONE}))


def test_versions_sort_by_time() -> None:
    assert version_of(INSTANT, {"a": TWO}) < version_of(INSTANT.replace(second=6), {"a": ONE})


@pytest.mark.parametrize(
    "text", ["", ".", "a/b", "../20260102T030405Z-0a1b2c3d", "20260102T030405Z-0a1b2c3d/"]
)
def test_no_path_passes_for_a_version(text: str) -> None:
    assert not is_version(text)
    with pytest.raises(BundleError, match="version"):
        check_version(text, "somewhere")
