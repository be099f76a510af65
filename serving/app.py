"""The Flask application."""

from __future__ import annotations

from flask import Flask

from serving.api import homepages, operational, titles
from serving.api.operations import SERVICE
from serving.api.problems import register_problems
from serving.api.timing import register_timing
from serving.service import HomepageService


def create_app(service: HomepageService) -> Flask:
    """Return the application around a service, which its owner starts and stops."""
    app = Flask("serving", static_folder=None)
    app.extensions[SERVICE] = service
    register_timing(app, service.metrics)
    register_problems(app)
    for room in (homepages, titles, operational):
        app.register_blueprint(room.blueprint)
    return app
