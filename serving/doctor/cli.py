"""``python -m serving doctor``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import click

from feature_repo.settings import Settings
from serving.clock import Clock, wall_clock
from serving.doctor import listening, machine, models, places, settings, stores
from serving.doctor.findings import Check, Examination, Finding, Patient, examine

_CHECKS: Final[tuple[Check, ...]] = (
    machine.python, machine.memory, machine.packages, settings.environment, settings.keys,
    places.home, places.lake, places.events, stores.online_store, models.registry,
    models.bundles, models.retrain,
    stores.event_log, stores.experiments, listening.port,
)  # fmt: skip
_MARKS: Final = {"ok": "ok  ", "warn": "WARN", "bad": "BAD "}
_COLOURS: Final = {"ok": "green", "warn": "yellow", "bad": "red"}


def examination(environment: Mapping[str, str], wall: Clock = wall_clock, port: int = 8080) -> Examination:
    """Examine the home that the environment names. Changes nothing, and never raises for what is broken."""
    patient = Patient(Settings.from_environment(environment), environment, wall, port)
    patient = replace(patient, redis_url=stores.answering_redis(patient.settings))
    return Examination(
        at=wall(), machine=machine.described(), packages=machine.versions(),
        settings=settings.settings_of(patient),
        findings=[finding for check in _CHECKS for finding in examine(check, patient)],
    )  # fmt: skip


@click.command("doctor")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="The server's port."
)
@click.option("--json", "as_json", is_flag=True, help="JSON, for scripts.")
def doctor_command(port: int, as_json: bool) -> None:
    """Say what a bug report needs, and what is wrong, with remedies.

    Nothing is started or changed, and no secret is shown. Exit status: 0 where pages can be made as they
    should (warnings count as that), 1 where something is wrong.

    \b
    Examples:
        python -m serving doctor
        python -m serving doctor --json > report.json
        MARQUEE_HOME=/srv/marquee python -m serving doctor --port 80
    """
    found = examination(os.environ, port=port)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _print(found)
    sys.exit(1 if found.worst == "bad" else 0)


def _print(found: Examination) -> None:
    width = max(map(len, (*found.machine, *(one.name for one in found.settings))))
    for name, value in found.machine.items():
        click.echo(f"{name:<{width}}  {value}")
    click.echo(
        f"{'packages':<{width}}  {', '.join(f'{name} {version}' for name, version in found.packages.items())}"
    )
    click.echo()
    for one in found.settings:
        click.echo(f"{one.name:<{width}}  {one.value}  [{one.source}]")
    click.echo()
    for finding in found.findings:
        _print_finding(finding)
    click.echo()
    click.echo(_summary(found))


def _print_finding(finding: Finding) -> None:
    mark = click.style(_MARKS[finding.state], fg=_COLOURS[finding.state])
    click.echo(f"{mark}  {finding.check + ':':<13} {finding.found}")
    if finding.remedy:
        click.echo(f"      {'':<13} → {finding.remedy}")


def _summary(found: Examination) -> str:
    wrong, doubtful = (sum(one.state == state for one in found.findings) for state in ("bad", "warn"))
    if found.worst == "ok":
        return "nothing is wrong"
    return f"{wrong} wrong, {doubtful} to look at"
