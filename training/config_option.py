"""The option that gives a command the settings of a training."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import ValidationError

from training.config import TrainingConfig

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON with settings of the training; `python -m training defaults` prints them all.",
)


def read_config(path: Path | None) -> TrainingConfig:
    """Return the settings of a file, the defaults where there is none; a click error names what is wrong."""
    if path is None:
        return TrainingConfig()
    try:
        return TrainingConfig.model_validate_json(path.read_text())
    except ValidationError as error:
        raise click.UsageError(f"{path}: {error}") from error
