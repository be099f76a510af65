"""The experiments there are: what was asked for, where it stands, what was decided; SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from sqlalchemy import Connection, select, update

from experiments import rows
from experiments.allotment import allot, check_alone
from experiments.conflicts import Conflict, conflicts
from experiments.database import Database
from experiments.definitions import Experiment, ExperimentDefinition, Status
from experiments.errors import ExperimentExistsError, HoldoutError, UnknownExperimentError
from experiments.log_reach import check_rule
from experiments.records import Alert, ClockReading, DecisionRecord
from experiments.tables import DEAL
from experiments.transitions import check_transition, moved

HOLDOUT_FROM: Final = 50
HOLDOUT_TO: Final = 100
"""Thousandths of the members that see no experiment, where any do not."""
REPEATED_WITHIN: Final = timedelta(hours=1)
"""The same alert about the same experiment is kept once in this time: every server notices by itself."""


@dataclass(frozen=True, slots=True)
class Deciding:
    """An experiment while it is decided upon: nobody else changes anything in the store."""

    experiment: Experiment
    decisions: list[DecisionRecord]
    _connection: Connection

    def settle(self, record: DecisionRecord, status: Status | None) -> None:
        """Keep the decision and, unless None, the status that it brings the experiment to, as one change."""
        rows.add_decision(self._connection, record)
        if status is not None:
            changed = moved(self.experiment, status, record.decided_at, record.reason)
            rows.replace_standing(self._connection, changed)
            rows.bump_revision(self._connection)


class ExperimentStore:
    """Experiments in a database. For any number of threads, processes and machines at once.

    Every method raises :class:`experiments.errors.StoreUnavailableError` where the database fails. A process
    opens its own store, after it was forked. Instants must have a time zone; they come back in UTC.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str) -> ExperimentStore:
        """Open ``sqlite:///file.db`` or ``postgresql://…``; makes the file and the tables that are missing.

        Raises ``ValueError`` for another kind of URL.
        """
        return cls(Database.open(url))

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def create(self, definition: ExperimentDefinition, now: datetime) -> Experiment:
        """Keep a new experiment as a draft, with buckets of its own in its layer.

        It gets ``first_bucket``, else the first gap in which its traffic fits. Raises
        :class:`ExperimentExistsError` for a name that was ever used and
        :class:`ExperimentConflictError` naming those whose buckets are in the way, and
        :class:`RuleRefusedError` for a rule that asks more of the impression log than it keeps.
        """
        check_rule(definition.rule)
        with self._database.writing() as connection:
            used = set(rows.names(connection))
            if definition.name in used:
                raise ExperimentExistsError(
                    f"there is an experiment {definition.name!r} already: choose a name that was never used, "
                    f"such as {_unused_name(definition.name, used)!r}"
                )
            first = allot(definition, rows.experiments(connection, definition.layer, rows.OWNING))
            added = Experiment(definition=definition, first_bucket=first, created_at=now)
            rows.add_experiment(connection, added)
            rows.bump_revision(connection)
            return rows.experiment(connection, definition.name)

    def get(self, name: str) -> Experiment:
        """Return an experiment; raises :class:`UnknownExperimentError` naming those that come close."""
        with self._database.reading() as connection:
            return rows.experiment(connection, name)

    def all(self, layer: str | None = None) -> list[Experiment]:
        """Return all experiments, ended ones too, or those of a layer; the oldest first.

        Raises :class:`DamagedExperimentError` naming a row that is not valid.
        """
        with self._database.reading() as connection:
            return rows.experiments(connection, layer)

    def with_status(self, *statuses: Status, layer: str | None = None) -> list[Experiment]:
        """Return the experiments of these statuses, the oldest first; others need not be valid."""
        with self._database.reading() as connection:
            return rows.experiments(connection, layer, statuses)

    def running(self) -> list[Experiment]:
        """Return the experiments that members are dealt to. Damaged rows of others do not matter."""
        return self.with_status(Status.RUNNING)

    def names(self) -> list[str]:
        """Return every name that was ever used, of damaged rows too."""
        with self._database.reading() as connection:
            return rows.names(connection)

    def change_status(
        self,
        name: str,
        status: Status,
        now: datetime,
        reason: str = "",
        definition: ExperimentDefinition | None = None,
    ) -> Experiment:
        """Bring an experiment to another status; raises :class:`TransitionError` telling what is allowed.

        ``definition`` takes the place of its own where it is given, as with
        :func:`experiments.starting.start_experiment`, which is how experiments are started. Raises
        :class:`ExperimentConflictError` where one is to run on buckets that another has come to own.
        """
        with self._database.writing() as connection:
            experiment = rows.experiment(connection, name)
            check_transition(experiment, status)
            if status is Status.RUNNING:
                layer = experiment.definition.layer
                check_alone(experiment, rows.experiments(connection, layer, rows.OWNING))
            changed = moved(experiment, status, now, reason)
            if definition is not None:
                rows.replace_definition(connection, changed.model_copy(update={"definition": definition}))
            rows.replace_standing(connection, changed)
            rows.bump_revision(connection)
            return rows.experiment(connection, name)

    def holdout(self) -> int:
        """Return how many thousandths of the members see no experiment."""
        with self._database.reading() as connection:
            return int(connection.execute(select(DEAL.c.holdout)).scalar_one())

    def set_holdout(self, thousandths: int) -> None:
        """Set the holdout: 0, or 50 to 100. Raises :class:`HoldoutError` while experiments run or pause."""
        if thousandths != 0 and not HOLDOUT_FROM <= thousandths <= HOLDOUT_TO:
            raise HoldoutError(
                f"a holdout of {thousandths} thousandths: use {HOLDOUT_FROM} to {HOLDOUT_TO}, or 0 for none"
            )
        with self._database.writing() as connection:
            if connection.execute(select(DEAL.c.holdout)).scalar_one() == thousandths:
                return
            begun = rows.experiments(connection, statuses=(Status.RUNNING, Status.PAUSED))
            if begun:
                raise HoldoutError(
                    f"another holdout would deal the members of {' and '.join(repr(e.name) for e in begun)} "
                    "anew: promote or roll them back first"
                )
            connection.execute(update(DEAL).values(holdout=thousandths))
            rows.bump_revision(connection)

    def revision(self) -> int:
        """Return a number that rises with every change of an experiment or of the holdout.

        Alerts and decisions that change no status leave it: a server that raises an alert need not read anew.
        """
        with self._database.reading() as connection:
            return int(connection.execute(select(DEAL.c.revision)).scalar_one())

    def keep_clock(self, reading: ClockReading) -> None:
        """Keep what a server takes for now, for commands that run beside it."""
        with self._database.writing() as connection:
            rows.replace_clock(connection, reading)

    def clock(self) -> ClockReading | None:
        """Return the clock that a server left last, None where none ever did."""
        with self._database.reading() as connection:
            return rows.clock(connection)

    def sweep(self, now: datetime) -> list[Alert]:
        """Pause running experiments that cannot run, each with an alert; return these.

        Of two that overlap, the one that started later is paused. Rows put in by hand, or a backup put back,
        can bring that about; so they can bring a row that is no valid experiment, which is paused too.
        """
        with self._database.reading() as connection:
            if not _conflicts(connection):
                return []
        with self._database.writing() as connection:
            alerts = []
            for conflict in _conflicts(connection):
                rows.pause_row(connection, conflict.name, conflict.message)
                alert = Alert(experiment=conflict.name, at=now, message=conflict.message)
                rows.add_alert(connection, alert)
                alerts.append(alert)
            if alerts:
                rows.bump_revision(connection)
            return alerts

    def alert(self, name: str, message: str, now: datetime) -> Alert:
        """Keep an alert about an experiment and return it; within an hour the same one is kept once."""
        with self._database.writing() as connection:
            _check_known(connection, name)
            for earlier in reversed(rows.alerts(connection, name)):
                if earlier.message == message and abs(now - earlier.at) < REPEATED_WITHIN:
                    return earlier
            alert = Alert(experiment=name, at=now, message=message)
            rows.add_alert(connection, alert)
            return alert

    def alerts(self, name: str | None = None) -> list[Alert]:
        """Return the alerts about an experiment, or all; the first first."""
        with self._database.reading() as connection:
            return rows.alerts(connection, name)

    def record(self, decision: DecisionRecord) -> DecisionRecord:
        """Keep a decision and return it as kept; one that is there already changes nothing.

        :func:`experiments.promotion.carry_out` does so by itself, with what the decision brings about.
        """
        with self._database.writing() as connection:
            _check_known(connection, decision.experiment)
            return rows.add_decision(connection, decision)

    def decisions(self, name: str) -> list[DecisionRecord]:
        """Return the decisions about an experiment, the first first."""
        with self._database.reading() as connection:
            return rows.decisions(connection, name)

    @contextmanager
    def deciding(self, name: str) -> Iterator[Deciding]:
        """Hold the store for a decision about an experiment; an exception undoes what was settled.

        Raises :class:`UnknownExperimentError`. Whoever holds it must not use the store otherwise: it would
        wait for itself.
        """
        with self._database.writing() as connection:
            experiment = rows.experiment(connection, name)
            yield Deciding(experiment, rows.decisions(connection, name), connection)


def _conflicts(connection: Connection) -> list[Conflict]:
    return conflicts(rows.rows(connection, statuses=(Status.RUNNING,)))


def _check_known(connection: Connection, name: str) -> None:
    known = rows.names(connection)
    if name not in known:
        raise UnknownExperimentError.of(name, known)


def _unused_name(name: str, used: Collection[str]) -> str:
    """Return the name with a higher number behind it."""
    stem, _, number = name.rpartition("-")
    base, last = (stem, int(number)) if stem and number.isdecimal() else (name, 1)
    return next(new for n in count(last + 1) if (new := f"{base}-{n}") not in used)
