"""The Flask application."""

from __future__ import annotations

from typing import Final

from flask import Flask

from serving.api import bundles, events, experiments, homepages, members, operational, titles
from serving.api.admin import ADMIN_TOKEN
from serving.api.operations import SERVICE
from serving.api.problems import register_problems
from serving.api.timing import register_timing
from serving.service import HomepageService

_LARGEST_BODY: Final = 1024 * 1024


def create_app(service: HomepageService, admin_token: str = "") -> Flask:
    """Return the application around a service, which its owner starts and stops.

    Without an ``admin_token`` admin calls are refused.
    """
    app = Flask("serving", static_folder=None)
    app.config[ADMIN_TOKEN] = admin_token
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_BODY
    app.extensions[SERVICE] = service
    register_timing(app, service.metrics)
    register_problems(app)
    bundles.register_problems(app)
    for room in (homepages, members, titles, events, experiments, bundles, operational):
        app.register_blueprint(room.blueprint)
    return app
