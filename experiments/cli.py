"""Experiments from the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO, get_args

import click
from pydantic import ValidationError

from experiments.analysis_cli import analyze, power, report
from experiments.assignment import HOLDOUT_SALT, Assigner, bucket, layer_salt
from experiments.bundle_alias import bundle_aliases
from experiments.command_line import at_option, json_option, opened_store, print_json
from experiments.deciding_cli import decide_command
from experiments.definitions import Device, Experiment, ExperimentDefinition, Layer, MemberTraits, Status
from experiments.listing import alert_line, decision_line, description, experiment_json, table, template
from experiments.opening import decisions_folder
from experiments.promoted import promoted_settings, promoted_treatments
from experiments.promotion import carry_out, finish_interrupted
from experiments.records import Action, DecisionRecord
from experiments.service_time import present, starting_instant
from experiments.starting import start_experiment
from feature_repo.settings import Settings

PAUSED: Final = 3
"""Exit status of a sweep that had to pause an experiment."""
_layers: Final = click.Choice(get_args(Layer))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Which of two is better, decided by members.

    \b
    From an idea to a running experiment:
        python -m experiments template ranker > new-ranker.json    # then edit it
        python -m experiments create new-ranker.json --start
        python -m experiments status ranker-1
    What it says so far, and what its rule makes of it (beside the server, day after day):
        python -m experiments analyze ranker-1
        python -m experiments decide --every 1d
    Or to its end by hand:
        python -m experiments promote ranker-1 --arm treatment --reason "plays +3 %"
        python -m experiments rollback ranker-1 --reason "fewer plays"

    Experiments are kept in MARQUEE_HOME (default: var/), in experiments.db, or in the database that
    MARQUEE_EXPERIMENTS names, postgresql://user:password@host/database. A server takes changes up by itself.

    Instants are by the service's clock, which a server leaves in the store: on old data, the data's time.

    Exit status: 0 done, 1 refused (the message says why, and what to do), 2 wrong usage, 3 a sweep had to
    pause an experiment.
    """


for _command in (analyze, report, power, decide_command):
    main.add_command(_command)


@main.command("template")
@click.argument("layer", type=_layers)
def template_command(layer: str) -> None:
    """Print a definition to start from, for an experiment of a LAYER.

    \b
    Example:
        python -m experiments template post_filter > variety.json
    """
    print_json(template(layer))


@main.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--start", is_flag=True, help="Start it at once.")
@at_option
@json_option
def create(file: TextIO, start: bool, at: datetime | None, as_json: bool) -> None:
    """Create an experiment from a JSON definition in FILE, `-` for standard input.

    It is a draft that owns its buckets until it is started. Refused, with the experiments in the way named,
    where its buckets are taken or the layer's traffic would pass 100 %.

    \b
    Examples:
        python -m experiments create variety.json
        python -m experiments template ui | python -m experiments create - --start
    """
    definition, settings = _definition(file.read(), file.name), Settings.from_environment()
    with opened_store(settings) as store:
        now = at or (starting_instant if start else present)(store, settings, _wall())
        experiment = store.create(definition, now)
        if start:
            aliases = bundle_aliases(settings.bundles)
            experiment = start_experiment(store, aliases, experiment.name, now)
        _show(experiment, as_json=as_json)


@main.command()
@click.argument("name")
@at_option
@json_option
def start(name: str, at: datetime | None, as_json: bool) -> None:
    """Start a draft, or a paused experiment again.

    A bundle that an arm names by its alias becomes the version behind it, to the end of the experiment.

    \b
    Example:
        python -m experiments start ranker-1
    """
    settings = Settings.from_environment()
    with opened_store(settings) as store:
        now = at or starting_instant(store, settings, _wall())
        started = start_experiment(store, bundle_aliases(settings.bundles), name, now)
        _show(started, as_json=as_json)


@main.command()
@click.argument("name")
@click.option("--reason", default="", help="Why, for those who look at its status.")
@at_option
@json_option
def pause(name: str, reason: str, at: datetime | None, as_json: bool) -> None:
    """Pause a running experiment: all its members see control until it is started again.

    \b
    Example:
        python -m experiments pause ranker-1 --reason "pages are slow"
    """
    settings = Settings.from_environment()
    with opened_store(settings) as store:
        now = at or present(store, settings, _wall())
        _show(store.change_status(name, Status.PAUSED, now, reason), as_json=as_json)


