"""Small files that are replaced in one step, so that a reader sees them before or after a change."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace_file(file: Path, content: bytes, mode: int = 0o644) -> None:
    """Write ``content`` beside ``file``, to the disk, and rename it into place; raises ``OSError``."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        temporary.chmod(mode)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing(lock: Path) -> Iterator[None]:
    """Hold a lock on the file system, against other processes and other threads, until the block ends.

    A block must not enter another one of the same ``lock``: it would wait for itself.
    """
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file closes, even by a crash
        yield
