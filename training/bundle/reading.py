"""Bundles read from disk: verified whole, byte by byte, before anything is served."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.ranking import RANKING_FEATURES_HASH
from training.bundle.contents import (
    ARRAY_FILES,
    FILES,
    RANKER_FILE,
    ArrayFile,
    BundleContents,
    check_contents,
)
from training.bundle.errors import REPUBLISH, BundleError, OtherSchemaError
from training.bundle.manifest import (
    MANIFEST_FILE,
    FileRecord,
    Manifest,
    check_version,
    is_version,
    read_manifest,
    version_of,
)


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A verified bundle: its folder, its manifest and its models."""

    path: Path
    manifest: Manifest
    contents: BundleContents


def list_bundles(root: Path) -> list[str]:
    """Return the versions published under ``root``, oldest first; empty if there is no such folder."""
    if not root.is_dir():
        return []
    return sorted(p.name for p in root.iterdir() if is_version(p.name) and (p / MANIFEST_FILE).is_file())


def load_bundle(path: Path, expected_schema_hash: str | None = None) -> Bundle:
    """Read a bundle from its folder and verify every byte of it; nothing is unpickled.

    Raises :class:`BundleError` if a file is missing, surplus, truncated or altered, if an array has
    another type or shape or a number that is not finite, and if the bundle was made for other ranking
    features or (where ``expected_schema_hash`` is given) another schema.
    """
    check_version(path.name, path)
    manifest = read_manifest(path)
    _check_manifest(path, manifest, expected_schema_hash)
    _check_folder(path)
    fields: dict[str, Any] = {
        "tower_weights": {}, "confidence": manifest.fold_in_confidence(),
        "ranker_decides": manifest.ranker_decides,
    }  # fmt: skip
    for name, record in manifest.files.items():
        with (path / name).open("rb") as file:
            _check_bytes(file, path / name, record)
            if name == RANKER_FILE:
                fields["ranker"] = file.read()
            else:
                _put(fields, ARRAY_FILES[name], _read_array(file, path / name))
    contents = BundleContents(**fields)
    try:
        check_contents(contents)
    except BundleError as error:
        raise BundleError(path / error.file, error.found, error.expected, error.remedy) from error
    return Bundle(path, manifest, contents)


def _put(fields: dict[str, Any], declared: ArrayFile, array: NDArray[Any]) -> None:
    if declared.key is None:
        fields[declared.field] = array
    else:
        fields[declared.field][declared.key] = array


def _check_manifest(path: Path, manifest: Manifest, expected_schema_hash: str | None) -> None:
    def expect(field: str, found: object, expected: object, remedy: str) -> None:
        if found != expected:
            kind = OtherSchemaError if field.endswith("_hash") else BundleError
            raise kind(path / MANIFEST_FILE, f"{field} {found!r}", f"{expected!r}", remedy)

    expect("version", manifest.version, path.name, "A bundle's folder carries its version: do not rename it.")
    ours = "Train a new bundle with this version of the code."
    expect("ranking_features_hash", manifest.ranking_features_hash, RANKING_FEATURES_HASH, ours)
    if expected_schema_hash is not None:
        expect("schema_hash", manifest.schema_hash, expected_schema_hash, ours)
    expect("files", sorted(manifest.files), sorted(FILES), REPUBLISH)
    by_contents = version_of(manifest.created_at, manifest.files)
    expect("version", manifest.version, by_contents, REPUBLISH)


def _check_folder(path: Path) -> None:
    """Refuse missing and surplus files, and links, which could lead out of the folder."""
    found = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_symlink() or not p.is_dir()}
    expected = FILES | {MANIFEST_FILE}
    for name in sorted(expected - found):
        raise BundleError(path / name, "no such file", "a file of the bundle", REPUBLISH)
    for name in sorted(found - expected):
        raise BundleError(path / name, "a surplus file", "only the manifest's files", "Remove it.")
    for name in sorted(found):
        if (path / name).is_symlink():
            raise BundleError(path / name, "a symbolic link", "a regular file", REPUBLISH)


def _check_bytes(file: BufferedReader, path: Path, record: FileRecord) -> None:
    size = os.fstat(file.fileno()).st_size
    if size != record.bytes:
        raise BundleError(path, f"{size} bytes", f"{record.bytes}", REPUBLISH)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != record.sha256:
        raise BundleError(path, f"SHA-256 {digest}", record.sha256, REPUBLISH)
    file.seek(0)


def _read_array(file: BufferedReader, path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        found = f"an unreadable array ({error})"
        raise BundleError(path, found, "a .npy file without objects", REPUBLISH) from error
    return array
