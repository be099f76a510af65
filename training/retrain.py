"""One retrain: features from what has happened, models from the champion's factors, then new titles."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from feature_repo.backfill import backfill, refresh_interactions, stored_encoder
from feature_repo.impression_log.joining import join_impressions
from feature_repo.ingest.lake import Lake
from feature_repo.progress import Progress
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.title_feed import TitleFeed
from training.bundle import CHAMPION, Alias, BundleAliases, PublishAs
from training.champion import champion_bundle, champion_of, warm_start_of
from training.config import TrainingConfig
from training.moved import Published
from training.new_titles import add_title_vectors
from training.pipeline import train
from training.report import METRICS_FILE
from training.steps import StepRecorder


@dataclass(frozen=True, slots=True)
class Retrained:
    """What a retrain came to: the bundle, the vectors that went online by table, the titles solved."""

    version: str
    published: dict[str, Published]
    solved: list[str]
    unsolved_because: str | None = None
    """Why the titles left over could not be solved; the bundle is out all the same."""
    alias: Alias = "champion"
    """What the bundle is called."""


def retrain_once(
    gateway: FeatureGateway,
    settings: Settings,
    config: TrainingConfig,
    recorder: StepRecorder,
    *,
    clock: Callable[[], datetime],
    dataset: str = "",
    progress: Progress | None = None,
    plan: str | None = None,
    publish_as: PublishAs = "auto",
) -> Retrained:
    """Rebuild the features, train from the champion's factors, publish, and solve the titles left over.

    Without a champion whose factors fit it trains from nothing, as the first time. The content encoder stays
    the one of the features that are there, whose vectors a running server goes on making for new titles.
    ``plan`` names the memory plan for the bundle's manifest, ``publish_as`` what the bundle is to be.
    Whatever raises leaves the champion in service: the bundle becomes champion in one step, near the end, or
    challenger where people chose the champion.
    """
    lake, now = Lake(settings.lake), clock()
    with recorder.step("join impressions"):
        join_impressions(lake, now, progress=progress)
    with recorder.step("build features"):
        backfill(lake, now, config.seed, progress, stored_encoder(lake))
    with recorder.step("apply definitions"):
        gateway.apply()
    champion = champion_bundle(settings)
    start = None if champion is None else warm_start_of(champion, config)
    version = train(
        gateway, lake, settings, config, recorder,
        now=now, dataset=dataset, progress=progress, start=start, plan=plan, publish_as=publish_as,
    )  # fmt: skip
    published, alias = _published(settings, version), alias_of(settings, version)
    if config.core_model != "als":
        return Retrained(version, published, [], alias=alias)
    try:
        with recorder.step("new titles"):
            solved = solve_new_titles(gateway, settings, config.viewers_to_solve, clock())
            return Retrained(version, published, solved, alias=alias)
    except Exception as error:  # whatever it is: the bundle is out, and the next look tries again
        return Retrained(version, published, [], reason_of(error), alias)


def alias_of(settings: Settings, version: str) -> Alias:
    """Return what a bundle that was just published is called."""
    return "champion" if BundleAliases(settings.bundles).get(CHAMPION) == version else "challenger"


def reason_of(error: Exception) -> str:
    """Return what an error says, with its kind where it says little."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def solve_new_titles(
    gateway: FeatureGateway, settings: Settings, minimum_viewers: int, now: datetime
) -> list[str]:
    """Give titles that the champion does not cover their vectors, from those who watched them until now.

    Returns their ids; raises as :func:`training.new_titles.add_title_vectors` does, and ``BundleError`` where
    there is no champion.
    """
    lake = Lake(settings.lake)
    champion = champion_of(settings)
    refresh_interactions(lake, now)
    feed = TitleFeed.open(gateway.online_url)
    return add_title_vectors(lake, gateway, feed, champion, now=now, minimum_viewers=minimum_viewers)


def _published(settings: Settings, version: str) -> dict[str, Published]:
    metrics = json.loads((settings.reports / version / METRICS_FILE).read_text())
    return {table: Published(**counts) for table, counts in metrics["published"].items()}
