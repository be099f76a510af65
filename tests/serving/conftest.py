"""A small service: 160 titles, two members, a real bundle with a real ranker, features in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
import xgboost
from flask.testing import FlaskClient

from experiments.definitions import Experiment, ExperimentDefinition, Status
from experiments.store import ExperimentStore
from feature_repo import schema as s
from feature_repo.store import TitleSnapshot
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.candidate_mix import CANDIDATES
from feature_repo.transforms.confidence import Confidence
from feature_repo.transforms.encoding import Arrays, encode
from feature_repo.transforms.ranking import RANKING_FEATURES
from feature_repo.transforms.towers import TOWER_SHAPES
from serving.app import create_app
from serving.bundles import KeeperSettings
from serving.experiment_desk import ExperimentPlaces
from serving.service import HomepageService
from serving.settings import LimitSettings, ServingSettings
from tests.serving.in_memory_arrivals import opened_to_arrivals
from training.bundle import BundleAliases, BundleContents, write_bundle

NOW = datetime(2026, 3, 1, 20, tzinfo=UTC)
TITLES = 160
PATIENT = ServingSettings(limits=LimitSettings(read_ms=20_000, stage_ms=60_000, page_ms=60_000))
"""No page is late, however busy the machine is."""
USED_GENRES = ("Action", "Comedy", "Crime", "Drama", "Horror", "Romance", "Thriller", "Western")
MEMBER_TABLES = (
    s.USER_SNAPSHOT, s.USER_SESSION, s.USER_PROFILE, s.USER_PICKS, s.USER_HISTORY, s.USER_HIDDEN,
    s.USER_ALS_EMBEDDING,
)  # fmt: skip
CONTENT_TABLES = (s.TITLE_METADATA, s.TITLE_CONTENT)
TITLE_TABLES = (s.TITLE_METADATA, s.TITLE_STATISTICS, s.TITLE_ALS_EMBEDDING)


def title_id(row: int) -> str:
    return f"t{row:03d}"


@dataclass
class InMemoryFeatures:
    """Answers as the gateway does, from plain values; ``error`` makes every answer fail."""

    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    titles: dict[str, dict[str, Any]] = field(default_factory=dict)
    error: Exception | None = None

    def member_features(self, user_id: str, now: datetime) -> Arrays:  # noqa: ARG002  (nothing expires here)
        self._fail()
        return self._encoded(MEMBER_TABLES, [self.members.get(user_id, {})])

    def title_snapshot(self, title_ids: Sequence[str], now: datetime) -> TitleSnapshot:
        self._fail()
        columns = self._encoded(TITLE_TABLES, [self.titles.get(t, {}) for t in title_ids])
        rows = {t: row for row, t in enumerate(title_ids)}
        return TitleSnapshot(np.array(title_ids, dtype=np.str_), rows, columns, now)

    def title_contents(self, title_ids: Sequence[str], now: datetime) -> Arrays:  # noqa: ARG002
        self._fail()
        return self._encoded(CONTENT_TABLES, [self.titles.get(t, {}) for t in title_ids])

    def newest_rows(self) -> dict[str, datetime]:
        self._fail()
        return {s.USER_PROFILE.name: NOW}

    def healthy(self) -> bool:
        return self.error is None

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    @staticmethod
    def _encoded(tables: Sequence[s.Table], rows: list[dict[str, Any]]) -> Arrays:
        arrays: Arrays = {}
        for table in tables:
            names = [c.name for c in table.columns if c.name not in table.keys]
            arrays |= encode(table, {name: [row.get(name) for row in rows] for name in names})
        return arrays


def one_title(row: int, embedding: np.ndarray) -> dict[str, Any]:
    """Every fifth title only in KR and US, every seventh for adults, three to a franchise, one new a day."""
    genres = [USED_GENRES[row % 8], USED_GENRES[(row // 8) % 8]]
    vector = np.zeros(len(s.GENRES), dtype=np.float32)
    vector[[s.GENRES.index(genre) for genre in genres]] = 1
    return {
        s.NAME: f"Title {row}",
        s.RELEASE_YEAR: 2000 + row % 26,
        s.RUNTIME_MINUTES: 90.0 + row % 30,
        s.TITLE_TYPE: s.TITLE_TYPES[row % 2],
        s.MATURITY_LEVEL: 18 if row % 7 == 0 else 7,
        s.ORIGINAL_LANGUAGE: "ko" if row % 3 == 0 else "en",
        s.GENRE_NAMES: genres,
        s.FRANCHISE_ID: f"f{row // 3}" if row % 2 else None,
        s.COUNTRIES: ["KR", "US"] if row % 5 == 0 else None,
        s.GENRE_VECTOR: vector / np.linalg.norm(vector),
        # Titles 0 and 1 are not there yet.
        s.AVAILABLE_SINCE: epoch_microseconds(NOW - timedelta(days=row, hours=-36)),
        s.UPDATED_AT: epoch_microseconds(NOW),
        s.VIEW_COUNT: 1000 - row,
        s.MEAN_COMPLETION: 0.5,
        s.DECAYED_PLAYS: float(row),
        s.DECAYED_PLAYS_AT: epoch_microseconds(NOW - timedelta(days=1)),
        s.IMPRESSION_COUNT: 100,
        s.PLAY_RATE: 0.1,
        s.TITLE_EMBEDDING: embedding if embedding.any() else None,
    }


def one_member(recent: dict[int, float], embedding: np.ndarray | None, **profile: Any) -> dict[str, Any]:
    """A member who watched these title rows to these fractions, latest first."""
    ids = [title_id(row) for row in recent]
    preference = np.zeros(len(s.GENRES), dtype=np.float32)
    preference[s.GENRES.index("Comedy")] = 1
    return {
        s.RECENT_TITLE_IDS: ids, s.RECENT_WATCH_FRACTIONS: list(recent.values()), s.WATCHED_TITLE_IDS: ids,
        s.GENRE_PREFERENCE: preference, s.MEAN_SESSION_MINUTES: 60.0, s.WATCH_VELOCITY: 1.0,
        s.LAST_WATCHED_AT: epoch_microseconds(NOW - timedelta(days=1)), s.PREFERRED_DEVICE: "tv",
        s.PREFERRED_HOUR: 20, s.WATCH_COUNT: len(ids), s.USER_EMBEDDING: embedding, **profile,
    }  # fmt: skip


def trained_ranker(seed: int) -> bytes:
    generator = np.random.default_rng(seed)
    matrix = generator.random((300, len(RANKING_FEATURES)), dtype=np.float32)
    data = xgboost.DMatrix(matrix, generator.integers(0, 2, 300))
    parameters = {"max_depth": 3, "nthread": 1, "objective": "binary:logistic", "seed": seed}
    return bytes(xgboost.train(parameters, data, num_boost_round=5).save_raw("ubj"))


def tower_weights(titles: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Random towers."""
    return {
        name: generator.normal(size=[titles if n == "titles" else n for n in shape]).astype(np.float32)
        for name, shape in TOWER_SHAPES.items()
    }


