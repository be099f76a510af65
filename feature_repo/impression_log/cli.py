"""``join-impressions`` and ``expire-impressions``."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import click
from rich.console import Console

from feature_repo.durations import Duration
from feature_repo.impression_log.joining import Joined, join_impressions
from feature_repo.impression_log.retention import expire_impressions
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings

_DAY = timedelta(days=1)
_keep = click.option(
    "--keep", default="90d", show_default=True, type=Duration(_DAY), help="How long the log is kept."
)
_lake = click.option(
    "--lake", "root", default=None, help="Path or URL of the lake; default: MARQUEE_LAKE or var/lake."
)


class UtcDay(click.ParamType[date]):
    """A day such as 2026-03-01."""

    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day; a click error tells what to write instead."""
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no day: write it as 2026-03-01", param, ctx)


@click.command("join-impressions")
@_lake
@click.option("--since", type=UtcDay(), help="First UTC day to join.  [default: the log's first]")
@click.option("--until", type=UtcDay(), help="Last UTC day to join.  [default: the log's last]")
@_keep
def join_command(root: str | None, since: date | None, until: date | None, keep: timedelta) -> None:
    """Find out what came of the tiles that servers showed: plays, fractions, clicks.

    Only days are joined of which tiles or events came since. `build-features` and every training do it, too.
    docs/impressions.md tells the rule.

    \b
    Example:
        python -m feature_repo join-impressions --since 2026-03-01
    """
    lake = _opened(root)
    try:
        with Console(stderr=True).status("joining impressions") as status:
            done = join_impressions(
                lake, datetime.now(UTC), since=since, until=until, keep=keep,
                progress=lambda day, at, total: status.update(f"{day} ({at + 1}/{total})"),
            )  # fmt: skip
    except OSError as error:
        raise click.ClickException(f"{lake.root}: {error}") from error
    for line in told(done):
        click.echo(line)


@click.command("expire-impressions")
@_lake
@_keep
def expire_command(root: str | None, keep: timedelta) -> None:
    """Remove the days of the impression log that are older than it is kept.

    They are reckoned back from the newest day that a server logged. `join-impressions` does it, too.

    \b
    Example:
        python -m feature_repo expire-impressions --keep 30d
    """
    lake = _opened(root)
    try:
        gone = expire_impressions(lake, datetime.now(UTC), keep)
    except OSError as error:
        raise click.ClickException(f"{lake.root}: {error}") from error
    click.echo("\n".join(f"{part} expired" for part in gone) or "nothing is older")


def told(done: Joined) -> list[str]:
    """Return what a join did, line by line."""
    lines = [f"{day}: {tiles:,} tiles joined" for day, tiles in done.days.items()]
    lines += [f"{part} expired" for part in done.expired]
    if done.compacted:
        lines.append(f"{done.compacted:,} files became few")
    return lines or ["nothing new since the last join"]


def _opened(root: str | None) -> Lake:
    return Lake(root or Settings.from_environment().lake)
