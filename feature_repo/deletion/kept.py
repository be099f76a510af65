"""Deletions as the lake keeps them, so that no member comes back when Redis loses its data.

``<lake>/_deletions`` holds one small file for each deletion, from before Redis knows of it. It holds the
member's id until the deletion is carried out, and only the digest afterwards, like the tombstone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import uuid4

import pyarrow.fs as pafs
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from feature_repo.ingest.lake import Lake
from feature_repo.ingest.publishing import STAGING

FOLDER: Final = "_deletions"

_log = structlog.get_logger(__name__)


class KeptDeletion(BaseModel):
    """A deletion; ``deleted_ms`` is the tombstone's instant, ``user_id`` None once it is carried out."""

    model_config = ConfigDict(frozen=True)

    deletion_id: str
    requested_at: datetime
    deleted_ms: int
    digest: str
    user_id: str | None

    def carried_out(self) -> KeptDeletion:
        """Return what is kept afterwards: nothing that names the member."""
        return self.model_copy(update={"user_id": None})


class KeptDeletions:
    """The deletions of one lake. Every method raises ``OSError`` where the lake does not let it."""

    def __init__(self, lake: Lake) -> None:
        self._lake, self._filesystem = lake, lake.filesystem

    def keep(self, deletion: KeptDeletion) -> None:
        """Write a deletion, in place of what was kept of it before; it is there whole or not at all."""
        staging = f"{self._lake.folder(STAGING)}/{uuid4().hex}"
        self._filesystem.create_dir(staging, recursive=True)
        try:
            staged = f"{staging}/{deletion.deletion_id}"
            with self._filesystem.open_output_stream(staged) as file:
                file.write(deletion.model_dump_json().encode())
            self._filesystem.create_dir(self._lake.folder(FOLDER), recursive=True)
            self._filesystem.move(staged, self._path(deletion))
        finally:
            self._filesystem.delete_dir(staging)

    def remove(self, deletion: KeptDeletion) -> None:
        """Keep a deletion no longer."""
        self._filesystem.delete_file(self._path(deletion))

    def all(self) -> Iterator[KeptDeletion]:
        """Yield what is kept; a damaged file is logged and left out."""
        selector = pafs.FileSelector(self._lake.folder(FOLDER), allow_not_found=True)
        for info in self._filesystem.get_file_info(selector):
            if not info.is_file:
                continue
            with self._filesystem.open_input_file(info.path) as file:
                content = file.read()
            try:
                yield KeptDeletion.model_validate_json(content)
            except ValidationError:
                _log.error("this file keeps no deletion; look at it, and remove it", file=info.path)

    def pending(self) -> list[KeptDeletion]:
        """Return those that are not carried out yet."""
        return [deletion for deletion in self.all() if deletion.user_id is not None]

    def _path(self, deletion: KeptDeletion) -> str:
        return f"{self._lake.folder(FOLDER)}/{deletion.deletion_id}.json"
