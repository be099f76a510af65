"""What is asked over a connection: Redis, the event log with the stream behind it, the experiments' store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import redis
from sqlalchemy import create_engine, func, make_url, select
from sqlalchemy.exc import SQLAlchemyError

from experiments.opening import store_url
from experiments.tables import EXPERIMENTS
from feature_repo.redis_server import announced_url
from feature_repo.settings import Settings
from feature_repo.stream.event_log import EventLog, EventLogError
from feature_repo.stream.leases import lease
from feature_repo.stream.opening import open_event_log
from feature_repo.stream.processor import GROUP
from feature_repo.stream.redis_log import NAME
from serving.doctor.findings import Finding, Patient, bad, ok, warn
from serving.doctor.settings import without_secret
from serving.server import EVENT_LOG_VARIABLE, PARTITIONS_VARIABLE, event_partitions

_SECONDS: Final = 2.0
_CLOCKS_APART: Final = 5.0
_BEHIND: Final = 60.0
_NOT_RUNNING: Final = "not looked at, as no Redis runs"
_POSTGRESQL: Final = "postgresql+psycopg"


def answering_redis(settings: Settings) -> str | None:
    """Return the URL of the Redis of the settings, or that runs for the home; None where none answers."""
    if settings.redis_url is None:
        return announced_url(settings)
    try:
        with _client(settings.redis_url) as client:
            client.ping()
    except (redis.RedisError, ValueError):
        return None
    return settings.redis_url


def _client(url: str) -> Any:
    return redis.Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)


def online_store(patient: Patient) -> Iterator[Finding]:
    """Look at the Redis of the features."""
    settings = patient.settings
    if patient.redis_url is None:
        if settings.redis_url is not None:
            yield bad(
                "redis",
                f"{without_secret(settings.redis_url)} does not answer",
                "start it, or unset REDIS_URL to have one started in the home",
            )
        else:
            yield ok("redis", "none runs; `make serve` starts the one of this home")
        return
    with _client(patient.redis_url) as client:
        about, entries = client.info(), client.dbsize()
        seconds, microseconds = client.time()
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
    shown = without_secret(patient.redis_url)
    yield ok(
        "redis", f"{shown}, version {about['redis_version']}, {entries:,} keys, {about['used_memory_human']}"
    )
    if entries == 0:
        yield bad(
            "redis", "it is empty: pages know no member and no title", "python -m feature_repo materialize"
        )
    if not about.get("aof_enabled") and not about.get("rdb_bgsave_in_progress") and policy == "noeviction":
        yield warn(
            "redis",
            "it keeps no append-only file: what it holds is gone when it dies",
            f"redis-cli -u {shown} config set appendonly yes",
        )
    if policy != "noeviction":
        yield bad(
            "redis",
            f"maxmemory-policy is {policy}: it may forget features and events",
            f"redis-cli -u {shown} config set maxmemory-policy noeviction",
        )
    apart = (datetime.fromtimestamp(seconds + microseconds / 1e6, UTC) - patient.wall()).total_seconds()
    if abs(apart) > _CLOCKS_APART:
        yield warn(
            "clock", f"Redis's clock is {apart:+.0f} s from this machine's", "set both by NTP (timedatectl)"
        )


def event_log(patient: Patient) -> Iterator[Finding]:
    """Look at the event log, and how far the stream is behind it."""
    url = patient.environment.get(EVENT_LOG_VARIABLE) or patient.redis_url
    if url is None:
        yield ok("event log", _NOT_RUNNING)
        return
    asked = event_partitions(patient.environment.get(PARTITIONS_VARIABLE) or "8")
    if url.startswith(("redis://", "rediss://")):
        kept = _kept_partitions(url)
        if kept is None:
            yield ok("event log", f"{without_secret(url)}: no event came in yet")
            return
        if kept != asked:
            yield bad(
                "event log",
                f"it has {kept} partitions, {PARTITIONS_VARIABLE} asks for {asked}: servers "
                "take in no events",
                f"export {PARTITIONS_VARIABLE}={kept}",
            )
            return
    else:
        # Opening a topic that is missing would make it.
        yield ok("event log", f"{without_secret(url)}: Kafka's own tools show its state")
        return
    try:
        yield from _lag(open_event_log(url, asked, _SECONDS), patient.redis_url)
    except EventLogError as error:
        yield bad("event log", str(error), f"start it, or unset {EVENT_LOG_VARIABLE}")


def _kept_partitions(url: str) -> int | None:
    try:
        with _client(url) as client:
            kept = client.get(f"{NAME}:partitions")
    except redis.RedisError as error:
        raise EventLogError(f"{without_secret(url)} does not answer: {error}") from error
    return None if kept is None else int(kept)


def _lag(log: EventLog, redis_url: str | None) -> Iterator[Finding]:
    lags = [log.lag(GROUP, partition) for partition in range(log.partitions)]
    log.close()
    waiting, oldest = sum(lag.events for lag in lags), max(lag.seconds for lag in lags)
    yield ok("event log", f"{len(lags)} partitions")
    running = _processors(redis_url, len(lags))
    if waiting == 0:
        yield ok("stream", f"no event waits; processors at work: {running}")
    elif oldest <= _BEHIND:
        yield ok(
            "stream", f"{waiting:,} events wait, the oldest for {oldest:.0f} s; processors at work: {running}"
        )
    else:
        yield warn(
            "stream",
            f"{waiting:,} events wait, the oldest for {oldest:,.0f} s; processors at work: {running}",
            "python -m feature_repo stream, in a terminal of its own",
        )


def _processors(redis_url: str | None, partitions: int) -> int:
    if redis_url is None:
        return 0
    with _client(redis_url) as client:
        owners = client.mget([lease(partition) for partition in range(partitions)])
    return len({owner for owner in owners if owner is not None})


def experiments(patient: Patient) -> Iterator[Finding]:
    """Look at the experiments' store, without making what is missing."""
    url = make_url(store_url(patient.settings, patient.environment))
    if url.get_backend_name() == "sqlite":
        file = Path(url.database or "")
        if not file.exists():
            yield ok("experiments", "none was ever created")
            return
        url = url.set(database=f"file:{file}", query={"mode": "ro", "uri": "true"})
    elif url.get_backend_name() in ("postgresql", "postgres"):
        url = url.set(drivername=_POSTGRESQL, query={**url.query, "connect_timeout": str(int(_SECONDS))})
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            by_status = select(EXPERIMENTS.c.status, func.count()).group_by(EXPERIMENTS.c.status)
            counted = {str(status): int(number) for status, number in connection.execute(by_status)}
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", error)).strip().splitlines()[0]
        yield bad(
            "experiments",
            f"the store cannot be read: {said}",
            "see that MARQUEE_EXPERIMENTS names it and that it runs; python -m experiments list",
        )
        return
    finally:
        engine.dispose()
    said = ", ".join(f"{number} {status}" for status, number in sorted(counted.items())) or "none yet"
    if counted.get("paused"):
        yield warn("experiments", said, "python -m experiments status says why an experiment is paused")
    else:
        yield ok("experiments", said)
