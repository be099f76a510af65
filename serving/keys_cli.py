"""``python -m serving keys``: who may call the server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast, get_args

import click

from serving.api_keys import KEYS_VARIABLE, ApiClients, KeysError, Scope, add_client, revoke_client

_file_option = click.option(
    "--file", "file", envvar=KEYS_VARIABLE, required=True, type=click.Path(dir_okay=False, path_type=Path),
    help=f"The key file.  [default: what {KEYS_VARIABLE} names]",
)  # fmt: skip


@click.group()
def keys() -> None:
    """Give clients keys, and take them back. A running server follows with its next request.

    \b
    Example:
        export MARQUEE_API_KEYS=var/api_keys.json
        python -m serving keys add tv-app --scope homepage --scope events --rate 50
    """


@keys.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(get_args(Scope)),
    help="What the key is good for; may be given several times.",
)  # fmt: skip
@click.option("--rate", type=float, help="Requests a second, over all workers.  [default: any number]")
@_file_option
def add(name: str, scopes: tuple[str, ...], rate: float | None, file: Path) -> None:
    """Print a new key for the client NAME, this once; the file keeps its hash.

    \b
    Example:
        python -m serving keys add tv-app --scope homepage --scope events --rate 50
    """
    distinct = cast("tuple[Scope, ...]", tuple(dict.fromkeys(scopes)))
    try:
        click.echo(add_client(file, name, distinct, rate))
    except KeysError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"this is the key of {name}; it is kept nowhere, so note it now", err=True)


@keys.command("list")
@_file_option
@click.option("--json", "as_json", is_flag=True, help="JSON, for scripts.")
def list_clients(file: Path, as_json: bool) -> None:
    """List the clients.

    \b
    Example:
        python -m serving keys list --file var/api_keys.json --json
    """
    try:
        clients = ApiClients.load(file).clients
    except KeysError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        shown = [client.model_dump(mode="json", exclude={"sha256"}) for client in clients]
        click.echo(json.dumps(shown, indent=2))
        return
    for client in clients:
        rate = "any number" if client.rate is None else f"{client.rate:g} a second"
        click.echo(f"{client.name:<24}{', '.join(client.scopes):<28}{rate}")


@keys.command()
@click.argument("name")
@_file_option
def revoke(name: str, file: Path) -> None:
    """Take the key of the client NAME back.

    \b
    Example:
        python -m serving keys revoke tv-app
    """
    try:
        revoke_client(file, name)
    except KeysError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{name} has no key any more")
