"""A bundle's manifest: where it came from, what code it fits, and the checksum of every file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from feature_repo.transforms.confidence import Confidence
from training.bundle.errors import REPUBLISH, BundleError

FORMAT_VERSION: Final = 2
MANIFEST_FILE: Final = "manifest.json"
VERSION_PATTERN: Final = r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$"
_VERSION: Final = re.compile(VERSION_PATTERN)

Version = Annotated[str, Field(pattern=VERSION_PATTERN)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FileRecord(_Frozen):
    """A file's SHA-256 in hexadecimal and its size in bytes."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class DataWindow(_Frozen):
    """The training data: ``start`` inclusive, ``end`` exclusive."""

    start: AwareDatetime
    end: AwareDatetime

    @model_validator(mode="after")
    def _in_order(self) -> DataWindow:
        if self.start > self.end:
            raise ValueError(f"data window starts at {self.start}, after its end {self.end}")
        return self


class RecordedConfidence(_Frozen):
    """The settings of :class:`feature_repo.transforms.fold_in.Confidence`."""

    alpha: Annotated[float, Field(ge=0)]
    regularization: Annotated[float, Field(gt=0)]
    minimum_fraction: Annotated[float, Field(ge=0, le=1)]


def recorded(confidence: Confidence | None) -> RecordedConfidence | None:
    """Return how a manifest says what the factors were fitted with."""
    return None if confidence is None else RecordedConfidence.model_validate(asdict(confidence))


class Manifest(_Frozen):
    """What ``manifest.json`` says; unknown fields are refused."""

    format_version: int
    version: Version
    created_at: AwareDatetime
    schema_hash: Annotated[str, Field(min_length=1)]
    ranking_features_hash: Sha256
    data_window: DataWindow
    parent: Version | None
    seed: int
    confidence: RecordedConfidence | None
    ranker_decides: bool = True
    memory_plan: str | None = None
    metrics: dict[str, JsonValue]
    files: dict[str, FileRecord]

    def fold_in_confidence(self) -> Confidence | None:
        """Return what vectors are folded in with; None where the core model cannot."""
        return None if self.confidence is None else Confidence(**self.confidence.model_dump())

    def to_json(self) -> str:
        """Return the manifest as indented JSON with a final newline."""
        return self.model_dump_json(indent=2) + "\n"


def is_version(text: str) -> bool:
    """Tell whether a text is a bundle version: nothing else ever becomes part of a path."""
    return _VERSION.fullmatch(text) is not None


def check_version(text: str, file: Path | str) -> str:
    """Return ``text`` if it is a bundle version, else raise :class:`BundleError` naming ``file``."""
    if not is_version(text):
        expected = "a version such as 20260102T030405Z-0a1b2c3d"
        raise BundleError(file, f"version {text!r}", expected, "Choose one of list_bundles().")
    return text


def version_of(created_at: datetime, files: Mapping[str, FileRecord]) -> str:
    """Return ``YYYYMMDDTHHMMSSZ-<8 hex>``; the digits depend on the files' contents alone."""
    lines = "\n".join(f"{name} {files[name].sha256}" for name in sorted(files))
    digest = hashlib.sha256(lines.encode()).hexdigest()
    return f"{created_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest[:8]}"


def read_manifest(bundle: Path) -> Manifest:
    """Read a bundle folder's manifest; raises :class:`BundleError` for other formats and bad fields."""
    file = bundle / MANIFEST_FILE
    try:
        text = file.read_bytes()
        fields = json.loads(text)
    except OSError as error:
        found = f"no readable file ({error.strerror})"
        raise BundleError(file, found, "the bundle's manifest", REPUBLISH) from error
    except ValueError as error:
        raise BundleError(file, f"no JSON ({error})", "the bundle's manifest", REPUBLISH) from error
    found_format = fields.get("format_version") if isinstance(fields, dict) else None
    if found_format != FORMAT_VERSION:
        remedy = "Publish the bundle again with this version of Marquee."
        raise BundleError(file, f"format_version {found_format!r}", f"{FORMAT_VERSION}", remedy)
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise refused_fields(file, error, REPUBLISH) from error


def refused_fields(file: Path | str, error: ValidationError, remedy: str) -> BundleError:
    """Return the error that names the first malformed field of a manifest, its value and the rule."""
    first = error.errors()[0]
    found = f"{'.'.join(map(str, first['loc']))} = {first['input']!r}"
    return BundleError(file, found, first["msg"], remedy)
