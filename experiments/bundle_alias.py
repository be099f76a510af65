"""Where a decision meets the models: which bundle serves. The only place here that knows bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from training.bundle import BundleAliases

CHAMPION: Final = "champion"


class Aliases(Protocol):
    """Names for bundles, as :class:`training.bundle.BundleAliases` keeps them."""

    def get(self, alias: str) -> str | None:
        """Return the version an alias stands for, None if it was never set."""

    def set(self, alias: str, version: str) -> None:
        """Point an alias to a published version; raises ``BundleError`` if there is none."""


def bundle_aliases(bundles: Path) -> Aliases:
    """Return the aliases of the bundles in a folder."""
    return BundleAliases(bundles)
