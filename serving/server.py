"""The application that gunicorn loads, built from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, cast, get_args

from flask import Flask

from feature_repo.arrivals import Arrivals
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from feature_repo.title_feed import TitleFeed
from serving.api.admin import ADMIN_TOKEN
from serving.app import create_app
from serving.arrivals import ArrivalSource
from serving.bundles import KeeperSettings
from serving.clock import ClockMode
from serving.logs import configure_logs
from serving.members import FeatureReader
from serving.service import HomepageService
from serving.settings import ServingSettings
from serving.shown_seeds import SeedMemory, ShownSeeds

CLOCK_VARIABLE: Final = "MARQUEE_CLOCK"
SETTINGS_VARIABLE: Final = "MARQUEE_SERVING"


def application() -> Flask:
    """Build the application; nothing is connected until a worker starts its service after the fork."""
    configure_logs()
    settings = Settings.from_environment()

    def open_reader() -> tuple[FeatureReader, str | None]:
        gateway = FeatureGateway.open(settings)
        return gateway, gateway.schema_hash()

    def open_arrivals(reader: FeatureReader) -> ArrivalSource:
        gateway = cast("FeatureGateway", reader)
        return Arrivals.open(Lake(settings.lake), gateway, TitleFeed.open(gateway.online_url))

    def open_memory(reader: FeatureReader) -> SeedMemory:
        return ShownSeeds.open(cast("FeatureGateway", reader).online_url)

    pages = os.environ.get(SETTINGS_VARIABLE)
    keeper = KeeperSettings(clock_mode=clock_mode(os.environ.get(CLOCK_VARIABLE) or "auto"))
    service = HomepageService(
        settings.bundles, open_reader, settings=keeper, open_arrivals=open_arrivals,
        open_memory=open_memory,
        pages=ServingSettings.load(Path(pages)) if pages else None,
    )  # fmt: skip
    return create_app(service, os.environ.get(ADMIN_TOKEN, ""))


def clock_mode(value: str) -> ClockMode:
    """Read a clock mode; raises ``ValueError`` naming the variable, the value and the choices."""
    if value not in get_args(ClockMode):
        raise ValueError(f"{CLOCK_VARIABLE}={value!r}: use one of {', '.join(get_args(ClockMode))}")
    return cast("ClockMode", value)
