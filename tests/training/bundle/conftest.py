from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_repo.schema import ALS_DIMENSIONS, TWO_TOWER_DIMENSIONS
from feature_repo.transforms.candidate_mix import CANDIDATES
from feature_repo.transforms.confidence import Confidence
from feature_repo.transforms.towers import TOWER_SHAPES
from training.bundle import BundleContents, FileRecord, write_bundle
from training.bundle.manifest import MANIFEST_FILE, version_of

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WINDOW = (datetime(2025, 12, 5, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))

Contents = Callable[..., BundleContents]
Publish = Callable[..., Path]
Forge = Callable[[Path, str, bytes], Path]


def tower_weights(titles: int, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Random weights of the right shapes; sizes with a name are small."""
    sizes = {"titles": titles}
    return {
        name: rng.normal(size=[n if isinstance(n, int) else sizes.get(n, 4) for n in shape]).astype(
            np.float32
        )
        for name, shape in TOWER_SHAPES.items()
    }


@pytest.fixture
def contents() -> Contents:
    """Three titles, two members, two countries; any field can be replaced."""
    rng = np.random.default_rng(5)
    plain = BundleContents(
        title_ids=np.array(["t1", "t2", "t30"]),
        title_factors=rng.normal(size=(3, ALS_DIMENSIONS)).astype(np.float32),
        user_ids=np.array(["u1", "u2"]),
        user_factors=rng.normal(size=(2, ALS_DIMENSIONS)).astype(np.float32),
        confidence=Confidence(alpha=10.0, regularization=2.5, minimum_fraction=0.1),
        tower_weights=tower_weights(3, rng),
        tower_title_vectors=rng.normal(size=(3, TWO_TOWER_DIMENSIONS)).astype(np.float32),
        content_to_als=rng.normal(size=(TWO_TOWER_DIMENSIONS + 1, ALS_DIMENSIONS)).astype(np.float32),
        ranker=b"{L\x00trees}",
        segments=np.array(["", "KR", "KR/ko"]),
        popularity=np.array([[3, 2, 1], [1, 0, 0], [0, 1, 0]], dtype=np.float32),
        countries=np.array(["", "KR"]),
        trending=np.array([[0.5, 0.25, 0], [0, 0, 1]], dtype=np.float32),
        trending_weights=np.array([3, 2], dtype=np.float32),
        hit_rate_sources=np.array(["als"]),
        hit_rates=np.linspace(0.1, 0, CANDIDATES, dtype=np.float32)[None, :],
    )
    return lambda **changed: replace(plain, **changed)


@pytest.fixture
def publish(tmp_path: Path, contents: Contents) -> Publish:
    """Write a bundle and return its folder."""

    def write(changed: dict[str, Any] | None = None, **arguments: Any) -> Path:
        given: dict[str, Any] = {
            "created_at": CREATED,
            "data_window": WINDOW,
            "schema_hash": "schema-1",
            "seed": 7,
            "parent": None,
            "metrics": {"recall@20": 0.25},
        }
        return tmp_path / write_bundle(tmp_path, contents(**(changed or {})), **(given | arguments))

    return write


@pytest.fixture
def forge() -> Forge:
    """Replace a file and put its new checksum into manifest, version and folder name."""

    def replace_file(bundle: Path, name: str, data: bytes) -> Path:
        (bundle / name).write_bytes(data)
        manifest = json.loads((bundle / MANIFEST_FILE).read_text())
        manifest["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        records = {n: FileRecord(**record) for n, record in manifest["files"].items()}
        manifest["version"] = version_of(CREATED, records)
        (bundle / MANIFEST_FILE).write_text(json.dumps(manifest))
        return bundle.rename(bundle.parent / manifest["version"])

    return replace_file
