"""What a notebook begins with: the home of a service, with its feature store open."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from feature_repo.ingest.lake import Lake
from feature_repo.redis_server import running_redis
from feature_repo.settings import Settings
from feature_repo.simulation.world import World
from feature_repo.store import FeatureGateway
from training.bundle import Bundle
from training.champion import champion_bundle


class WorkbenchError(RuntimeError):
    """A home that a notebook cannot work with; the message names it and says how to make one."""


@dataclass(frozen=True, slots=True)
class Workbench:
    """A home with its feature store open. ``settings`` name the Redis that is its online store."""

    settings: Settings
    lake: Lake
    gateway: FeatureGateway
    champion: Bundle

    @property
    def end(self) -> datetime:
        """The instant at which the data ended that the champion was trained on."""
        return self.champion.manifest.data_window.end

    def world(self) -> World:
        """Return the truth behind the data; raises :class:`WorkbenchError` where none is known."""
        contents = self.champion.contents
        try:
            world = World.load(self.settings.simulation)
        except FileNotFoundError as error:
            raise WorkbenchError(_no_truth(self.settings)) from error
        known = np.isin(contents.user_ids, world.user_ids).all()
        if not (known and np.isin(contents.title_ids, world.title_ids).all()):
            raise WorkbenchError(_no_truth(self.settings))
        return world


def open_workbench(settings: Settings | None = None) -> Workbench:
    """Open the home of ``settings``, by default that of the environment, until the process ends.

    Its Redis is started where none runs, and stopped as the process ends. Raises :class:`WorkbenchError`
    for a home without a trained service, ``RedisUnavailableError`` where Redis does not answer and
    ``BundleError`` for a damaged champion.
    """
    settings = Settings.from_environment() if settings is None else settings
    champion = champion_bundle(settings)
    if champion is None or not settings.registry.exists():
        raise WorkbenchError(
            f"MARQUEE_HOME={str(settings.home)!r} holds no trained service: run `make pipeline` first "
            "(`make demo` does), or set MARQUEE_HOME to a home where that has been done"
        )
    held = ExitStack()
    url = held.enter_context(running_redis(settings))
    atexit.register(held.close)
    at_work = replace(settings, redis_url=url)
    return Workbench(at_work, Lake(settings.lake), FeatureGateway.open(at_work, url), champion)


def _no_truth(settings: Settings) -> str:
    return (
        f"MARQUEE_HOME={str(settings.home)!r} was not made from the simulated service, whose truth is known: "
        "run `make pipeline` without DATA in another MARQUEE_HOME"
    )