@main.command()
@click.argument("name")
@json_option
def status(name: str, as_json: bool) -> None:
    """Print where an experiment stands, its alerts and decisions.

    \b
    Example:
        python -m experiments status ranker-1 --json
    """
    with opened_store(Settings.from_environment()) as store:
        experiment, alerts, decisions = store.get(name), store.alerts(name), store.decisions(name)
    if not as_json:
        click.echo(description(experiment, alerts, decisions))
        return
    print_json(
        {
            **experiment_json(experiment),
            "alerts": [alert.model_dump(mode="json") for alert in alerts],
            "decisions": [record.model_dump(mode="json") for record in decisions],
        }
    )


@main.command("list")
@click.option("--layer", type=_layers, help="Only of this layer.")
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice([s.value for s in Status]),
    help="Only of this status; may be given several times.",
)  # fmt: skip
@json_option
def list_command(layer: str | None, statuses: tuple[str, ...], as_json: bool) -> None:
    """List the experiments, the oldest first.

    \b
    Example:
        python -m experiments list --status running --status paused
    """
    chosen = [Status(value) for value in statuses] or list(Status)
    with opened_store(Settings.from_environment()) as store:
        experiments = store.with_status(*chosen, layer=layer)
    if as_json:
        print_json([experiment_json(experiment) for experiment in experiments])
    else:
        click.echo(table(experiments) if experiments else "no experiments")


@main.command()
@click.argument("name")
@click.option("--arm", required=True, help="The arm that all members are to see.")
@click.option("--reason", required=True, help="Why, for the record.")
@at_option
@json_option
def promote(name: str, arm: str, reason: str, at: datetime | None, as_json: bool) -> None:
    """End an experiment for an arm.

    Of the layer ranker, the arm's bundle becomes champion; servers take it up. Of other layers, the operator
    carries the treatment into the server's settings; `promoted` prints it.

    \b
    Example:
        python -m experiments promote ranker-1 --arm treatment --reason "plays +3 %, retention unchanged"
    """
    _decide(name, "promote", arm, reason, at, as_json=as_json)


@main.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why, for the record.")
@at_option
@json_option
def rollback(name: str, reason: str, at: datetime | None, as_json: bool) -> None:
    """End an experiment for control: all members see it at once. Of a draft, withdraw it.

    A promotion is taken back: the champion before it serves again, unless another has become champion since.

    \b
    Example:
        python -m experiments rollback ranker-1 --reason "fewer plays"
    """
    _decide(name, "roll_back", None, reason, at, as_json=as_json)


