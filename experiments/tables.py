"""The tables of the experiment store, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

_NAME: Final = 63
"""The longest name that a definition allows."""


class UtcInstant(TypeDecorator[datetime]):
    """An instant, written and read as UTC; SQLite, which knows no time zones, keeps it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant in UTC; raises ``ValueError`` for one without a time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: pass an instant such as datetime.now(UTC)")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant with its time zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


METADATA: Final = MetaData()

EXPERIMENTS: Final = Table(
    "experiments", METADATA,
    Column("name", String(_NAME), primary_key=True),
    Column("layer", String(16), nullable=False, index=True),
    # Text, so that one row that is no JSON does not spoil the reading of the others.
    Column("definition", Text, nullable=False),
    Column("first_bucket", Integer, nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("created_at", UtcInstant, nullable=False),
    Column("started_at", UtcInstant),
    Column("ended_at", UtcInstant),
    Column("reason", Text, nullable=False, default="", server_default=""),
)  # fmt: skip

DECISIONS: Final = Table(
    "experiment_decisions", METADATA,
    Column("experiment", String(_NAME), ForeignKey("experiments.name"), primary_key=True),
    Column("decided_at", UtcInstant, primary_key=True),
    Column("record", Text, nullable=False),
)  # fmt: skip

ALERTS: Final = Table(
    "experiment_alerts", METADATA,
    Column("id", Integer, primary_key=True),
    Column("experiment", String(_NAME), ForeignKey("experiments.name"), nullable=False, index=True),
    Column("at", UtcInstant, nullable=False),
    Column("message", Text, nullable=False),
)  # fmt: skip

CLOCK: Final = Table(
    "experiment_clock", METADATA,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("service", UtcInstant, nullable=False),
    Column("wall", UtcInstant, nullable=False),
)  # fmt: skip
"""One row at most: what the last server to say so took for now, and when."""

DEAL: Final = Table(
    "experiment_deal", METADATA,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("holdout", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
)  # fmt: skip
"""One row: the size of the holdout, and how often what members are dealt from has changed. Its lock is the
store's write lock on PostgreSQL."""
