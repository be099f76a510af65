"""``python -m experiments``."""

from __future__ import annotations

from feature_repo.command_line import Loaded, run_program


def _load() -> Loaded:
    from experiments.cli import main  # noqa: PLC0415  (see run_program)
    from experiments.errors import ExperimentError  # noqa: PLC0415

    return main, (ExperimentError,)


if __name__ == "__main__":
    run_program("python -m experiments", _load)
