"""The Flask application."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response

from serving.api import (
    bundles,
    deletions,
    events,
    experiments,
    homepages,
    members,
    operational,
    operations_report,
    titles,
)
from serving.api.access import Access, register_access
from serving.api.operations import SERVICE
from serving.api.problems import register_problems
from serving.api.timing import register_timing
from serving.service import HomepageService
from serving.web import member_page, operations_page, static_files

_LARGEST_BODY: Final = 1024 * 1024


def create_app(service: HomepageService, admin_token: str = "", access: Access | None = None) -> Flask:
    """Return the application around a service, which its owner starts and stops.

    ``access`` says who may call what; without it everybody may call all but admin calls, which need the
    ``admin_token``, or are refused where there is none.
    """
    app = Flask("serving", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_BODY
    app.extensions[SERVICE] = service
    app.after_request(_keep_out_of_caches)
    register_timing(app, service.metrics)
    register_problems(app)
    bundles.register_problems(app)
    register_access(app, Access(admin_token) if access is None else access, service.metrics)
    rooms = (
        homepages, members, deletions, titles, events, experiments, bundles, operations_report, operational,
    )  # fmt: skip
    pages = (static_files, member_page, operations_page)
    for room in (*rooms, *pages):
        app.register_blueprint(room.blueprint)
    return app


def _keep_out_of_caches(response: Response) -> Response:
    # A page is one member's and one moment's; files of the web pages say how long they may be kept.
    response.headers.setdefault("Cache-Control", "no-store")
    return response
