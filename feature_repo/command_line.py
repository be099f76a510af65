"""How every program of ours starts and ends.

| exit status | what it means |
|---|---|
| 0 | done |
| 1 | refused or failed, or a gate that was asked for did not pass: the message says why, and what to do |
| 2 | wrong usage |
| 130 | interrupted by Ctrl-C; the same command may be run again |

A command that has another one says so in its help.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, NoReturn

import click

INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as shells count."""
DOCTOR: Final = "`python -m serving doctor` says what is wrong with a home, and what to do"

Loaded = tuple[click.Command, tuple[type[Exception], ...]]
"""A program, and the errors whose message is all that a person needs."""


def run_program(name: str, load: Callable[[], Loaded]) -> NoReturn:
    """Run the program that ``load`` imports, under a ``name`` such as `python -m training`, and exit.

    Importing takes seconds, in which Ctrl-C must work as well. What is unforeseen keeps its traceback.
    """
    refusals: tuple[type[Exception], ...] = ()
    try:
        command, refusals = load()
        status = command.main(prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; what was finished is kept, and the same command may be run again", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if not isinstance(error, (*refusals, OSError)) and not _of_a_store(error):
            raise
        click.ClickException(f"{one_line(error)}\n{DOCTOR}").show()
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


def one_line(error: Exception) -> str:
    """Return what an error says, on one line; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def _of_a_store(error: Exception) -> bool:
    """Say whether Redis or Feast refused: both are imported by whoever uses them, not for this question."""
    return any(kind.__module__ in ("redis.exceptions", "feast.errors") for kind in type(error).__mro__)
