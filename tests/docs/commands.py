"""Commands of the documents, run in the test's own process: a new one for each would take longer."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

import click
from click.testing import CliRunner, Result

from experiments.cli import main as experiments
from feature_repo.cli import main as feature_repo
from serving.cli import serving
from training.cli import main as training

PROGRAMS: Final[dict[str, click.Command]] = {
    "feature_repo": feature_repo,
    "training": training,
    "serving": serving,
    "experiments": experiments,
}
"""What ``python -m`` starts, by name."""
_PYTHON: Final = ["python", "-m"]


def run_line(line: str, environment: dict[str, str]) -> Result:
    """Run one line of a shell block, ``python -m PROGRAM … [> FILE]``, in the working directory.

    Raises ``AssertionError`` with its output where it fails, or is no such line.
    """
    words = shlex.split(line, comments=True)
    target = None
    if len(words) > 2 and words[-2] == ">":
        *words, _, target = words
    assert words[:2] == _PYTHON, line
    result = CliRunner(env=environment).invoke(PROGRAMS[words[2]], words[3:])
    assert result.exit_code == 0, f"{line}\n{result.output}"
    if target is not None:
        Path(target).write_text(result.stdout, "utf-8")
    return result
