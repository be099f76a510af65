"""Experiments, decisions and alerts as rows: what the store asks of a connection."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pydantic import ValidationError
from sqlalchemy import Connection, Row, delete, insert, select, update

from experiments.definitions import Experiment, ExperimentDefinition, Status
from experiments.errors import DamagedExperimentError, UnknownExperimentError
from experiments.records import Alert, ClockReading, DecisionRecord, apart
from experiments.tables import ALERTS, CLOCK, DEAL, DECISIONS, EXPERIMENTS

OWNING = tuple(status for status in Status if status.owns_buckets)


def names(connection: Connection) -> list[str]:
    """Return every name that was ever used."""
    return list(connection.execute(select(EXPERIMENTS.c.name)).scalars())


def rows(
    connection: Connection, layer: str | None = None, statuses: Collection[Status] = tuple(Status)
) -> Iterator[Row[tuple[object, ...]]]:
    """Yield the rows of experiments, the oldest first."""
    # An unknown status belongs to nobody's choice: it is read where all are, and refused there.
    query = select(EXPERIMENTS).order_by(EXPERIMENTS.c.created_at, EXPERIMENTS.c.name)
    if set(statuses) != set(Status):
        query = query.where(EXPERIMENTS.c.status.in_(sorted(statuses)))
    yield from connection.execute(query if layer is None else query.where(EXPERIMENTS.c.layer == layer))


def experiments(
    connection: Connection, layer: str | None = None, statuses: Collection[Status] = tuple(Status)
) -> list[Experiment]:
    """Return experiments, the oldest first; raises :class:`DamagedExperimentError`."""
    return [experiment_of(row) for row in rows(connection, layer, statuses)]


def experiment(connection: Connection, name: str) -> Experiment:
    """Return one; raises :class:`UnknownExperimentError`, :class:`DamagedExperimentError`."""
    row = connection.execute(select(EXPERIMENTS).where(EXPERIMENTS.c.name == name)).first()
    if row is None:
        raise UnknownExperimentError.of(name, names(connection))
    return experiment_of(row)


def experiment_of(row: Row[tuple[object, ...]]) -> Experiment:
    """Return the experiment of a row; raises :class:`DamagedExperimentError` naming the field."""
    kept = row._asdict()
    name, layer = kept.pop("name"), kept.pop("layer")
    try:
        definition = ExperimentDefinition.model_validate_json(kept.pop("definition"))
        found = Experiment.model_validate({**kept, "definition": definition})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "definition"
        raise DamagedExperimentError(str(name), f"{place}: {first['msg']}") from error
    if (found.name, found.definition.layer) != (name, layer):
        said = f"its definition is of {found.name!r} in the layer {found.definition.layer}"
        raise DamagedExperimentError(str(name), f"{said}, its row of {name!r} in {layer}")
    return found


def add_experiment(connection: Connection, added: Experiment) -> None:
    """Insert an experiment."""
    values = {
        "name": added.name,
        "layer": added.definition.layer,
        "definition": added.definition.model_dump_json(),
        "first_bucket": added.first_bucket,
        "created_at": added.created_at,
    }
    connection.execute(insert(EXPERIMENTS).values(**values, **_standing(added)))


def replace_definition(connection: Connection, changed: Experiment) -> None:
    """Write the definition of an experiment anew."""
    where = EXPERIMENTS.c.name == changed.name
    text = changed.definition.model_dump_json()
    connection.execute(update(EXPERIMENTS).where(where).values(definition=text))


def replace_standing(connection: Connection, changed: Experiment) -> None:
    """Write where an experiment stands."""
    where = EXPERIMENTS.c.name == changed.name
    connection.execute(update(EXPERIMENTS).where(where).values(**_standing(changed)))


def pause_row(connection: Connection, name: str, reason: str) -> None:
    """Pause an experiment whose row may not be readable."""
    paused = {"status": Status.PAUSED.value, "reason": reason}
    connection.execute(update(EXPERIMENTS).where(EXPERIMENTS.c.name == name).values(**paused))


def _standing(experiment: Experiment) -> dict[str, object]:
    return {
        "status": experiment.status.value,
        "started_at": experiment.started_at,
        "ended_at": experiment.ended_at,
        "reason": experiment.reason,
    }


def bump_revision(connection: Connection) -> None:
    """Count a change of what members are dealt from."""
    connection.execute(update(DEAL).values(revision=DEAL.c.revision + 1))


def decisions(connection: Connection, name: str) -> list[DecisionRecord]:
    """Return an experiment's decisions, the first first."""
    query = select(DECISIONS.c.record).where(DECISIONS.c.experiment == name).order_by(DECISIONS.c.decided_at)
    return [DecisionRecord.model_validate_json(text) for text in connection.execute(query).scalars()]


def add_decision(connection: Connection, record: DecisionRecord) -> DecisionRecord:
    """Insert a decision and return it as kept; one that is there already changes nothing."""
    earlier = decisions(connection, record.experiment)
    record = apart(record, earlier)
    if record not in earlier:
        values = {"experiment": record.experiment, "decided_at": record.decided_at}
        connection.execute(insert(DECISIONS).values(**values, record=record.model_dump_json()))
    return record


def alerts(connection: Connection, name: str | None) -> list[Alert]:
    """Return alerts, the first first; of one experiment or all."""
    query = select(ALERTS.c.experiment, ALERTS.c.at, ALERTS.c.message).order_by(ALERTS.c.id)
    found = connection.execute(query if name is None else query.where(ALERTS.c.experiment == name))
    return [Alert.model_validate(row._asdict()) for row in found]


def add_alert(connection: Connection, alert: Alert) -> None:
    """Insert an alert."""
    connection.execute(insert(ALERTS).values(**alert.model_dump()))


def clock(connection: Connection) -> ClockReading | None:
    """Return the clock that a server left last."""
    row = connection.execute(select(CLOCK.c.service, CLOCK.c.wall)).first()
    return None if row is None else ClockReading.model_validate(row._asdict())


def replace_clock(connection: Connection, reading: ClockReading) -> None:
    """Keep a server's clock in place of the one before."""
    connection.execute(delete(CLOCK))
    connection.execute(insert(CLOCK).values(id=1, **reading.model_dump()))
