"""How staged tables come into the lake: all of them or none, also where the process is killed meanwhile.

A staged table lies in ``_staging/<id>/<n>-replace/<table>`` or ``_staging/<id>/<n>-append/<table>``. On a
local disk one rename, to ``_staging/<id>.whole``, says that everything is there and is to be published:
what is killed after it is finished by whoever opens the lake next, or publishes next; what is killed before
it is seen by nobody. One process publishes at a time, so that a ``.whole`` that nobody is at was left by one
that was killed. Object stores have no rename: there, old and new objects may stay beside each other.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pyarrow.fs as pafs
import structlog

STAGING: Final = "_staging"
WHOLE: Final = ".whole"
_LOCK: Final = "_publish.lock"
_REPLACE: Final = "replace"
_APPEND: Final = "append"
_PREVIOUS: Final = ".previous"

_log = structlog.get_logger(__name__)


class NotTakenBackError(OSError):
    """Neither could a table be published nor the one before it be put back; the message names the remedy."""


def staged_directory(staging: str, number: int, table: str, replaces: bool) -> str:
    """Return where to stage a transaction's ``number``-th table, which is published as it is numbered."""
    return f"{staging}/{number}-{_REPLACE if replaces else _APPEND}/{table}"


class Publisher:
    """Publishes what was staged under ``<base>/_staging``, a path inside ``filesystem``."""

    def __init__(self, filesystem: pafs.FileSystem, base: str) -> None:
        self._filesystem, self._base = filesystem, base
        self._local = isinstance(filesystem, pafs.LocalFileSystem)

    def publish(self, staging: str) -> None:
        """Bring in everything under ``staging``; if that fails or is interrupted, it is taken back.

        Raises ``OSError`` where the lake takes nothing. What is left under ``staging`` is of no use.
        """
        if not self._local:
            self._bring_in(staging)
            return
        with self._alone():
            self._finish_killed()
            whole = staging + WHOLE
            self._filesystem.move(staging, whole)
            try:
                self._bring_in(whole)
            except NotTakenBackError:
                raise  # it stays whole, to be finished later
            except BaseException:
                self._filesystem.move(whole, staging)
                raise
            self._filesystem.move(whole, staging)

    def unfinished(self) -> list[Path]:
        """Return the publications that are under way or were killed; always none outside a local lake."""
        return sorted(Path(self._base, STAGING).glob(f"*{WHOLE}")) if self._local else []

    def finish_killed(self) -> None:
        """Finish publications whose process was killed, unless somebody publishes now, who has done so.

        Where the lake cannot be written, that is logged and the publication stays for the next to finish.
        """
        if not self.unfinished():
            return
        try:
            with self._alone(fcntl.LOCK_NB):
                self._finish_killed()
        except BlockingIOError:
            return
        except OSError as error:
            _log.error(
                "a killed write to the lake is not finished; make the lake writable", reason=str(error)
            )

    def _finish_killed(self) -> None:
        for whole in self.unfinished():
            tables = [Path(directory).name for directory, _ in self._staged_in(str(whole))]
            _log.warning("finishing a write to the lake that was killed", write=whole.stem, tables=tables)
            self._bring_in(str(whole))
            self._filesystem.delete_dir(str(whole))

    @contextmanager
    def _alone(self, flags: int = 0) -> Iterator[None]:
        with Path(self._base, _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | flags)
            yield

    def _bring_in(self, staging: str) -> None:
        """Publish what is still staged, in order; what was published before it was killed is not there."""
        replaced: list[str] = []
        with ExitStack() as undo:
            for staged, replaces in self._staged_in(staging):
                target = f"{self._base}/{Path(staged).name}"
                if replaces and self._local:
                    self._swap_directory(staged, target, undo)
                else:
                    replaced += self._files(target) if replaces else []
                    self._move_files(staged, target, undo)
            undo.pop_all()
        for path in replaced:
            self._filesystem.delete_file(path)

    def _staged_in(self, staging: str) -> list[tuple[str, bool]]:
        """Return the staged directories in their order, each with whether it replaces its table."""
        found = {tuple(_inside(staging, path).split("/")[:2]) for path in self._files(staging)}
        steps = [(*step.split("-"), table) for step, table in found if not table.endswith(_PREVIOUS)]
        return [
            (f"{staging}/{number}-{kind}/{table}", kind == _REPLACE)
            for number, kind, table in sorted(steps, key=lambda step: int(step[0]))
        ]

    def _swap_directory(self, staged: str, target: str, undo: ExitStack) -> None:
        """Rename the old table aside and the new one into its place; between the two there is none."""
        previous = staged + _PREVIOUS
        undo.callback(self._restore, previous, target)
        if self._is_present(target):
            self._filesystem.move(target, previous)
        undo.callback(self._restore, target, staged)
        self._filesystem.move(staged, target)

    def _move_files(self, staged: str, target: str, undo: ExitStack) -> None:
        for source in self._files(staged):
            destination = f"{target}/{_inside(staged, source)}"
            self._filesystem.create_dir(destination.rpartition("/")[0], recursive=True)
            if not self._is_present(destination):
                # one that gives way cannot be put back: its successor stays
                undo.callback(self._restore, destination, source)
            self._filesystem.move(source, destination)

    def _files(self, directory: str) -> list[str]:
        selector = pafs.FileSelector(directory, allow_not_found=True, recursive=True)
        return [info.path for info in self._filesystem.get_file_info(selector) if info.is_file]

    def _restore(self, source: str, target: str) -> None:
        if self._is_present(source) and not self._is_present(target):
            try:
                self._filesystem.move(source, target)
            except OSError as error:
                raise NotTakenBackError(
                    f"{target} could not be put back from {source}: {error}; make the lake writable: whoever "
                    "opens it next finishes the write"
                ) from error

    def _is_present(self, path: str) -> bool:
        return bool(self._filesystem.get_file_info(path).type != pafs.FileType.NotFound)


def _inside(directory: str, path: str) -> str:
    """Return a path as it is inside a directory above it; some file systems put a slash before paths."""
    return path.rpartition(f"{directory}/")[2]