def bundle_contents(seed: int) -> BundleContents:
    """Title 159 has no interactions. Popularity falls with the row, except in KR, where it rises."""
    generator = np.random.default_rng(seed)
    factors = generator.normal(size=(TITLES, s.ALS_DIMENSIONS)).astype(np.float32)
    factors[TITLES - 1] = 0
    towers = generator.normal(size=(TITLES, s.TWO_TOWER_DIMENSIONS)).astype(np.float32)
    falling = np.arange(TITLES, 0, -1, dtype=np.float32)
    return BundleContents(
        title_ids=np.array([title_id(row) for row in range(TITLES)]),
        title_factors=factors,
        user_ids=np.array(["ana", "kim"]),
        user_factors=np.stack([factors[3], factors[4]]),
        confidence=Confidence(alpha=10.0, regularization=5.0, minimum_fraction=0.1),
        tower_weights=tower_weights(TITLES, generator),
        tower_title_vectors=towers / np.linalg.norm(towers, axis=1, keepdims=True),
        content_to_als=generator.normal(size=(s.TWO_TOWER_DIMENSIONS + 1, s.ALS_DIMENSIONS)).astype(
            np.float32
        ),
        ranker=trained_ranker(seed),
        segments=np.array(["", "KR"]),
        popularity=np.stack([falling, falling[::-1]]),
        countries=np.array(["", "KR"]),
        trending=np.stack([falling[::-1], falling]) / falling.sum(),
        trending_weights=np.array([1000, 500], dtype=np.float32),
        hit_rate_sources=np.array(["als"]),
        hit_rates=np.linspace(0.2, 0.01, CANDIDATES, dtype=np.float32)[None, :],
    )


@dataclass
class SmallService:
    """The service, its features and its bundles, for tests to look at and to break."""

    service: HomepageService
    features: InMemoryFeatures
    bundles: Path
    time: list[datetime]
    experiments: ExperimentPlaces

    @property
    def client(self) -> FlaskClient:
        return create_app(self.service).test_client()

    def publish(self, contents: BundleContents, champion: bool = True) -> str:
        version = write_bundle(
            self.bundles, contents, created_at=NOW, data_window=(NOW - timedelta(days=7), NOW),
            schema_hash="any", seed=0, parent=None, metrics={},
        )  # fmt: skip
        if champion:
            BundleAliases(self.bundles).set("champion", version)
        return version

    @property
    def store(self) -> ExperimentStore:
        return self.service.experiment_desk.store

    def look(self) -> None:
        assert self.service.watch is not None
        self.service.watch.look()

    def run(self, definition: ExperimentDefinition) -> Experiment:
        """Create an experiment, start it and let the server look; return it as the store has it then."""
        self.store.create(definition, self.time[0])
        self.store.change_status(definition.name, Status.RUNNING, self.time[0])
        self.look()
        return self.store.get(definition.name)

    def another(self, **changes: Any) -> SmallService:
        """Return one more server, not started, of the same bundles, features and experiments."""
        return small_service(self.features, self.bundles, self.time, self.experiments, **changes)


