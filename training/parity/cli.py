"""``python -m training parity``: whether the ranker is served what training would retrieve."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
import numpy as np
from rich.console import Console

from feature_repo.cli import open_gateway
from feature_repo.durations import Duration
from feature_repo.ingest.lake import Lake, LakeError
from feature_repo.settings import Settings
from training.bundle import Bundle, BundleError, list_bundles, load_bundle
from training.parity.drift import drift_of
from training.parity.findings import STALE_WITHIN, prove
from training.parity.report import ParityReport, as_json, markdown, tables
from training.parity.served import ServedPages, newest_instant, read_served

REPORT_FILE: Final = "parity.md"
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_INSTANT: Final = click.DateTime(["%Y-%m-%dT%H:%M:%SZ"])


@click.command("parity")
@click.option("--from", "start", type=_INSTANT, help="First page, UTC.  [default: a day before --until]")
@click.option("--until", "end", type=_INSTANT, help="End of the pages, UTC.  [default: the newest page]")
@click.option(
    "--stale-within", default=f"{STALE_WITHIN // timedelta(hours=1)}h", show_default=True,
    type=Duration(timedelta(seconds=1), or_none=True), help="Values up to so old are explained.",
)  # fmt: skip
@click.option(
    "--allow", default=0.0, show_default=True, type=click.FloatRange(0, 1),
    help="Largest share of unexplained values of a feature; above it the exit code is 1.",
)  # fmt: skip
@click.option("--most-pages", default=100, show_default=True, type=click.IntRange(min=1), help="A sample.")
@click.option("--examples", default=3, show_default=True, type=click.IntRange(min=0), help="Of each feature.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of the sample.")
@click.option("--json", "as_data", is_flag=True, help="Print everything as JSON.")
@click.pass_context
def parity(
    context: click.Context,
    start: datetime | None,
    end: datetime | None,
    stale_within: timedelta,
    allow: float,
    most_pages: int,
    examples: int,
    seed: int,
    as_data: bool,
) -> None:
    """Replay sampled pages through point-in-time retrieval, and compare what the ranker was served.

    Names each feature that differs with its likely cause, and how far served features and scores have drifted
    from the ranker's training. Leaves var/reports/parity.md. Exit code 1 where a feature fails.

    \b
    Example:
        python -m training parity --stale-within 2h --allow 0.001 --json
    """
    settings = Settings.from_environment()
    try:
        since, until = _window(Lake(settings.lake), start, end)
        served = read_served(Lake(settings.lake), since, until, most_pages=most_pages, seed=seed)
        bundles = _bundles(settings, served)
        report = _report(settings, served, bundles, (since, until), stale_within, allow, examples)
    except (ValueError, FileNotFoundError, LakeError, BundleError) as error:
        raise click.ClickException(str(error)) from error
    _write(settings.reports / REPORT_FILE, markdown(report))
    if as_data:
        click.echo(json.dumps(as_json(report), indent=2, allow_nan=False))
    else:
        for table in tables(report):
            Console().print(table)
        click.echo(report.summary)
        click.echo(f"report {settings.reports / REPORT_FILE}")
    context.exit(1 if report.failing else 0)


def _window(lake: Lake, start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Return the window asked for; raises ``ValueError`` where there is no page at all."""
    newest = newest_instant(lake)
    if newest is None:
        raise ValueError(f"no sampled page in {lake.root}: serve some with impressions.parity_share above 0")
    until = newest + _MICROSECOND if end is None else end.replace(tzinfo=UTC)
    return until - _DAY if start is None else start.replace(tzinfo=UTC), until


def _bundles(settings: Settings, served: ServedPages) -> dict[str, Bundle]:
    there = set(list_bundles(settings.bundles))
    named = set(np.unique(served.bundles).tolist())
    return {name: load_bundle(settings.bundles / name) for name in sorted(named & there)}


def _report(
    settings: Settings,
    served: ServedPages,
    bundles: dict[str, Bundle],
    window: tuple[datetime, datetime],
    stale_within: timedelta,
    allow: float,
    examples: int,
) -> ParityReport:
    gone = {str(n): int((served.bundles == n).sum()) for n in np.unique(served.bundles) if n not in bundles}
    kept = served.take(np.isin(served.bundles, sorted(bundles))[served.page_of])
    if not len(kept):
        reason = f"the bundles of all pages are gone: {sorted(gone)}" if gone else "none was sampled"
        raise ValueError(
            f"no page to replay from {window[0].isoformat()} to {window[1].isoformat()} ({reason}); "
            "say another window with --from and --until"
        )
    contents = {name: bundle.contents for name, bundle in bundles.items()}
    with open_gateway(settings) as gateway:
        features = prove(gateway, kept, contents, stale_within=stale_within, examples=examples)
    return ParityReport(
        *window, len(kept.page_ids), len(kept), gone, stale_within, allow, features, drift_of(kept, bundles)
    )


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
