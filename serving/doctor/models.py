"""What was learned: the registry, the bundles with their aliases, and the last retrain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from feature_repo.history import STALE_AFTER
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from serving.doctor.findings import Finding, Patient, bad, ok, warn
from serving.doctor.places import newest_event
from serving.refusals import Refusals
from training.bundle import ALIASES, CHAMPION, Bundle, BundleAliases, BundleError, list_bundles, load_bundle

RETRAIN_FILE: Final = "retrain.json"
"""Where `python -m training retrain` keeps what became of its last run."""
_TRAIN: Final = "python -m training pipeline (from the data on), or python -m training run"
_LIST: Final = "python -m serving bundles list"
_OLD: Final = timedelta(hours=12)


def registry(patient: Patient) -> Iterator[Finding]:
    """Look at Feast's registry, and whether the champion was made for its features."""
    file = patient.settings.registry
    if not file.exists():
        yield bad("registry", f"{file} is not there", "python -m feature_repo apply")
        return
    applied = FeatureGateway.open(
        patient.settings, patient.redis_url or "redis://127.0.0.1:1/0"
    ).schema_hash()
    version = _champion(patient)
    made_for = None if version is None else _sound(patient, version).manifest.schema_hash
    if made_for is not None and made_for != applied:
        yield bad(
            "registry",
            f"the features applied ({applied[:8]}) are others than those the champion was made "
            f"for ({made_for[:8]}): it is refused",
            "python -m feature_repo apply, with the code that trained it; or python -m training run",
        )
    else:
        yield ok("registry", f"{file}, features {applied[:8]}")


def bundles(patient: Patient) -> Iterator[Finding]:
    """Look at the champion, file by file, and at the aliases."""
    root = patient.settings.bundles
    published = list_bundles(root) if root.is_dir() else []
    if not published:
        yield bad("bundles", f"none is published in {root}", _TRAIN)
        return
    try:
        aliases = BundleAliases(root).all()
        BundleAliases(root).history()
    except BundleError as error:
        yield bad(
            "bundles",
            str(error),
            f"move that file away, then: {_LIST}; python -m serving bundles activate VERSION",
        )
        return
    for alias in ALIASES:
        if alias in aliases and aliases[alias] not in published:
            yield bad(
                "bundles",
                f"the {alias} is {aliases[alias]}, which is not published",
                f"{_LIST}; python -m serving bundles activate VERSION --alias {alias}",
            )
    if CHAMPION not in aliases:
        yield bad(
            "bundles",
            f"{len(published)} published, none is champion",
            f"{_LIST}; python -m serving bundles activate VERSION",
        )
        return
    if aliases[CHAMPION] in published:
        yield from _champion_findings(patient, aliases[CHAMPION], len(published))


def _champion_findings(patient: Patient, version: str, published: int) -> Iterator[Finding]:
    refused = Refusals(patient.settings.bundles).all().get(version)
    try:
        bundle = _sound(patient, version)
    except BundleError as error:
        yield bad("bundles", f"the champion is damaged: {error}", "python -m serving bundles rollback")
        return
    if refused is not None:
        yield bad(
            "bundles",
            f"the champion {version} was refused ({refused.kind}): {refused.reason}; the one before "
            "it serves",
            "python -m serving bundles rollback, or activate it again once that is mended",
        )
        return
    yield ok("bundles", f"{published} published; the champion {version} is whole")
    made_at, newest = bundle.manifest.created_at, newest_event(Lake(patient.settings.lake))
    live = newest is not None and patient.wall() - newest < STALE_AFTER
    if live and patient.wall() - made_at > _OLD:
        yield warn(
            "bundles",
            f"the champion was made {(patient.wall() - made_at) / timedelta(hours=1):.0f} hours ago",
            "python -m training retrain",
        )


def _champion(patient: Patient) -> str | None:
    try:
        version = BundleAliases(patient.settings.bundles).get(CHAMPION)
    except BundleError:
        return None
    if version is None or version not in list_bundles(patient.settings.bundles):
        return None
    try:
        _sound(patient, version)
    except BundleError:
        return None
    return version


def _sound(patient: Patient, version: str) -> Bundle:
    """Read a bundle whole; raises ``BundleError`` where a file is not what its manifest says."""
    return load_bundle(patient.settings.bundles / version)


class _LastRetrain(BaseModel):
    """What is read of the record; training, which writes it, has more to say."""

    model_config = ConfigDict(extra="ignore")

    began_at: AwareDatetime
    outcome: str
    bundle: str | None = None
    reason: str | None = None


def retrain(patient: Patient) -> Iterator[Finding]:
    """Look what became of the last retrain."""
    file = patient.home / RETRAIN_FILE
    try:
        last = _LastRetrain.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        yield ok("retrain", "never run here")
        return
    except ValidationError:
        yield warn("retrain", f"{file} cannot be read", "python -m training retrain --once writes it anew")
        return
    said = f"{last.outcome}, begun {last.began_at:%Y-%m-%dT%H:%M:%SZ}"
    if last.outcome == "failed":
        yield bad("retrain", f"{said}: {last.reason or 'no reason was kept'}", "python -m training retrain")
    elif last.outcome == "interrupted":
        yield warn("retrain", said, "python -m training retrain")
    else:
        yield ok("retrain", f"{said}{f', {last.bundle}' if last.bundle else ''}")
