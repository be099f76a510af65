"""Which bundle is served: names for versions, in one file replaced by rename."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, NoReturn, get_args

from pydantic import TypeAdapter, ValidationError

from feature_repo.replacing import replace_file, writing
from training.bundle.errors import BundleError
from training.bundle.history import AliasChange, append_history, earlier, read_history
from training.bundle.manifest import MANIFEST_FILE, Version, check_version

Alias = Literal["champion", "challenger"]
CHAMPION: Final = "champion"
"""The alias of the bundle that serves."""
CHALLENGER: Final = "challenger"
"""The alias of the bundle that may come to serve."""
ALIASES: Final[tuple[str, ...]] = get_args(Alias)
PublishAs = Literal["auto", "champion", "challenger"]
"""What a training's bundle is to be; ``auto``: champion, unless people chose the one that serves."""
ALIASES_FILE: Final = "aliases.json"
LOCK_FILE: Final = "aliases.lock"
_CONTENT: Final = TypeAdapter(dict[Alias, Version])


class BundleAliases:
    """The aliases of the bundles under ``root``.

    Readers need no lock: they see the file before or after a change, never between. Writers take a
    lock on the file system, so that two publishers do not undo each other's change.
    """

    def __init__(self, root: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._root, self._now = root, now
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

    def set(self, alias: str, version: str, *, rollback: bool = False) -> AliasChange:
        """Point an alias to a published version, as people want it, and keep the change in the history.

        ``rollback`` says that this takes a change back. Raises :class:`BundleError` if there is no such
        version.
        """
        self._check(alias)
        check_version(version, self._file)
        self._expect_folder(alias, version)
        with writing(self._root / LOCK_FILE):
            return self._put(alias, version, "people", rollback)

    def publish(self, version: str, publish_as: PublishAs = "auto") -> AliasChange:
        """Give the bundle that a training made its alias; raises :class:`BundleError` as :meth:`set` does.

        Where people chose the champion, by a rollback, an activation or a promotion, ``auto`` makes it the
        challenger: what was taken back must not return with the next hour's training.
        """
        self._expect_folder(CHAMPION, version)
        with writing(self._root / LOCK_FILE):
            chosen = publish_as == "auto" and self.chosen_champion() is not None
            alias = CHALLENGER if chosen or publish_as == CHALLENGER else CHAMPION
            return self._put(alias, version, "training")

    def chosen_champion(self) -> AliasChange | None:
        """Return the change by which people made the champion what it is; None where a training did."""
        current = self.all().get(CHAMPION)
        changes = (one for one in reversed(self.history()) if one.alias == CHAMPION)
        last = next((one for one in changes if one.version == current), None)
        return last if last is not None and (last.rollback or last.by == "people") else None

    def roll_back(self) -> AliasChange:
        """Point the champion's alias to the champion before; raises :class:`BundleError` if there is none."""
        self._expect_folder(CHAMPION, None)
        with writing(self._root / LOCK_FILE):
            before = self.earlier_champions()
            if not before:
                found = f"no champion before {self.all().get(CHAMPION)}"
                remedy = "Activate a version that `python -m serving bundles list` names."
                raise BundleError(self._root, found, "an earlier one in the history", remedy)
            return self._put(CHAMPION, before[0], "people", rollback=True)

    def history(self) -> tuple[AliasChange, ...]:
        """Return the changes, the first first; raises :class:`BundleError` if the file is damaged."""
        return read_history(self._root)

    def earlier_champions(self) -> list[str]:
        """Return the published versions that served before the champion, the latest first."""
        current = self.all().get(CHAMPION)
        versions = [] if current is None else earlier(self.history(), CHAMPION, current)
        return [version for version in versions if self._published(version)]

    def _put(self, alias: str, version: str, by: str, rollback: bool = False) -> AliasChange:
        """Change an alias with the lock held."""
        if not self._published(version):
            self._refuse(alias, version)
        aliases = self.all()
        change = AliasChange.model_validate({
            "at": self._now(), "alias": alias, "before": aliases.get(alias), "version": version,
            "rollback": rollback, "by": by,
        })  # fmt: skip
        if change.before != version:
            append_history(self._root, change)
        content = _CONTENT.dump_json(_CONTENT.validate_python(aliases | {alias: version}), indent=2)
        replace_file(self._file, content + b"\n")
        return change

    def _expect_folder(self, alias: str, version: str | None) -> None:
        if not self._root.is_dir():
            self._refuse(alias, version)

    def _published(self, version: str) -> bool:
        return (self._root / version / MANIFEST_FILE).is_file()

    def _refuse(self, alias: str, version: str | None) -> NoReturn:
        found = f"no bundle {version} to call {alias}"
        raise BundleError(self._root, found, "a published version", "Choose one of list_bundles().")

    def _check(self, alias: str) -> str:
        if alias not in ALIASES:
            raise BundleError(self._file, f"alias {alias!r}", " or ".join(ALIASES), "Use one of them.")
        return alias
