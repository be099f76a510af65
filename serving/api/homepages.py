"""``GET /v1/members/{user_id}/homepage``."""

from __future__ import annotations

from datetime import UTC

from flask import Blueprint, Response

from serving.api.models import HomepageParameters
from serving.api.operations import HOMEPAGE, parse, service
from serving.api.timing import report_stages
from serving.candidates.query import PageRequest

blueprint = Blueprint("homepages", __name__)


@blueprint.get(HOMEPAGE.rule)
def homepage(user_id: str) -> Response:
    """Answer a member's page, made for ``at`` or for the service's present."""
    asked = parse(HomepageParameters, user_id=user_id)
    state = service().state
    at = state.clock() if asked.at is None else asked.at.astimezone(UTC)
    page, run = service().homepage(PageRequest(user_id, asked.device or "", at, asked.country), state)
    report_stages(run.timings)
    return Response(page.model_dump_json(), content_type="application/json")
