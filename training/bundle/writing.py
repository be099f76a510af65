"""Bundles written to disk: built beside their place, then renamed into it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from feature_repo.transforms.ranking import RANKING_FEATURES_HASH
from training.bundle.contents import (
    ARRAY_FILES,
    FILES,
    RANKER_FILE,
    BundleContents,
    canonical,
    check_contents,
)
from training.bundle.errors import BundleError
from training.bundle.manifest import (
    FORMAT_VERSION,
    MANIFEST_FILE,
    DataWindow,
    FileRecord,
    Manifest,
    read_manifest,
    recorded,
    refused_fields,
    version_of,
)


def write_bundle(
    root: Path,
    contents: BundleContents,
    *,
    created_at: datetime,
    data_window: tuple[datetime, datetime],
    schema_hash: str,
    seed: int,
    parent: str | None,
    metrics: Mapping[str, Any],
    memory_plan: str | None = None,
) -> str:
    """Publish a bundle under ``root`` and return its version, ``YYYYMMDDTHHMMSSZ-<8 hex of content>``.

    Instants need a time zone; ``metrics`` holds JSON values with finite numbers; ``memory_plan`` names how
    much a retrain took on, None for a training that went by no plan. The folder appears
    complete or not at all. Publishing the very same bundle twice is one bundle. Raises
    :class:`BundleError` for contents that are not fit to serve and for a version already taken by
    a bundle with another manifest.
    """
    check_contents(contents)
    root.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=".staging-", dir=root))
    try:
        files = _write_files(stage, contents)
        manifest = _manifest(
            files=files, created_at=created_at, data_window=data_window, schema_hash=schema_hash,
            seed=seed, parent=parent, metrics=metrics, confidence=recorded(contents.confidence),
            ranker_decides=contents.ranker_decides, memory_plan=memory_plan,
        )  # fmt: skip
        _write_synced(stage / MANIFEST_FILE, manifest.to_json().encode())
        stage.chmod(0o755)
        _publish(stage, root / manifest.version, manifest)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return manifest.version


def _write_files(stage: Path, contents: BundleContents) -> dict[str, FileRecord]:
    for folder in sorted({(stage / name).parent for name in FILES} - {stage}):
        folder.mkdir(parents=True, exist_ok=True)
    records = {}
    for name in sorted(FILES):
        if name == RANKER_FILE:
            _write_synced(stage / name, contents.ranker)
        else:
            _write_synced(stage / name, canonical(ARRAY_FILES[name].of(contents)))
        with (stage / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            records[name] = FileRecord(sha256=digest, bytes=file.tell())
    return records


def _manifest(
    *, files: dict[str, FileRecord], data_window: tuple[datetime, datetime], created_at: datetime, **rest: Any
) -> Manifest:
    try:
        return Manifest(
            format_version=FORMAT_VERSION,
            version=version_of(created_at, files),
            created_at=created_at,
            ranking_features_hash=RANKING_FEATURES_HASH,
            data_window=DataWindow(start=data_window[0], end=data_window[1]),
            files=files,
            **rest,
        )
    except ValidationError as error:
        raise refused_fields(MANIFEST_FILE, error, "Correct the argument.") from error


def _write_synced(path: Path, data: bytes | NDArray[Any]) -> None:
    with path.open("wb") as file:
        if isinstance(data, bytes):
            file.write(data)
        else:
            np.lib.format.write_array(file, data, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _publish(stage: Path, place: Path, manifest: Manifest) -> None:
    for folder in (*(p for p in stage.rglob("*") if p.is_dir()), stage):
        _sync_folder(folder)
    try:
        stage.rename(place)
    except OSError as error:
        if not place.is_dir():
            raise
        # Another publisher got there first, or the same training ran twice.
        if read_manifest(place).to_json() != manifest.to_json():
            found, expected = "another manifest under this version", "a new version"
            raise BundleError(place, found, expected, "Publish with a later created_at.") from error
    _sync_folder(place.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
