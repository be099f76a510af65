"""Which bundles were refused and why, kept beside them: an operator's command looks from another process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from feature_repo.replacing import replace_file, writing
from training.bundle import list_bundles

REFUSALS_FILE: Final = "refusals.json"
_LOCK_FILE: Final = "refusals.lock"

_log = structlog.get_logger(__name__)


class Refusal(BaseModel):
    """When a bundle was last refused, by which check and for which reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime
    kind: str
    reason: str


_CONTENT: Final = TypeAdapter(dict[str, Refusal])
_Change = Callable[[dict[str, Refusal]], object]


class Refusals:
    """The refusals of the bundles under ``root``, one a version. Never raises: a record is no condition."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._file = root / REFUSALS_FILE

    def all(self) -> Mapping[str, Refusal]:
        """Return the refusals by version; none where the file is missing or damaged."""
        try:
            return _CONTENT.validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            _log.error("refusals cannot be read", file=str(self._file), reason=str(error))
            return {}

    def record(self, version: str, kind: str, reason: str, at: datetime) -> bool:
        """Keep a refusal; return whether it is kept, which a read-only folder prevents."""
        return self._change(lambda kept: kept.update({version: Refusal(at=at, kind=kind, reason=reason)}))

    def clear(self, version: str) -> None:
        """Forget the refusal of a bundle that serves, or is to be tried again."""
        if version in self.all():
            self._change(lambda kept: kept.pop(version, None))

    def _change(self, change: _Change) -> bool:
        try:
            with writing(self._root / _LOCK_FILE):
                kept = {v: one for v, one in self.all().items() if v in list_bundles(self._root)}
                change(kept)
                replace_file(self._file, _CONTENT.dump_json(kept, indent=2) + b"\n")
        except OSError as error:
            _log.error("a refusal cannot be kept", file=str(self._file), reason=str(error))
            return False
        return True
