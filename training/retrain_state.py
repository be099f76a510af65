"""What became of the last retrain, and the lock that keeps a second one out."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from feature_repo.replacing import replace_file
from training.bundle import Alias
from training.moved import Published
from training.schedule import Turn

STATE_FILE: Final = "retrain.json"
LOCK_FILE: Final = "retrain.lock"

Outcome = Literal["running", "published", "failed", "interrupted"]
FailureKind = Literal["error", "killed", "time limit"]


class Attempt(BaseModel):
    """One of a run's attempts, by the name of its memory plan.

    ``failure`` and ``reason`` say why it came to nothing; ``peak_mib`` is the most memory that its process
    held, None where it could not tell any more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str
    seconds: float
    failure: FailureKind | None = None
    reason: str | None = None
    peak_mib: float | None = None


class Tally(BaseModel):
    """What became of all runs of a home: how many ended how, and attempts that failed, by plan and kind.

    ``failed_in_a_row`` counts runs since the last that published, ``published_at`` is when that was and
    ``published_plan`` the plan it was made with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs: dict[Outcome, int] = {}
    failed_attempts: dict[str, dict[FailureKind, int]] = {}
    failed_in_a_row: int = 0
    published_at: AwareDatetime | None = None
    published_plan: str | None = None


class RetrainRecord(BaseModel):
    """The last run of a home. ``slot`` as in :mod:`training.schedule`, of ``period_seconds`` each.

    ``bundle`` is the version that was published, as ``alias``, ``reason`` why a run failed, ``seconds`` how
    long it took. ``plan`` is the memory plan that is being tried, or that made the bundle; ``attempts`` are
    those that ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    slot: int
    period_seconds: float
    began_at: AwareDatetime
    pid: int
    outcome: Outcome
    seconds: float | None = None
    bundle: str | None = None
    alias: Alias = "champion"
    reason: str | None = None
    published: dict[str, Published] = {}
    solved_titles: int = 0
    plan: str | None = None
    attempts: list[Attempt] = []
    tally: Tally = Tally()

    def turn(self, period_seconds: float) -> Turn | None:
        """Return the run for a schedule of this period; None where its slots were of another length."""
        return Turn(self.slot, self.began_at) if self.period_seconds == period_seconds else None


class DamagedRecordError(ValueError):
    """A record that cannot be read; the message names the file and what to do."""


def read_record(home: Path) -> RetrainRecord | None:
    """Return the last run's record, None where there was none; raises :class:`DamagedRecordError`."""
    file = home / STATE_FILE
    try:
        return RetrainRecord.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DamagedRecordError(
            f"{file}: {place}: {first['msg']}; it is taken as if there were none, and written anew by the "
            "next run"
        ) from error


def write_record(home: Path, record: RetrainRecord) -> None:
    """Put the record in place of the one before, in one step."""
    replace_file(home / STATE_FILE, record.model_dump_json(indent=2).encode() + b"\n")


class RetrainRunningError(RuntimeError):
    """Another retrain of this home is at work; the message says which, since when."""


@contextmanager
def only_retrain(home: Path, now: datetime) -> Iterator[int]:
    """Hold the home's lock; raises :class:`RetrainRunningError` at once where another process does.

    Yields its descriptor: a child that inherits it holds the lock, too. The operating system lets go of it
    when its last holder ends, however that ends.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK_FILE).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RetrainRunningError(f"another retrain is at work{_holder(home)}") from None
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "since": now.isoformat()}) + "\n")
        file.flush()
        yield file.fileno()


def retrain_running(home: Path) -> bool:
    """Say whether a process holds the lock."""
    try:
        with (home / LOCK_FILE).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _holder(home: Path) -> str:
    """Say who holds the lock; nothing where they have not written it yet."""
    try:
        holder = json.loads((home / LOCK_FILE).read_text())
        return f": process {int(holder['pid'])}, since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
