"""The database behind the experiment store: connecting, and transactions that keep writers apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from experiments.errors import StoreUnavailableError
from experiments.tables import DEAL, METADATA

DEFAULT_HOLDOUT: Final = 50
"""In thousandths of the members."""
_WAIT_SECONDS: Final = 30
_CONNECT_SECONDS: Final = 5
_CREATION_LOCK: Final = 0x4D61727175656501
"""Our number of PostgreSQL's advisory locks: two servers that start together make the tables once."""
_DRIVERS: Final = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_WRITES: Final = "marquee_writes"
_ACCEPTED: Final = "sqlite:///file.db or postgresql://user:password@host/database"


class Database:
    """Connections of one store, for any number of threads; a process opens its own, after it was forked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{_WRITES: True})

    @classmethod
    def open(cls, url: str) -> Database:
        """Connect, and make the tables that are missing.

        Raises ``ValueError`` for a URL of another kind and :class:`StoreUnavailableError` where nothing
        answers.
        """
        database = cls(_engine(_database_url(url)))
        with database.writing(lock=False) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})
            METADATA.create_all(connection)
            if connection.execute(select(DEAL.c.id)).first() is None:
                connection.execute(insert(DEAL).values(id=1, holdout=DEFAULT_HOLDOUT, revision=0))
        return database

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that changes nothing."""
        with self._told(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self, *, lock: bool = True) -> Iterator[Connection]:
        """Yield a connection in a transaction; with ``lock`` no other writer is in one.

        An exception undoes everything. SQLite lets one writer in by itself (``BEGIN IMMEDIATE``); on
        PostgreSQL the one row of ``experiment_deal`` is the lock.
        """
        with self._told(), self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = '{_WAIT_SECONDS}s'"))
            if lock:
                connection.execute(select(DEAL.c.id).with_for_update()).one()
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what a driver raises into the store's own error."""
        try:
            yield
        except DBAPIError as error:
            where = self._engine.url.render_as_string(hide_password=True)
            raise StoreUnavailableError(
                f"experiment store {where}: {error.orig}; check that it is there and may be written, "
                "MARQUEE_EXPERIMENTS names another"
            ) from error


def _database_url(url: str) -> URL:
    try:
        asked = make_url(url)
    except ArgumentError as error:
        raise ValueError(f"experiment store {url!r} is no database URL: use {_ACCEPTED}") from error
    asked = asked.set(drivername=_DRIVERS.get(asked.drivername, asked.drivername))
    shown = asked.render_as_string(hide_password=True)
    if asked.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise ValueError(f"experiment store {shown}: use {_ACCEPTED}")
    if asked.get_backend_name() == "sqlite" and asked.database in {None, "", ":memory:"}:
        raise ValueError(f"experiment store {shown} would be forgotten: name a file, sqlite:///file.db")
    return asked


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    options: dict[str, Any] = {} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_SECONDS}
    try:
        # A database that was restarted is noticed before a connection to it is used.
        return create_engine(url, connect_args=options, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise StoreUnavailableError(
            f"no driver for PostgreSQL ({error}): run `pip install 'marquee[postgresql]'`"
        ) from error


def _sqlite(url: URL) -> Engine:
    path = str(url.database)
    if not path.startswith("file:"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": _WAIT_SECONDS})

    # SQLAlchemy's way to begin transactions oneself, in place of the driver, which begins them too late.
    @event.listens_for(engine, "connect")
    def leave_transactions_to_us(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
