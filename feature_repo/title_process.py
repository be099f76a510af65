"""Reading all titles in a process of its own, so that no thread that makes pages waits for it.

Fifteen thousand titles take Feast seconds of one interpreter's time, and a worker's threads share one. The
process comes last at the processor (nice 19) and answers with columns as the server wants them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, Final

import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import ipc

from feature_repo.settings import REPOSITORY_ROOT, Settings
from feature_repo.store import TITLE_TABLES, FeatureGateway, TitleSnapshot
from feature_repo.transforms.encoding import Arrays, encode

Sleep = Callable[[float], object]
_LONGEST_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 0.1
_LAST: Final = ("nice", "-n", "19")


class TitleProcessError(RuntimeError):
    """The process did not answer with the titles."""


class TitleProcess:
    """Starts a process per reading of the feature store that ``settings`` name.

    ``longest_seconds`` later it is ended, and the reading has failed.
    """

    def __init__(self, settings: Settings, longest_seconds: float = _LONGEST_SECONDS) -> None:
        self._settings, self._longest = settings, longest_seconds
        self._stopped = Event()

    def read(self, title_ids: Sequence[str], now: datetime, sleep: Sleep) -> TitleSnapshot:
        """Return the snapshot of the titles, row i for ``title_ids[i]``; ``sleep`` is called while it waits.

        Raises :class:`TitleProcessError` where the process failed, took too long, or :meth:`stop` was called.
        """
        with TemporaryDirectory(prefix="marquee-titles-") as folder:
            wanted, found, said = (Path(folder) / name for name in ("wanted.json", "found.arrow", "said.txt"))
            its = self._settings
            places = [str(its.home), its.lake, its.redis_url, its.profile]
            asked = {"settings": places, "title_ids": list(title_ids), "now": now.isoformat()}
            wanted.write_text(json.dumps(asked))  # nobody else reads the folder
            command = [sys.executable, "-m", "feature_repo.title_process", str(wanted), str(found)]
            first = list(_LAST) if shutil.which(_LAST[0]) else []
            with said.open("wb") as output:
                process = subprocess.Popen(
                    [*first, *command], cwd=REPOSITORY_ROOT, stdout=output, stderr=subprocess.STDOUT
                )
            self._wait(process, sleep)
            if process.returncode != 0:
                words = said.read_text(errors="replace").strip().splitlines()
                why = words[-1] if words else "it said nothing"
                raise TitleProcessError(f"reading titles ended with {process.returncode}: {why}")
            return TitleSnapshot.of(title_ids, _from_file(found), now)

    def stop(self) -> None:
        """End a reading under way, and refuse others."""
        self._stopped.set()

    def _wait(self, process: subprocess.Popen[bytes], sleep: Sleep) -> None:
        end = time.monotonic() + self._longest
        try:
            while process.poll() is None:
                if self._stopped.is_set():
                    raise TitleProcessError("the server stops")
                if time.monotonic() > end:
                    raise TitleProcessError(f"not read within {self._longest:.0f} s")
                sleep(_LOOK_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def write_columns(columns: Arrays, path: Path) -> None:
    """Write encoded columns as one Arrow file."""
    table = pa.table({name: _to_arrow(column) for name, column in columns.items()})
    with pa.OSFile(str(path), "wb") as sink, ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _to_arrow(column: NDArray[Any]) -> pa.Array:
    if column.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(column.ravel()), column.shape[1])
    if column.dtype == object:
        return pa.array([list(items) for items in column], type=pa.list_(pa.string()))
    return pa.array(column.tolist() if column.dtype.kind == "U" else column)


def _from_file(path: Path) -> Arrays:
    with pa.memory_map(str(path)) as source:
        table = ipc.open_file(source).read_all()
        values = {name: table[name] for name in table.column_names}
        columns: Arrays = {}
        for one in TITLE_TABLES:
            columns |= encode(one, values)
        return columns


def main(wanted: Path, found: Path) -> None:
    """Read what a file asks for into another file."""
    asked = json.loads(wanted.read_text())
    home, *others = asked["settings"]
    gateway = FeatureGateway.open(Settings(Path(home), *others))
    snapshot = gateway.title_snapshot(asked["title_ids"], datetime.fromisoformat(asked["now"]))
    write_columns(snapshot.columns, found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
