"""The home and the lake: whether they are there, may be written, have room, and how new their events are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow.compute as pc

from feature_repo import schema as s
from feature_repo.history import STALE_AFTER
from feature_repo.ingest.lake import Lake
from feature_repo.ingest.publishing import STAGING
from feature_repo.ingest.validation import MOST_AHEAD
from feature_repo.log_tables import SHOWN_TILES
from feature_repo.settings import Settings
from serving.doctor.findings import Finding, Patient, bad, ok, warn

_GIB: Final = 1024**3
_NO_ROOM: Final = 1 * _GIB
_LITTLE_ROOM: Final = 5 * _GIB
"""So far after the service's clock an event is taken in."""
_LEFT_OVER_AFTER: Final = timedelta(days=1)
MAKE_DATA: Final = "make pipeline, or python -m feature_repo ingest --help for data of your own"


def home(patient: Patient) -> Iterator[Finding]:
    """Look at the home's folders and the room on their disk."""
    folder = patient.home
    if not folder.is_dir():
        yield bad("home", f"{folder} is not there", f"{MAKE_DATA}; MARQUEE_HOME names another home")
        return
    settings = patient.settings
    places = (folder, settings.bundles, settings.redis_directory, settings.reports)
    closed = [
        place for place in places if place.exists() and not os.access(place, os.R_OK | os.W_OK | os.X_OK)
    ]
    if closed:
        yield bad(
            "home",
            f"{', '.join(map(str, closed))} cannot be read and written by this user",
            f"sudo chown -R $(id -un) {folder}",
        )
    else:
        yield ok("home", f"{folder}, {_size(folder)}")
    yield from _room(folder)


def _room(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    remedy = f"free some on the disk of {folder}; old bundles and reports may go: ls {folder}/bundles"
    if free < _NO_ROOM:
        yield bad("disk", f"{free / _GIB:.1f} GiB free", remedy)
    elif free < _LITTLE_ROOM:
        yield warn("disk", f"{free / _GIB:.1f} GiB free", remedy)
    else:
        yield ok("disk", f"{free / _GIB:.0f} GiB free")


def lake(patient: Patient) -> Iterator[Finding]:
    """Look at the lake's tables."""
    opened = Lake(patient.settings.lake)
    if _is_local(patient.settings) and not Path(opened.root).is_dir():
        yield bad("lake", f"{opened.root} is not there", f"{MAKE_DATA}; MARQUEE_LAKE names another lake")
        return
    missing = [table.name for table in (s.TITLES, s.EVENTS) if not opened.exists(table)]
    if missing:
        yield bad("lake", f"no {' and no '.join(missing)} in {opened.root}", MAKE_DATA)
        return
    tables = (s.TITLES, s.MEMBERS, s.EVENTS, s.USER_SNAPSHOT, SHOWN_TILES)
    counted = [
        f"{opened.dataset(table, opened.files(table)).count_rows():,} {table.name}" for table in tables
    ]
    yield ok("lake", f"{opened.root}: {', '.join(counted)}")
    if not opened.exists(s.USER_SNAPSHOT):
        yield bad("features", "none in the lake", "python -m feature_repo build-features, then materialize")
    yield from _left_over(patient, opened)


def _left_over(patient: Patient, opened: Lake) -> Iterator[Finding]:
    """Find what writers that were killed have left in the staging area; opening finishes what it can."""
    staging = Path(opened.root) / STAGING
    if not _is_local(patient.settings) or not staging.is_dir():
        return
    old = patient.wall() - _LEFT_OVER_AFTER
    if unfinished := [one for one in opened.publisher.unfinished() if _changed_at(one) < old]:
        yield bad(
            "lake",
            f"{unfinished[0]} is a write that was killed and could not be finished",
            f"make {opened.root} writable by this user, or make room, and look again",
        )
        return
    left = [one for one in staging.iterdir() if _changed_at(one) < old]
    if left:
        yield warn(
            "lake",
            f"{len(left)} writes that were killed have left files behind; nobody reads them",
            f"with nothing running: rm -r {staging}",
        )


def _changed_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def events(patient: Patient) -> Iterator[Finding]:
    """Look how new the newest event is, against this machine's clock."""
    newest = newest_event(Lake(patient.settings.lake))
    if newest is None:
        return
    age = patient.wall() - newest
    said = f"the newest is of {newest:%Y-%m-%dT%H:%M:%SZ}"
    if age < -MOST_AHEAD:
        yield bad(
            "events",
            f"{said}, which is after this machine's clock, {patient.wall():%Y-%m-%dT%H:%M:%SZ}",
            "set the clock (timedatectl), or look for wrong instants in what was imported",
        )
    elif age > STALE_AFTER:
        yield ok(
            "events", f"{said}: pages are made by a clock that starts there (serve --clock wall turns it off)"
        )
    else:
        yield ok("events", said)


def newest_event(opened: Lake) -> datetime | None:
    """Return the instant of the newest event in the lake, None without any."""
    parts = opened.partitions(s.EVENTS)
    if not parts:
        return None
    files = [info.path for info in parts[max(parts)]]
    column = opened.dataset(s.EVENTS, files).to_table([s.EVENT_TIMESTAMP])[s.EVENT_TIMESTAMP]
    newest: datetime | None = pc.max(column).as_py()
    return newest


def _is_local(settings: Settings) -> bool:
    return "://" not in settings.lake


def _size(folder: Path) -> str:
    found = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return f"{found / _GIB:.2f} GiB"
