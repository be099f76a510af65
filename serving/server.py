"""The application that gunicorn loads, built from the environment."""

from __future__ import annotations

import os
from typing import Final, cast, get_args

from flask import Flask

from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from serving.app import create_app
from serving.bundles import KeeperSettings
from serving.clock import ClockMode
from serving.logs import configure_logs
from serving.members import FeatureReader
from serving.service import HomepageService

CLOCK_VARIABLE: Final = "MARQUEE_CLOCK"


def application() -> Flask:
    """Build the application; nothing is connected until a worker starts its service after the fork."""
    configure_logs()
    settings = Settings.from_environment()

    def open_reader() -> tuple[FeatureReader, str | None]:
        gateway = FeatureGateway.open(settings)
        return gateway, gateway.schema_hash()

    keeper = KeeperSettings(clock_mode=clock_mode(os.environ.get(CLOCK_VARIABLE) or "auto"))
    return create_app(HomepageService(settings.bundles, open_reader, settings=keeper))


def clock_mode(value: str) -> ClockMode:
    """Read a clock mode; raises ``ValueError`` naming the variable, the value and the choices."""
    if value not in get_args(ClockMode):
        raise ValueError(f"{CLOCK_VARIABLE}={value!r}: use one of {', '.join(get_args(ClockMode))}")
    return cast("ClockMode", value)