def small_service(
    features: InMemoryFeatures,
    bundles: Path,
    time: list[datetime],
    experiments: ExperimentPlaces,
    **changes: Any,
) -> SmallService:
    numbers = count(1)
    service = HomepageService(
        bundles, lambda: (features, None), settings=KeeperSettings(rest=0, warm_up_pages=2),
        wall=lambda: time[0], new_id=lambda: f"page-{next(numbers)}", experiments=experiments,
        **{"pages": PATIENT} | changes,
    )  # fmt: skip
    return SmallService(service, features, bundles, time, experiments)


@dataclass(frozen=True)
class NoAnalysis:
    """Stands for the analysis of an experiment: says of which it is, as of when, beside which."""

    experiment: str
    as_of: datetime
    concurrent: list[str]

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def of(cls, _: str, experiment: Experiment, now: datetime, concurrent: Sequence[Experiment]) -> Any:
        return cls(experiment.name, now, [one.name for one in concurrent])


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Log one short line: the default draws every local variable of a traceback."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer(drop_missing=True)])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def contents() -> BundleContents:
    return bundle_contents(seed=1)


@pytest.fixture
def contents_of() -> Callable[[int], BundleContents]:
    return bundle_contents


@pytest.fixture
def member_of() -> Callable[..., dict[str, Any]]:
    return one_member


@pytest.fixture
def unstarted(tmp_path: Path, contents: BundleContents) -> SmallService:
    """The service with nothing published and nothing connected."""
    factors = contents.title_factors
    features = InMemoryFeatures(
        titles={title_id(row): one_title(row, factors[row]) for row in range(TITLES)},
        members={
            "ana": one_member({10: 0.9, 11: 0.2, 20: 0.8}, factors[3].copy(), country="KR", language="ko"),
            "kim": one_member({30: 1.0}, factors[4], country="FR", maturity_limit=13),
            "eve": {s.COUNTRY: "KR", s.LANGUAGE: "ko"},
        },
    )
    places = ExperimentPlaces(
        lambda: ExperimentStore.open(f"sqlite:///{tmp_path / 'experiments.db'}"), str(tmp_path / "lake"),
        tmp_path / "decisions", NoAnalysis.of,
    )  # fmt: skip
    return small_service(features, tmp_path / "bundles", [NOW], places)


@pytest.fixture
def small(unstarted: SmallService, contents: BundleContents) -> Iterator[SmallService]:
    """The service with a champion in place."""
    unstarted.publish(contents)
    unstarted.service.start(watch=False)
    yield unstarted
    unstarted.service.stop()


@pytest.fixture
def lab(small: SmallService) -> SmallService:
    """The service with a champion in place, and nobody held out of experiments."""
    small.store.set_holdout(0)
    small.look()
    return small


@pytest.fixture
def experiment_of() -> Callable[..., ExperimentDefinition]:
    return experiment_definition


def experiment_definition(
    layer: str, name: str = "test", *, treated: int = 999, traffic: int = 1000, **changes: Any
) -> ExperimentDefinition:
    """An experiment on everybody, whose treatment ``treated`` thousandths see; fields by name.

    The treatment is given in the terms of its layer: ``generators``, ``bundle``, ``page`` or ``variant``.
    """
    terms = {key: changes.pop(key) for key in ("generators", "bundle", "page", "variant") if key in changes}
    arms = [
        {"name": "control", "share": 1000 - treated},
        {"name": "treatment", "share": treated, "treatment": terms},
    ]
    asked = {"name": name, "layer": layer, "arms": arms, "traffic": traffic}
    return ExperimentDefinition.model_validate(asked | changes)


@pytest.fixture
def bound() -> Callable[[list[dict[str, Any]]], list[tuple[str, list[str]]]]:
    """Rows without what was explored: the part of a page that every page of the same request shares."""

    def rest(rows: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
        return [
            (row["title"], [tile["title_id"] for tile in row["tiles"] if tile["propensity"] == 1.0])
            for row in rows
        ]

    return rest


@pytest.fixture
def page_of(small: SmallService) -> Callable[..., dict[str, Any]]:
    """Ask for a page over HTTP and return its JSON."""
    client = small.client

    def ask(user_id: str, **query: str) -> dict[str, Any]:
        answer = client.get(f"/v1/members/{user_id}/homepage", query_string=query)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.get_json()
        return page

    return ask


@pytest.fixture
def open_to_arrivals(unstarted: Any, contents: Any) -> Iterator[Any]:
    """The small service with a place where titles and members come in."""
    with opened_to_arrivals(unstarted, contents) as service:
        yield service
