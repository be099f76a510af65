"""What the commands share: the store of this home, refusals as messages, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from experiments.opening import open_store
from experiments.store import ExperimentStore
from feature_repo.settings import Settings

json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def opened_store(settings: Settings) -> Iterator[ExperimentStore]:
    """Yield the home's store; turns what is refused into messages for people."""
    try:
        store = open_store(settings)
        try:
            yield store
        finally:
            store.close()
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
