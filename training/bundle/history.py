"""Which bundle an alias stood for, change by change: what a rollback goes by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from feature_repo.replacing import replace_file
from training.bundle.errors import BundleError
from training.bundle.manifest import Version

HISTORY_FILE: Final = "alias_history.json"
MOST_CHANGES: Final = 1000
"""Older changes are forgotten."""


class AliasChange(BaseModel):
    """An alias was pointed from one version (None: it was not set) to another, by a rollback or not.

    ``by`` says who did: a ``training`` that published, or people, the decision on an experiment among them;
    None for changes of before this was kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime
    alias: Literal["champion", "challenger"]
    before: Version | None
    version: Version
    rollback: bool = False
    by: Literal["training", "people"] | None = None


_CONTENT: Final = TypeAdapter(tuple[AliasChange, ...])


def read_history(root: Path) -> tuple[AliasChange, ...]:
    """Return the changes, the first first; raises :class:`BundleError` for a damaged file."""
    file = root / HISTORY_FILE
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return ()
    try:
        return _CONTENT.validate_json(text)
    except ValidationError as error:
        remedy = "Remove the file; a rollback then knows no bundle before the one that serves."
        raise BundleError(file, error.errors()[0]["msg"], "changes of aliases", remedy) from error


def append_history(root: Path, change: AliasChange) -> None:
    """Add a change, with the aliases' lock held.

    It is written before the alias moves. After a crash in between the last change names a version that the
    alias does not stand for, and :func:`earlier` passes over it.
    """
    kept = (*read_history(root), change)[-MOST_CHANGES:]
    replace_file(root / HISTORY_FILE, _CONTENT.dump_json(kept, indent=2) + b"\n")


def earlier(history: Sequence[AliasChange], alias: str, current: str) -> list[str]:
    """Return the versions that an alias stood for before ``current``, the latest first, each once.

    A step back is no new beginning: after A, B, C and a rollback to B, the version before B is A.
    """
    found: list[str] = []
    version: str | None = current
    steps = [one for one in reversed(history) if one.alias == alias and not one.rollback]
    while version is not None:
        place = next((n for n, one in enumerate(steps) if one.version == version), None)
        if place is None:
            break
        version, steps = steps[place].before, steps[place + 1 :]
        if version is not None and version != current and version not in found:
            found.append(version)
    return found
