from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.bundle import BundleError, load_bundle
from training.bundle.contents import FILES
from training.bundle.manifest import MANIFEST_FILE


def _npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def _edit(bundle: Path, **fields: object) -> None:
    manifest = json.loads((bundle / MANIFEST_FILE).read_text())
    (bundle / MANIFEST_FILE).write_text(json.dumps(manifest | fields))


@pytest.mark.parametrize("name", sorted(FILES | {MANIFEST_FILE}))
def test_a_missing_file_is_named(publish: Any, name: str) -> None:
    bundle = publish()
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=name):
        load_bundle(bundle)


@pytest.mark.parametrize("name", sorted(FILES))
def test_one_flipped_bit_is_found_in_any_file(publish: Any, name: str) -> None:
    bundle = publish()
    data = bytearray((bundle / name).read_bytes())
    data[-1] ^= 1
    (bundle / name).write_bytes(data)
    with pytest.raises(BundleError, match=rf"{name}: found SHA-256"):
        load_bundle(bundle)


def test_a_truncated_file_is_told_by_its_size(publish: Any) -> None:
    bundle = publish()
    data = (bundle / "title_ids.npy").read_bytes()
    (bundle / "title_ids.npy").write_bytes(data[:-4])
    with pytest.raises(BundleError, match=rf"found {len(data) - 4} bytes; expected {len(data)}"):
        load_bundle(bundle)


def test_a_surplus_file_is_refused(publish: Any) -> None:
    bundle = publish()
    (bundle / "als" / "notes.txt").write_text("hello")
    with pytest.raises(BundleError, match=r"als/notes\.txt: found a surplus file"):
        load_bundle(bundle)


def test_a_link_out_of_the_folder_is_refused(publish: Any, tmp_path: Path) -> None:
    bundle = publish()
    outside = (bundle / "ranker.ubj").rename(tmp_path / "outside")
    (bundle / "ranker.ubj").symlink_to(outside)
    with pytest.raises(BundleError, match="symbolic link"):
        load_bundle(bundle)


def test_an_array_of_objects_is_never_unpickled(publish: Any, forge: Any) -> None:
    bundle = forge(
        publish(), "title_ids.npy", _npy(np.array(["a", 1, None], dtype=object), allow_pickle=True)
    )
    with pytest.raises(BundleError, match="without objects"):
        load_bundle(bundle)


@pytest.mark.parametrize("data", [b"", b"no array", _npy(np.ones((2, 3), dtype=np.float32))[:-4]])
def test_a_file_that_is_no_array_is_refused(publish: Any, forge: Any, data: bytes) -> None:
    bundle = forge(publish(), "trending/scores.npy", data)
    with pytest.raises(BundleError, match=r"trending/scores.npy: found an unreadable array"):
        load_bundle(bundle)


def test_a_file_whose_header_promises_the_moon_is_refused(publish: Any, forge: Any) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f4", "fortran_order": False, "shape": (1 << 50, 128)}
    )
    bundle = forge(publish(), "als/user_factors.npy", buffer.getvalue())
    with pytest.raises(BundleError, match="unreadable array"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((3, 3), np.nan, dtype=np.float32), "nan at"),
        (np.full((3, 3), np.inf, dtype=np.float32), "inf at"),
        (np.zeros((3, 4), dtype=np.float32), r"shape \(3, 4\); expected \(3, 3\)"),
        (np.zeros((3, 3)), "dtype float64"),
    ],
)
def test_a_valid_checksum_does_not_excuse_unfit_arrays(
    publish: Any, forge: Any, array: np.ndarray, message: str
) -> None:
    bundle = forge(publish(), "popularity/scores.npy", _npy(array))
    with pytest.raises(BundleError, match=message) as refused:
        load_bundle(bundle)
    assert refused.value.file == str(bundle / "popularity/scores.npy")


def test_a_bundle_of_another_schema_is_refused_where_one_is_expected(publish: Any) -> None:
    bundle = publish()
    assert load_bundle(bundle).manifest.schema_hash == "schema-1"
    with pytest.raises(BundleError, match="schema_hash 'schema-1'; expected 'schema-2'"):
        load_bundle(bundle, "schema-2")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ranking_features_hash": "0" * 64}, "ranking_features_hash '000.*Train a new bundle"),
        ({"format_version": 1}, "format_version 1; expected 2"),
        ({"format_version": None}, "format_version None"),
        ({"version": "20260102T030405Z-00000000"}, "do not rename"),
        ({"version": "../20260102T030405Z-00000000"}, "version = '../"),
        ({"files": {}}, "found files"),
        ({"files": {"../../secret": {"sha256": "0" * 64, "bytes": 1}}}, "secret"),
        ({"seed": "seven"}, "seed = 'seven'"),
        ({"owner": "someone"}, "owner"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(publish: Any, fields: dict[str, Any], message: str) -> None:
    bundle = publish()
    _edit(bundle, **fields)
    with pytest.raises(BundleError, match=message):
        load_bundle(bundle)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_manifest_that_is_no_object_is_refused(publish: Any, text: str) -> None:
    bundle = publish()
    (bundle / MANIFEST_FILE).write_text(text)
    with pytest.raises(BundleError, match=MANIFEST_FILE):
        load_bundle(bundle)


def test_a_checksum_changed_along_with_its_file_does_not_fit_the_version(publish: Any, forge: Any) -> None:
    bundle = publish()
    forged = forge(bundle, "ranker.ubj", b"{other")
    _edit(forged, version=bundle.name)
    with pytest.raises(BundleError, match="version"):
        load_bundle(forged.rename(bundle))


@pytest.mark.parametrize("name", ["latest", "..", "20260102T030405Z-0A1B2C3D", "20260102T030405Z-0a1b2c3d\n"])
def test_only_a_version_names_a_bundle(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match="version"):
        load_bundle(tmp_path / name)


def test_reading_a_bundle_needs_no_training_library() -> None:
    heavy = ("implicit", "torch", "xgboost", "sklearn", "scipy", "pandas", "feast")
    program = f"import sys, training.bundle; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
