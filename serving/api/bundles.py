"""``/v1/bundles``: operators look at bundles, put one in service, and put the one before it back."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Flask, Response, request

from serving.api import operations as o
from serving.api.bundle_models import Activation, BundleParameters
from serving.api.operations import json_answer, parse, read_body, service
from serving.api.problems import problem
from serving.bundle_desk import BundleChangeError, UnknownBundleError

blueprint = Blueprint("bundles", __name__)


@blueprint.get(o.LIST_BUNDLES.rule)
def every() -> Response:
    """Answer all bundles with their aliases and refusals."""
    return json_answer(service().bundle_desk.list())


@blueprint.post(o.ACTIVATE_BUNDLE.rule)
def activate(version: str) -> Response:
    """Point an alias to a bundle that can serve; workers follow within seconds."""
    body = read_body(Activation) if request.get_data(cache=True) else Activation()
    version = parse(BundleParameters, version=version).version
    return json_answer(service().bundle_desk.activate(version, body.alias))


@blueprint.post(o.ROLL_BACK_BUNDLE.rule)
def roll_back() -> Response:
    """Point the champion's alias to the champion before."""
    return json_answer(service().bundle_desk.roll_back())


def register_problems(app: Flask) -> None:
    """Answer what cannot be done to bundles as problems."""
    app.register_error_handler(UnknownBundleError, lambda error: problem(HTTPStatus.NOT_FOUND, str(error)))
    app.register_error_handler(BundleChangeError, lambda error: problem(HTTPStatus.CONFLICT, str(error)))
