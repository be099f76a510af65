"""What each fault test says of its fault; docs/faults.md is made of that."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
MODULES = ("test_store", "test_bundles", "test_lake", "test_full_disk", "test_members", "test_requests")
BEGIN, END = "<!-- written by `python -m tests.faults` -->", "<!-- up to here -->"
_Test = TypeVar("_Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Fault:
    """A fault, how it is noticed, what members get meanwhile, and how it heals."""

    name: str
    noticed: str
    members_get: str
    heals: str


def fault(name: str, *, noticed: str, members_get: str, heals: str) -> Callable[[_Test], _Test]:
    """Declare what the test proves."""

    def declare(test: _Test) -> _Test:
        test.__dict__["fault"] = Fault(name, noticed, members_get, heals)
        return test

    return declare


def declared() -> Iterator[Fault]:
    """Yield the faults of all tests, in the order in which they stand."""
    for module in MODULES:
        for member in vars(importlib.import_module(f"tests.faults.{module}")).values():
            found = getattr(member, "fault", None)
            if isinstance(found, Fault):
                yield found


def table() -> str:
    """Return the table of the document."""
    lines = ["| fault | how it is noticed | what members get | how it heals |", "|---|---|---|---|"]
    lines += [f"| {f.name} | {f.noticed} | {f.members_get} | {f.heals} |" for f in declared()]
    return "\n".join(lines)


def written(document: str) -> str:
    """Return the document with the table of today between its marks."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"
