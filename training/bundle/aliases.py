"""Which bundle is served: names for versions, in one file replaced by rename."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from training.bundle.errors import BundleError
from training.bundle.manifest import MANIFEST_FILE, Version, check_version

Alias = Literal["champion", "challenger"]
CHAMPION: Final = "champion"
"""The alias of the bundle that serves."""
ALIASES: Final[tuple[str, ...]] = get_args(Alias)
ALIASES_FILE: Final = "aliases.json"
LOCK_FILE: Final = "aliases.lock"
_CONTENT: Final = TypeAdapter(dict[Alias, Version])


class BundleAliases:
    """The aliases of the bundles under ``root``.

    Readers need no lock: they see the file before or after a change, never between. Writers take a
    lock on the file system, so that two publishers do not undo each other's change.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._file = root / ALIASES_FILE

    def get(self, alias: str) -> str | None:
        """Return the version an alias stands for, None if it was never set."""
        return self.all().get(self._check(alias))

    def all(self) -> dict[str, str]:
        """Return every alias that is set; raises :class:`BundleError` if the file is damaged."""
        try:
            text = self._file.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            return {str(alias): version for alias, version in _CONTENT.validate_json(text).items()}
        except ValidationError as error:
            expected = f"versions for {', '.join(ALIASES)}"
            remedy = "Remove the file and set the aliases again."
            raise BundleError(self._file, error.errors()[0]["msg"], expected, remedy) from error

    def set(self, alias: str, version: str) -> None:
        """Point an alias to a published version; raises :class:`BundleError` if there is none."""
        self._check(alias)
        check_version(version, self._file)
        if not (self._root / version / MANIFEST_FILE).is_file():
            found = f"no bundle {version} to call {alias}"
            raise BundleError(self._root, found, "a published version", "Choose one of list_bundles().")
        with self._lock():
            self._replace(self.all() | {alias: version})

    def _check(self, alias: str) -> str:
        if alias not in ALIASES:
            raise BundleError(self._file, f"alias {alias!r}", " or ".join(ALIASES), "Use one of them.")
        return alias

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self._root / LOCK_FILE).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file closes, even by a crash
            yield

    def _replace(self, aliases: dict[str, str]) -> None:
        descriptor, name = tempfile.mkstemp(prefix=f".{ALIASES_FILE}-", dir=self._root)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_CONTENT.dump_json(_CONTENT.validate_python(aliases), indent=2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(self._file)
        finally:
            temporary.unlink(missing_ok=True)
