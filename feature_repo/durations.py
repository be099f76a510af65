"""Spans of time as people type them: 90m, 1h, 7d."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

import click

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PATTERN: Final = re.compile(rf"(\d+(?:\.\d+)?)([{''.join(_UNITS)}])")
_LONGEST: Final = timedelta(days=36_500)


def parse_duration(text: str) -> timedelta:
    """Return the span that ``text`` names; "0" is none.

    >>> parse_duration("90m")
    datetime.timedelta(seconds=5400)

    Raises ``ValueError`` for anything but a number and one of s, m, h, d, w.
    """
    if text.strip() == "0":
        return timedelta(0)
    found = _PATTERN.fullmatch(text.strip())
    if found is None or float(found[1]) > _LONGEST / timedelta(**{_UNITS[found[2]]: 1}):
        raise ValueError(
            f"{text!r} is no span of time: write a number and a unit, such as 90m, 1h or 7d (s, m, h, d, w)"
        )
    return timedelta(**{_UNITS[found[2]]: float(found[1])})


class Duration(click.ParamType[timedelta]):
    """A span of time on the command line, of at least ``shortest``; with ``or_none`` 0 is taken, too."""

    name = "duration"

    def __init__(self, shortest: timedelta, *, or_none: bool = False) -> None:
        self._shortest = shortest
        self._or_none = or_none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the span; a click error tells what to write instead."""
        if isinstance(value, timedelta):
            return value
        try:
            span = parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if span < self._shortest and not (self._or_none and not span):
            self.fail(f"{value!r} is shorter than {self._shortest}: take a longer one", param, ctx)
        return span
