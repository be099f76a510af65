"""What operators do to bundles: look at them, put one in service, put the one before it back.

The command line and the interface both come here. Nothing is swapped here: the alias moves, and each worker
follows within seconds (:mod:`serving.bundles`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, Field

from serving.refusals import Refusal, Refusals
from training.bundle import (
    ALIASES,
    AliasChange,
    BundleAliases,
    BundleError,
    is_version,
    list_bundles,
    load_bundle,
    read_manifest,
)

_HEADLINES: Final = ("ndcg@10", "recall@10", "hit_rate@10")
"""What is shown of a training's metrics where it has them, by model."""
_MODELS: Final = ("mix_ranker", "mix", "als", "two_tower")
"""Those come first; popularity and the like are what they are measured against."""


class BundleSummary(BaseModel):
    """A bundle as a list shows it; what its manifest says is null where that is ``damaged``."""

    version: str
    aliases: list[str]
    created_at: AwareDatetime | None = None
    data_start: AwareDatetime | None = None
    data_end: AwareDatetime | None = None
    parent: str | None = None
    headline: dict[str, dict[str, float]] = {}
    refused: Refusal | None = None
    damaged: str | None = None


class BundleList(BaseModel):
    """All bundles, the newest first, and the latest changes of the aliases, the latest first."""

    bundles: list[BundleSummary]
    changes: list[AliasChange]
    roll_back_to: str | None = Field(description="what a rollback would make champion; null: there is none")


class UnknownBundleError(LookupError):
    """No bundle of this version is published here."""


class BundleChangeError(ValueError):
    """A bundle cannot be put in service, or there is none to go back to."""


class AliasNotWrittenError(RuntimeError):
    """The aliases could not be written, so that nothing changed; the message names the remedy."""

    def __init__(self, cause: OSError) -> None:
        reason = type(cause).__name__ if cause.errno is None else os.strerror(cause.errno)
        super().__init__(
            f"the aliases of the bundles cannot be written ({reason}), so that nothing has changed: make "
            "room on their disk, or let the server write to it, and ask again"
        )


class BundleDesk:
    """Looks at and changes which of the bundles under ``root`` serves.

    ``check`` reads a bundle whole and raises ``ValueError`` with its reason where it cannot serve; by default
    its files are verified.
    """

    def __init__(
        self, root: Path, now: Callable[[], datetime], check: Callable[[str], object] | None = None
    ) -> None:
        self._root = root
        self._aliases = BundleAliases(root, now)
        self._refusals = Refusals(root)
        self._check = (lambda version: load_bundle(root / version)) if check is None else check

    def list(self, changes: int = 20) -> BundleList:
        """Return the bundles; raises :class:`BundleChangeError` where the aliases' files are damaged."""
        try:
            aliases, history = self._aliases.all(), self._aliases.history()
            earlier = self._aliases.earlier_champions()
        except BundleError as error:
            raise BundleChangeError(str(error)) from error
        refused = self._refusals.all()
        versions = sorted(list_bundles(self._root), reverse=True)
        return BundleList(
            bundles=[self._summary(version, aliases, refused) for version in versions],
            changes=list(reversed(history))[:changes],
            roll_back_to=next(iter(earlier), None),
        )

    def activate(self, version: str, alias: str) -> AliasChange:
        """Point an alias to a bundle that can be read; one refused before is tried again by every worker.

        Raises :class:`UnknownBundleError`, :class:`BundleChangeError` with the reason where the bundle cannot
        serve, and :class:`AliasNotWrittenError`; then nothing has changed.
        """
        if alias not in ALIASES:
            raise BundleChangeError(f"alias {alias!r}: use {' or '.join(ALIASES)}")
        if not is_version(version) or version not in list_bundles(self._root):
            raise UnknownBundleError(
                f"no bundle {version} in {self._root}; `python -m serving bundles list` names those there are"
            )
        try:
            self._check(version)
            with _writing():
                change = self._aliases.set(alias, version)
        except ValueError as error:  # a BundleError is one
            raise BundleChangeError(str(error)) from error
        self._refusals.clear(version)
        return change

    def roll_back(self) -> AliasChange:
        """Put the champion before back.

        Raises :class:`BundleChangeError` where there is none, and :class:`AliasNotWrittenError`.
        """
        try:
            with _writing():
                change = self._aliases.roll_back()
        except BundleError as error:
            raise BundleChangeError(str(error)) from error
        self._refusals.clear(change.version)
        return change

    def _summary(
        self, version: str, aliases: Mapping[str, str], refused: Mapping[str, Refusal]
    ) -> BundleSummary:
        mine = sorted(alias for alias, named in aliases.items() if named == version)
        try:
            manifest = read_manifest(self._root / version)
        except BundleError as error:
            return BundleSummary(
                version=version, aliases=mine, refused=refused.get(version), damaged=str(error)
            )
        return BundleSummary(
            version=version,
            aliases=mine,
            created_at=manifest.created_at,
            data_start=manifest.data_window.start,
            data_end=manifest.data_window.end,
            parent=manifest.parent,
            headline=headline(manifest.metrics),
            refused=refused.get(version),
        )


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AliasNotWrittenError(error) from error


def headline(metrics: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the first metric of the headlines that a training has, of each of its models."""
    tested = metrics.get("test")
    if not isinstance(tested, dict):
        return {}
    models = sorted(tested, key=lambda model: _MODELS.index(model) if model in _MODELS else len(_MODELS))
    for name in _HEADLINES:
        found = {model: {name: tested[model][name]} for model in models if name in tested[model]}
        if found:
            return found
    return {}
