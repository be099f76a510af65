"""A small service whose events come through the log, and what its features ought to be."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from feature_repo import schema as s
from feature_repo.backfill import backfill
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.stream.event_record import Event, encode_event
from feature_repo.stream.redis_log import RedisEventLog
from feature_repo.transforms.encoding import encode

START = datetime(2026, 3, 2, 20, 10, tzinfo=UTC)
TITLES = [f"t{n}" for n in range(12)]
COUNTRIES = {"u0": "KR", "u1": "DK"}
KINDS = ("play", "progress", "complete", "pause", "thumbs_down", "thumbs_up", "hover")


def titles_table() -> pa.Table:
    rows = [
        {
            s.TITLE_ID: title, s.NAME: title, s.RELEASE_YEAR: 2000, s.RUNTIME_MINUTES: 90.0,
            s.TITLE_TYPE: "movie", s.MATURITY_LEVEL: 0, s.ORIGINAL_LANGUAGE: "en",
            s.GENRE_NAMES: [s.GENRES[n % 30], s.GENRES[(n * 7 + 3) % 30]], s.CAST: ["A"], s.SYNOPSIS: "text",
            s.FRANCHISE_ID: None, s.COUNTRIES: None, s.AVAILABLE_SINCE: datetime(2020, 1, 1, tzinfo=UTC),
            s.EVENT_TIMESTAMP: datetime(2020, 1, 1, tzinfo=UTC),
        }
        for n, title in enumerate(TITLES)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=s.TITLES.arrow_schema)


def members_table() -> pa.Table:
    rows = [
        {
            s.USER_ID: user, s.COUNTRY: country, s.LANGUAGE: None, s.MATURITY_LIMIT: None,
            s.EVENT_TIMESTAMP: datetime(2020, 1, 1, tzinfo=UTC),
        }
        for user, country in COUNTRIES.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=s.MEMBERS.arrow_schema)


def events(count: int, members: int, seed: int, start: datetime = START) -> list[Event]:
    """Events in the order of their instants, all of them distinct."""
    rng = random.Random(seed)
    at, made = start, []
    for number in range(count):
        at += timedelta(seconds=rng.choice([0, 1, 20, 90, 400]), microseconds=rng.randrange(2))
        made.append(
            Event(
                event_id=f"{seed}-{number}-{rng.randrange(10**6)}",
                user_id=f"u{rng.randrange(members)}",
                title_id=rng.choice(TITLES),
                event_type=rng.choice(KINDS),
                event_timestamp=at,
                watch_fraction=rng.choice([None, round(rng.random(), 3)]),
                duration_minutes=rng.choice([None, 12.5]),
                device_type=rng.choice([None, *s.DEVICES]),
            )
        )
    return made


def delivered(made: list[Event], seed: int) -> list[Event]:
    """The events as they come: some twice, some up to 50 minutes after younger ones."""
    rng = random.Random(seed)
    twice = [*made, *rng.sample(made, len(made) // 5)]
    return sorted(twice, key=lambda e: e.event_timestamp + timedelta(minutes=rng.choice([0, 0, 1, 50])))


def append(log: RedisEventLog, arriving: list[Event]) -> None:
    log.append([encode_event(event) for event in arriving])


@dataclass
class Service:
    """A store and lake with titles and profiles; ``reference`` holds the features built from history."""

    settings: Settings
    gateway: FeatureGateway
    lake: Lake
    log: RedisEventLog

    @classmethod
    def open(cls, settings: Settings, gateway: FeatureGateway, history: list[Event] = []) -> Service:  # noqa: B006
        lake = Lake(settings.lake)
        lake.replace(s.TITLES, titles_table())
        lake.replace(s.MEMBERS, members_table())
        lake.replace(s.EVENTS, events_table(history))
        lake.replace(s.USER_ALS_EMBEDDING, s.USER_ALS_EMBEDDING.arrow_schema.empty_table())
        backfill(lake, START, seed=0)
        gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
        assert settings.redis_url is not None
        return cls(settings, gateway, lake, RedisEventLog.open(settings.redis_url, partitions=4))

    def from_history(self, made: list[Event], folder: Path) -> FeatureGateway:
        """A second store, whose features are built from all events at once."""
        settings = Settings(folder, str(folder / "lake"), self.settings.redis_url)
        lake = Lake(settings.lake)
        lake.replace(s.TITLES, titles_table())
        lake.replace(s.MEMBERS, members_table())
        lake.replace(s.EVENTS, events_table(made))
        lake.replace(s.USER_ALS_EMBEDDING, s.USER_ALS_EMBEDDING.arrow_schema.empty_table())
        backfill(lake, START, seed=0)
        gateway = FeatureGateway.open(settings)
        gateway.apply()
        return gateway

    def lake_events(self) -> Counter[str]:
        return Counter(self.lake.read(s.EVENTS, [s.EVENT_ID])[s.EVENT_ID].to_pylist())


def events_table(made: list[Event]) -> pa.Table:
    columns = {c.name: pa.array([getattr(event, c.name) for event in made], c.type) for c in s.EVENTS.columns}
    return pa.table(columns, schema=s.EVENTS.arrow_schema)


def as_of(gateway: FeatureGateway, instants: list[tuple[str, datetime]]) -> list[dict[str, Any]]:
    """What Feast knows of members at instants: sessions and snapshots."""
    entities = pa.table(
        {
            s.USER_ID: [user for user, _ in instants],
            s.EVENT_TIMESTAMP: pa.array([at for _, at in instants], pa.timestamp("us", tz="UTC")),
        }
    )
    found = []
    for service in ("two_tower_members", "ranker_members"):
        answer = gateway.historical(service, entities)
        found.append(answer.select([c for c in answer.column_names if c != s.USER_EMBEDDING]).to_pylist())
    return [one | other for one, other in zip(*found, strict=True)]


def online(gateway: FeatureGateway, user: str, now: datetime) -> dict[str, Any]:
    """A member's session and snapshot as they are online."""
    features = gateway.member_features(user, now)
    names = [c.name for t in (s.USER_SESSION, s.USER_SNAPSHOT) for c in t.columns if c.name in features]
    return {name: features[name].tolist() for name in names}


def encoded(row: dict[str, Any]) -> dict[str, Any]:
    """A row of :func:`as_of` in the form of :func:`online`."""
    arrays: dict[str, Any] = {}
    for table in (s.USER_SESSION, s.USER_SNAPSHOT):
        names = [
            c.name for c in table.columns if c.name in row and c.name not in (*table.keys, s.EVENT_TIMESTAMP)
        ]
        arrays |= encode(table, {name: [row[name]] for name in names})
    return {name: array.tolist() for name, array in arrays.items()}
