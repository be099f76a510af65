"""What an examination finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from feature_repo.settings import Settings
from serving.clock import Clock

State = Literal["ok", "warn", "bad"]


class Finding(BaseModel):
    """One thing that was looked at. ``remedy`` names the command, or what else to do; empty for ok."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    state: State
    found: str
    remedy: str = ""


class Setting(BaseModel):
    """A setting and where it comes from. Secrets are not shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: str
    source: Literal["environment", "default"]


class Examination(BaseModel):
    """Everything a bug report needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    machine: dict[str, str] = Field(description="what runs here, in words")
    packages: dict[str, str] = Field(description="versions; `missing` where one is not installed")
    settings: list[Setting]
    findings: list[Finding]

    @property
    def worst(self) -> State:
        """The worst state of all findings."""
        states = {one.state for one in self.findings}
        return "bad" if "bad" in states else "warn" if "warn" in states else "ok"


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: a home as the environment has it, and the port that a server would take.

    ``redis_url`` is the Redis that answers, None where none does.
    """

    settings: Settings
    environment: Mapping[str, str]
    wall: Clock
    port: int
    redis_url: str | None = None

    @property
    def home(self) -> Path:
        """The home."""
        return self.settings.home


Check = Callable[[Patient], Iterable[Finding]]


def ok(check: str, found: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check=check, state="ok", found=found)


def warn(check: str, found: str, remedy: str) -> Finding:
    """Return something that is worth a look, and that pages can be made with."""
    return Finding(check=check, state="warn", found=found, remedy=remedy)


def bad(check: str, found: str, remedy: str) -> Finding:
    """Return something that is wrong."""
    return Finding(check=check, state="bad", found=found, remedy=remedy)


def examine(check: Check, patient: Patient) -> list[Finding]:
    """Return what a check finds; one that fails itself is a finding, too, and never raises."""
    findings: list[Finding] = []
    try:
        findings.extend(check(patient))
    except Exception as error:  # whatever is broken, the other checks go on
        name = check.__name__.replace("_", " ")
        said = " ".join(str(error).split())[:300] or "no message"
        findings.append(
            bad(
                name,
                f"cannot be looked at: {type(error).__name__}: {said}",
                "mend that first; if it is not clear how, report it with this output",
            )
        )
    return findings
