"""``GET /v1/operations``: how the service does, for operators."""

from __future__ import annotations

from flask import Blueprint, Response

from serving.api.operations import REPORT, json_answer, service
from serving.operations_report import operations_report

blueprint = Blueprint("operations_report", __name__)


@blueprint.get(REPORT.rule)
def report() -> Response:
    """Answer the report of this moment."""
    found = operations_report(service())
    return json_answer(found)