@main.command()
@click.argument("settings_file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def promoted(settings_file: Path | None) -> None:
    """Print what promoted experiments have changed, as JSON for a server's settings.

    Given SETTINGS_FILE, print that file with the changes merged in.

    \b
    Example:
        python -m serving defaults > settings.json
        python -m experiments promoted settings.json > next.json
        python -m serving run --settings next.json
    """
    with opened_store(Settings.from_environment()) as store:
        treatments = promoted_treatments(store)
    settings = {} if settings_file is None else _settings(settings_file)
    print_json(promoted_settings(treatments, settings))
    for name, treatment in treatments.items():
        if treatment.variant is not None:
            click.echo(f"{name}: the client is to show the variant {treatment.variant!r} to all", err=True)


@main.command()
@click.argument("thousandths", required=False, type=int)
@json_option
def holdout(thousandths: int | None, as_json: bool) -> None:
    """Print how many THOUSANDTHS of the members see no experiment, or set it: 50 to 100, or 0.

    It can be set only while no experiment runs or is paused: members would change sides.

    \b
    Examples:
        python -m experiments holdout
        python -m experiments holdout 50
    """
    with opened_store(Settings.from_environment()) as store:
        if thousandths is not None:
            store.set_holdout(thousandths)
        kept = store.holdout()
    if as_json:
        print_json({"holdout": kept})
    else:
        click.echo(kept)


@main.command()
@at_option
@json_option
@click.pass_context
def sweep(context: click.Context, at: datetime | None, as_json: bool) -> None:
    """Pause running experiments that cannot run, such as of two that overlap the later one.

    Also finishes decisions that were interrupted. Exit status 3 where an experiment was paused.

    \b
    Example:
        python -m experiments sweep --json
    """
    settings = Settings.from_environment()
    with opened_store(settings) as store:
        alerts = store.sweep(at or present(store, settings, _wall()))
        aliases, folder = bundle_aliases(settings.bundles), decisions_folder(settings)
        finished = [r for n in store.names() for r in finish_interrupted(store, aliases, folder, n)]
    if as_json:
        paused = [alert.model_dump(mode="json") for alert in alerts]
        print_json({"paused": paused, "finished": [r.model_dump(mode="json") for r in finished]})
    else:
        lines = [alert_line(alert) for alert in alerts]
        lines += [f"{r.experiment}: finished {decision_line(r)}" for r in finished]
        click.echo("\n".join(lines) or "nothing to do")
    context.exit(PAUSED if alerts else 0)


@main.command()
@click.argument("name", required=False)
@json_option
def alerts(name: str | None, as_json: bool) -> None:
    """Print the alerts about the experiment NAME, or all; the latest last.

    \b
    Examples:
        python -m experiments alerts
        python -m experiments alerts ranker-1 --json
    """
    with opened_store(Settings.from_environment()) as store:
        if name is not None:
            store.get(name)
        found = store.alerts(name)
    if as_json:
        print_json([alert.model_dump(mode="json") for alert in found])
    else:
        click.echo("\n".join(map(alert_line, found)) or "no alerts")


@main.command()
@click.argument("user_id")
@click.option("--country", default="", help="Of the member, such as KR.")
@click.option("--language", default="", help="Of the member, such as ko.")
@click.option("--device", default="", type=click.Choice(["", *get_args(Device)]), help="Of the page.")
@click.option("--watch-count", default=0, type=click.IntRange(min=0), help="Viewings started so far.")
@json_option
def assign(user_id: str, country: str, language: str, device: str, watch_count: int, as_json: bool) -> None:
    """Print which arms the member USER_ID gets, and their bucket in each layer.

    \b
    Example:
        python -m experiments assign m000001 --country KR --device tv
    """
    with opened_store(Settings.from_environment()) as store:
        assigner = Assigner(store.running(), store.holdout())
    assignment = assigner.assign(user_id, MemberTraits(country, language, device, watch_count))
    buckets = {layer: bucket(user_id, layer_salt(layer)) for layer in get_args(Layer)}
    if as_json:
        held = {"held_out": assignment.held_out, "holdout_bucket": bucket(user_id, HOLDOUT_SALT)}
        print_json({"user_id": user_id, **held, "buckets": buckets, "arms": assignment.labels})
        return
    if assignment.held_out:
        click.echo(f"{user_id} is held out and sees no experiment")
    for layer, place in buckets.items():
        click.echo(f"{layer:<12} bucket {place:>3}  {assignment.labels.get(layer, '-')}")


def _decide(
    name: str, action: Action, arm: str | None, reason: str, at: datetime | None, *, as_json: bool
) -> DecisionRecord:
    settings = Settings.from_environment()
    with opened_store(settings) as store:
        record = carry_out(
            store, bundle_aliases(settings.bundles), decisions_folder(settings), name, action, arm, reason,
            evidence={}, now=at or present(store, settings, _wall()), decided_by="operator",
        )  # fmt: skip
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        click.echo(f"{name}: {decision_line(record)}")
    return record


def _definition(text: str, source: str) -> ExperimentDefinition:
    """Return the definition; raises ``ClickException`` with a line for each field that is wrong."""
    try:
        return ExperimentDefinition.model_validate_json(text)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, fault['loc'])) or 'definition'}: {fault['msg']}"
            + ("" if isinstance(fault["input"], dict | list) else f", not {fault['input']!r}"[:200])
            for fault in error.errors()
        ]
        message = "\n".join([f"{source} is no definition of an experiment:", *lines])
        raise click.ClickException(message) from error


def _settings(file: Path) -> dict[str, Any]:
    """Return a server's settings as they are in a file."""
    try:
        settings = json.loads(file.read_bytes())
    except ValueError as error:
        raise click.ClickException(f"{file}: {error}") from error
    sections = settings if isinstance(settings, dict) else {"settings": None}
    wrong = next((name for name, of in sections.items() if not isinstance(of, dict)), None)
    if wrong is not None:
        raise click.ClickException(
            f"{file}: {wrong} is no object; `python -m serving defaults` prints settings"
        )
    return sections


def _show(experiment: Experiment, *, as_json: bool) -> None:
    if as_json:
        print_json(experiment_json(experiment))
    else:
        buckets = f"buckets {experiment.buckets.start} to {experiment.buckets.stop - 1}"
        click.echo(f"{experiment.name} is {experiment.status}, {buckets} of {experiment.definition.layer}")


def _wall() -> datetime:
    return datetime.now(UTC)
