"""Bundles that are damaged, published twice at once, or of which there is no registry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from feature_repo.settings import Settings
from serving.bundles import KeeperSettings
from serving.server import service_of
from tests.conftest import TrainedService
from tests.faults.conftest import Victim
from tests.faults.declarations import fault
from training.bundle import BundleAliases, load_bundle, write_bundle
from training.bundle.manifest import MANIFEST_FILE, FileRecord, version_of

FACTORS = "als/title_factors.npy"


def published(victim: Victim, hours: int) -> str:
    """Publish the champion's models once more, as of some hours later; return the version."""
    root = victim.settings.bundles
    bundle = load_bundle(root / victim.service.state.models.version)
    manifest = bundle.manifest
    return write_bundle(
        root, replace(bundle.contents), created_at=manifest.created_at + timedelta(hours=hours),
        data_window=(manifest.data_window.start, manifest.data_window.end),
        schema_hash=manifest.schema_hash, seed=hours, parent=None, metrics={},
    )  # fmt: skip


def truncated(bundle: Path) -> Path:
    file = bundle / FACTORS
    file.write_bytes(file.read_bytes()[:-100])
    return bundle


def with_a_bit_flipped(bundle: Path) -> Path:
    file = bundle / FACTORS
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(bytes(data))
    return bundle


def with_nan(bundle: Path) -> Path:
    """Put NaN in, and make every checksum fit, as whoever trained it would have."""
    factors = np.load(bundle / FACTORS, allow_pickle=False)
    factors[3, 3] = np.nan
    np.save(bundle / FACTORS, factors, allow_pickle=False)
    data = (bundle / FACTORS).read_bytes()
    manifest: dict[str, Any] = json.loads((bundle / MANIFEST_FILE).read_text())
    record = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    manifest["files"][FACTORS] = record
    files = {name: FileRecord(**one) for name, one in manifest["files"].items()}
    manifest["version"] = version_of(datetime.fromisoformat(manifest["created_at"]), files)
    (bundle / MANIFEST_FILE).write_text(json.dumps(manifest))
    return bundle.rename(bundle.with_name(manifest["version"]))


@fault(
    "bundle truncated, bit-flipped, or with NaN",
    noticed="refused before it serves, with file and reason in the log; `marquee_bundle_refusals_total`",
    members_get="the pages of the bundle before it",
    heals="with the next sound bundle, or with the alias put back",
)
@pytest.mark.parametrize("damage", [truncated, with_a_bit_flipped, with_nan])
def test_a_damaged_bundle(victim: Victim, damage: Callable[[Path], Path]) -> None:
    assert victim.service.keeper is not None
    before, root = victim.service.state.models.version, victim.settings.bundles
    bad, good = published(victim, 1), published(victim, 2)
    aliases, refused = BundleAliases(root), victim.metric("marquee_bundle_refusals_total")
    aliases.set("champion", damage(root / bad).name)
    victim.service.keeper.check()
    assert victim.metric("marquee_bundle_refusals_total") == refused + 1
    assert victim.healed(victim.members[0])["bundle"] == before
    aliases.set("champion", good)
    victim.service.keeper.check()
    assert victim.healed(victim.members[0])["bundle"] == good


@fault(
    "two publishers at once",
    noticed="not at all: a bundle appears whole or not, an alias is replaced by rename",
    members_get="the pages of the one that came last; the other can be activated",
    heals="nothing to heal",
)
def test_two_publishers(victim: Victim) -> None:
    assert victim.service.keeper is not None
    together, root = Barrier(2), victim.settings.bundles

    def publish(hours: int) -> str:
        together.wait()
        version = published(victim, hours)
        BundleAliases(root).set("champion", version)
        return version

    with ThreadPoolExecutor(2) as publishers:
        versions = list(publishers.map(publish, (1, 2)))
    for version in versions:
        load_bundle(root / version)  # verified whole
    victim.service.keeper.check()
    page = victim.healed(victim.members[0])
    assert page["bundle"] == BundleAliases(root).get("champion")
    assert page["bundle"] in versions


@fault(
    "registry missing",
    noticed="at a worker's start",
    members_get="their pages as ever: workers have read it",
    heals="made anew from the definitions at the next start",
)
def test_registry_missing(victim: Victim, trained_service: TrainedService) -> None:
    settings: Settings = victim.settings
    settings.registry.unlink()
    victim.healed(victim.members[0])
    again = service_of(settings, KeeperSettings(clock_mode="wall", rest=0), lambda: victim.time[0])
    again.start(watch=False)
    assert again.state.models.version == victim.service.state.models.version
    assert settings.registry.exists()
    again.stop()
