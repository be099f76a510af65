"""The one error that a bundle raises."""

from __future__ import annotations

from pathlib import Path
from typing import Final

REPUBLISH: Final = "Publish the bundle again, or point the alias to an older one."


class BundleError(ValueError):
    """A bundle is refused: says which file, what was found, what was expected, and what to do."""

    def __init__(self, file: Path | str, found: str, expected: str, remedy: str) -> None:
        self.file = str(file)
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(f"{file}: found {found}; expected {expected}. {remedy}")


class OtherSchemaError(BundleError):
    """A bundle was made for other features than those of this code or this feature store."""
