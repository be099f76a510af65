"""A disk that is really full: a file system of a few MiB in memory, mounted where only this test sees it.

Mounting takes privileges, but not in a namespace of one's own. A process keeps that namespace, and its files
are reached through /proc: so nothing is mounted on the machine, and nothing is left when the process ends.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path

import pytest

_MOUNT = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && echo mounted && exec sleep infinity'
_AT_ONCE = 64 << 10


@dataclass(frozen=True)
class SmallDisk:
    """The file system: ``root`` is where it is reached from outside, ``inside`` from its own namespace."""

    root: Path
    inside: Path
    keeper: int

    def run(self, *command: str) -> list[str]:
        """Return what runs a command there, where paths look as everywhere."""
        enter = ["nsenter", "--target", f"{self.keeper}", "--user", "--preserve-credentials", "--mount"]
        return [*enter, f"--wd={Path.cwd()}", *command]

    @property
    def _filler(self) -> Path:
        return self.root / "filler"

    def fill(self) -> None:
        """Write until nothing more fits, not even a byte."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (_AT_ONCE, 1):
                with pytest.raises(OSError, match="No space left"):
                    _write_for_ever(file, b"x" * size)

    def make_room(self) -> None:
        self._filler.unlink()


def _write_for_ever(file: RawIOBase, part: bytes) -> None:
    while True:
        file.write(part)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """Yield a disk of ``size`` bytes; skips the test where the system lets nobody mount one."""
    if shutil.which("unshare") is None:
        pytest.skip("no full disk: `unshare` of util-linux is not there to mount a small one with")
    folder.mkdir()
    mount = ["sh", "-c", _MOUNT, "sh", f"{size}", f"{folder}"]
    command = ["unshare", "--user", "--map-root-user", "--mount", *mount]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as keeper:
        try:
            assert keeper.stdout is not None
            if keeper.stdout.readline() != "mounted\n":
                assert keeper.stderr is not None
                pytest.skip(f"no full disk: a small one could not be mounted: {keeper.stderr.read().strip()}")
            yield SmallDisk(Path(f"/proc/{keeper.pid}/root{folder}"), folder, keeper.pid)
        finally:
            keeper.kill()
