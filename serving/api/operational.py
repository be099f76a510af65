"""``/healthz``, ``/readyz``, ``/metrics`` and ``/openapi.json``."""

from __future__ import annotations

import json
from functools import cache

from flask import Blueprint, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST

from serving.api.access import ACCESS, Access
from serving.api.models import Health, Readiness
from serving.api.openapi import openapi_document
from serving.api.operations import ALIVE, DESCRIPTION, METRICS, OPERATIONS, READY, json_answer, service

blueprint = Blueprint("operational", __name__)


@blueprint.get(ALIVE.rule)
def alive() -> Response:
    """Answer as long as the process does."""
    return json_answer(Health())


@blueprint.get(READY.rule)
def ready() -> Response:
    """Answer once pages can be made; a feature store that is away does not prevent them."""
    state = service().state
    answer = Readiness(
        bundle=state.models.version,
        feature_store=service().feature_store_healthy(),
        snapshot_taken_at=state.catalogue.taken_at,
    )
    return json_answer(answer)


@blueprint.get(METRICS.rule)
def metrics() -> Response:
    """Answer the metrics in Prometheus's text format."""
    return Response(service().metrics.exposition(), content_type=CONTENT_TYPE_LATEST)


@blueprint.get(DESCRIPTION.rule)
def openapi() -> Response:
    """Answer the description of this interface."""
    access: Access = current_app.extensions[ACCESS]
    return Response(_document(access.keys is not None), content_type="application/json")


@cache
def _document(keyed: bool) -> str:
    return json.dumps(openapi_document(OPERATIONS, keyed=keyed))
