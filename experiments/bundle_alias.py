"""Where a decision meets the models: which bundle serves. The only place here that knows bundles."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from experiments.errors import ExperimentError
from training.bundle import ALIASES, BundleAliases, BundleError, read_manifest

CHAMPION: Final = "champion"


class Aliases(Protocol):
    """Names for bundles, as :class:`training.bundle.BundleAliases` keeps them."""

    def get(self, alias: str) -> str | None:
        """Return the version an alias stands for, None if it was never set."""

    def set(self, alias: str, version: str, *, rollback: bool = False) -> object:
        """Point an alias to a published version; ``rollback`` says that this takes a change back.

        Raises ``BundleError`` if there is no such version.
        """


def bundle_aliases(bundles: Path) -> Aliases:
    """Return the aliases of the bundles in a folder."""
    return BundleAliases(bundles)


def champion_data_end(bundles: Path) -> datetime | None:
    """Return when the data of the champion in a folder of bundles ended; None where that cannot be told."""
    try:
        version = BundleAliases(bundles).get(CHAMPION)
        return None if version is None else read_manifest(bundles / version).data_window.end
    except BundleError:
        return None


def version_behind(aliases: Aliases, bundle: str) -> str:
    """Return the version a treatment's bundle stands for; raises ``ExperimentError`` for an unset alias."""
    if bundle not in ALIASES:
        return bundle
    version = aliases.get(bundle)
    if version is None:
        raise ExperimentError(f"no bundle is called {bundle}: activate a version as {bundle} first")
    return version


def tested_version(bundle: str) -> str:
    """Return the version that a started experiment's members saw; raises ``ExperimentError`` for an alias."""
    if bundle in ALIASES:
        raise ExperimentError(
            f"the arm names its bundle {bundle!r}, and which versions members saw under that name is not on "
            "record: roll it back, and start anew under another name with the version"
        )
    return bundle
