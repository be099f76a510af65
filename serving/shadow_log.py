"""Records of shadow traffic in the home: a folder a day, a file of JSON lines a worker, bounded in both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog
from pydantic import ValidationError

from serving.settings import ShadowSettings
from serving.shadow_comparison import ShadowRecord

_DAY: Final = "day="

_log = structlog.get_logger(__name__)


class ShadowLog:
    """Appends the records of one worker; never raises for a disk that takes none."""

    def __init__(self, folder: Path, settings: ShadowSettings) -> None:
        self._folder, self._settings = folder, settings
        self._name = uuid4().hex[:12]
        self._day: date | None = None
        self._written = 0

    def append(self, record: ShadowRecord) -> bool:
        """Append a record; return whether it was kept, which a full day or a full disk prevents."""
        try:
            day = record.at.date()
            if day != self._day:
                self._begin(day)
            if self._written >= self._settings.records_a_day:
                return False
            with (self._folder / f"{_DAY}{day}" / f"{self._name}.jsonl").open("a") as file:
                file.write(record.model_dump_json() + "\n")
        except OSError as error:
            _log.error("a shadow record cannot be kept", folder=str(self._folder), reason=str(error))
            return False
        self._written += 1
        return True

    def _begin(self, day: date) -> None:
        (self._folder / f"{_DAY}{day}").mkdir(parents=True, exist_ok=True)
        self._day, self._written = day, 0
        for old, folder in _days(self._folder):
            if old <= day - timedelta(days=self._settings.keep_days):
                shutil.rmtree(folder, ignore_errors=True)


def read_records(folder: Path, since: date | None = None) -> Iterator[ShadowRecord]:
    """Yield the records of all workers, day by day; a line that a crash cut off is passed over."""
    for day, found in _days(folder):
        if since is not None and day < since:
            continue
        for file in sorted(found.glob("*.jsonl")):
            for line in file.read_bytes().splitlines():
                try:
                    yield ShadowRecord.model_validate_json(line)
                except ValidationError:
                    continue


def _days(folder: Path) -> Iterator[tuple[date, Path]]:
    for found in sorted(folder.glob(f"{_DAY}*")):
        try:
            yield date.fromisoformat(found.name.removeprefix(_DAY)), found
        except ValueError:
            continue
