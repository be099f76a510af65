"""The feature store from the command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from rich.console import Console

from feature_repo.backfill_cli import build_features
from feature_repo.impression_log.cli import expire_command, join_command
from feature_repo.ingest.cli import ingest
from feature_repo.materialization import MaterializationError
from feature_repo.point_in_time import ROWS_AT_ONCE
from feature_repo.redis_server import RedisUnavailableError, announced_url, running_redis
from feature_repo.settings import PROFILE_VARIABLE, Settings
from feature_repo.simulation.cli import simulate_command
from feature_repo.store import FeatureGateway
from feature_repo.store_profile import ProfileError
from feature_repo.stream.cli import stream

_EPOCH = "1970-01-01T00:00:00+00:00"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Data in, features out.

    \b
    A service from nothing, step by step:
        python -m feature_repo simulate            # or: ingest movielens DIR
        python -m feature_repo build-features
        python -m feature_repo apply
        python -m feature_repo materialize

    \b
    While it runs, from the event log to fresh features:
        python -m feature_repo stream
        python -m feature_repo join-impressions

    State lies under MARQUEE_HOME (default: var/). Feast's own commands work in the folder feature_repo/.
    """


main.add_command(simulate_command)
main.add_command(ingest)
main.add_command(build_features)
main.add_command(stream)
main.add_command(join_command)
main.add_command(expire_command)


@contextmanager
def open_gateway(settings: Settings, rows_at_once: int = ROWS_AT_ONCE) -> Iterator[FeatureGateway]:
    """Yield the gateway with a Redis behind it; turns its refusals into messages for people.

    ``rows_at_once``: as in :meth:`feature_repo.store.FeatureGateway.open`.
    """
    try:
        with running_redis(settings) as url:
            yield FeatureGateway.open(settings, url, rows_at_once=rows_at_once)
    except (RedisUnavailableError, MaterializationError, ProfileError) as error:
        raise click.ClickException(str(error)) from error


@main.command()
def apply() -> None:
    """Register the feature definitions, as `feast apply` does.

    \b
    Example:
        python -m feature_repo apply
    """
    settings = Settings.from_environment()
    with open_gateway(settings) as gateway:
        click.echo(f"applied {gateway.apply()} definitions to {settings.registry}")


@main.command()
@click.option(
    "--start", default=_EPOCH, show_default=True, type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]),
    help="Of features from then on. A later start leaves out profiles of members who joined before it, and "
    "with them their maturity limits.",
)  # fmt: skip
@click.option(
    "--end", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="Of features until then.  [default: now]"
)
@click.option("--json", "as_json", is_flag=True, help="JSON, for scripts.")
def materialize(start: datetime, end: datetime | None, as_json: bool) -> None:
    """Bring each entity's newest features online, and check that they arrived.

    \b
    Example:
        python -m feature_repo materialize --end 2026-11-01T00:00:00+00:00
    """
    settings = Settings.from_environment()
    with open_gateway(settings) as gateway, Console(stderr=True).status("materializing") as status:
        arrived = gateway.materialize(
            start, end or datetime.now(UTC), lambda view, done, total: status.update(f"{view} {done}/{total}")
        )
    if as_json:
        click.echo(json.dumps(arrived, indent=2))
        return
    for view, entities in arrived.items():
        click.echo(f"{view:<22}{entities:>12,} entities")


@main.command()
def env() -> None:
    """Print what other programs need to find this service's state.

    \b
    Example:
        eval "$(python -m feature_repo env)"
    """
    settings = Settings.from_environment()
    values = {"MARQUEE_HOME": str(settings.home), "MARQUEE_LAKE": settings.lake}
    url = settings.redis_url or announced_url(settings)
    if url is not None:
        values["REDIS_URL"] = url
    if settings.profile is not None:
        values[PROFILE_VARIABLE] = settings.profile
    for name, value in values.items():
        click.echo(f"export {name}={shlex.quote(value)}")
