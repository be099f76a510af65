"""What is measured: the service that is there, opened as a worker of the server opens it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.redis_server import RedisUnavailableError, running_redis
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from serving.bundles import CHAMPION
from serving.candidates.query import PageRequest, Query
from serving.catalogue import Rows
from serving.homepage import query_of
from serving.members import FeatureReader, read_member
from serving.ranking import candidate_features
from serving.service import HomepageService, NotReadyError
from serving.state import ServingState
from training.bundle import Bundle, BundleAliases, load_bundle

SAMPLED_MEMBERS: Final = 200
CANDIDATES: Final = 500


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """One sampled member's request with 500 titles they may be shown, nearest to their taste first."""

    query: Query
    vector: NDArray[np.float32]
    rows: Rows
    matrix: NDArray[np.float32]
    """The ranker's input, (500, features)."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A service in working order. ``environment`` is what a server of the same service is started with."""

    settings: Settings
    gateway: FeatureGateway
    service: HomepageService
    bundle: Bundle
    candidates: list[Candidates]
    """One per sampled member."""
    environment: Mapping[str, str]

    @property
    def state(self) -> ServingState:
        """The champion as it serves."""
        return self.service.state

    @property
    def requests(self) -> list[PageRequest]:
        """One request per sampled member, at the service's own clock, on all devices."""
        return [one.query.request for one in self.candidates]


def ensure_champion(settings: Settings, environment: Mapping[str, str]) -> None:
    """Run the default pipeline where no bundle is in service yet."""
    if BundleAliases(settings.bundles).get(CHAMPION) is not None:
        return
    click.echo(f"no champion in {settings.bundles}: running the default pipeline first (some minutes)")
    command = [sys.executable, "-m", "training", "pipeline"]
    if subprocess.run(command, env=dict(environment), check=False).returncode != 0:
        raise click.ClickException("the pipeline failed, so that there is nothing to measure; see above")


@contextmanager
def open_subject(environment: Mapping[str, str], seed: int) -> Iterator[Subject]:
    """Open the service of ``environment`` and sample its members; Redis is stopped if it was started here.

    Raises ``ClickException`` where its parts do not fit together.
    """
    settings = Settings.from_environment(environment)
    ensure_champion(settings, environment)
    try:
        with running_redis(settings) as url:
            gateway = FeatureGateway.open(settings, url)
            service = _started(settings, gateway)
            try:
                bundle = load_bundle(settings.bundles / service.state.models.version)
                sampled = _sample(gateway, service.state, bundle, np.random.default_rng(seed))
                server_environment = {**environment, "REDIS_URL": url}
                yield Subject(
                    replace(settings, redis_url=url), gateway, service, bundle, sampled, server_environment
                )
            finally:
                service.stop()
    except (NotReadyError, RedisUnavailableError) as error:
        raise click.ClickException(f"{error}; see the log above") from error


def default_environment(home: str | None) -> dict[str, str]:
    """Return this process's environment, with ``home`` (if given) as the place of all state."""
    return dict(os.environ) if home is None else {**os.environ, "MARQUEE_HOME": home}


def _started(settings: Settings, gateway: FeatureGateway) -> HomepageService:
    def open_reader() -> tuple[FeatureReader, str | None]:
        return gateway, gateway.schema_hash()

    service = HomepageService(settings.bundles, open_reader)
    service.start(watch=False)
    return service


def _sample(
    gateway: FeatureGateway, state: ServingState, bundle: Bundle, generator: np.random.Generator
) -> list[Candidates]:
    user_ids = bundle.contents.user_ids
    chosen = generator.choice(user_ids, min(SAMPLED_MEMBERS, len(user_ids)), replace=False)
    sampled: list[Candidates] = []
    for user_id in chosen.tolist():
        request = PageRequest(user_id, s.DEVICES[len(sampled) % len(s.DEVICES)], state.clock())
        found = _candidates(query_of(state, request, read_member(gateway, user_id, request.at)))
        if found is not None:
            sampled.append(found)
    if 2 * len(sampled) < len(chosen) or not sampled:
        raise click.ClickException(
            f"the feature store knows the taste of {len(sampled)} of {len(chosen)} sampled members; "
            "run `python -m feature_repo materialize`"
        )
    return sampled


def tower_scores(query: Query, rows: Rows) -> np.ndarray | None:
    """Return the two-tower scores of these titles, as a page passes them to the ranker."""
    vector = query.member.tower_vector
    return None if vector is None else query.models.tower_vectors[rows] @ vector


def _candidates(query: Query) -> Candidates | None:
    """Return None for a member whom the feature store has no vector of."""
    member = query.member
    vector = member.embedding
    if vector is None:
        return None
    rows, _ = query.models.als_index.search(vector, CANDIDATES, query.eligible)
    matrix = candidate_features(
        member, query.catalogue, rows, query.now_us, query.request.device, tower_scores(query, rows)
    )
    return Candidates(query, vector, rows, matrix)
