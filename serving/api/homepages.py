"""``GET /v1/members/{user_id}/homepage``."""

from __future__ import annotations

from datetime import UTC

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from serving.api.admin import require_admin
from serving.api.models import ExplainedHomepage, Homepage, HomepageParameters
from serving.api.operations import HOMEPAGE, parse, service
from serving.api.timing import report_stages
from serving.candidates.query import PageRequest
from serving.explanation import explain
from serving.homepage import MadePage

blueprint = Blueprint("homepages", __name__)


@blueprint.get(HOMEPAGE.rule)
def homepage(user_id: str) -> Response:
    """Answer a member's page, made for ``at`` or for the service's present."""
    asked = parse(HomepageParameters, user_id=user_id)
    if asked.explain:
        require_admin()
    marquee = service()
    state = marquee.state
    at = state.clock() if asked.at is None else asked.at.astimezone(UTC)
    preview = asked.explain or asked.at is not None
    made = marquee.homepage(PageRequest(user_id, asked.device or "", at, asked.country, preview), state)
    report_stages(made.run.timings)
    page = _explained(made, asked.title_id) if asked.explain else made.homepage
    response = Response(page.model_dump_json(), content_type="application/json")
    if not preview:
        response.call_on_close(lambda: marquee.shown(made.homepage))
    return response


def _explained(made: MadePage, title_id: str | None) -> Homepage:
    if title_id is not None and title_id not in made.query.catalogue.row_of:
        raise NotFound(f"title_id = {title_id!r}: not in the catalogue; GET a page for titles that are")
    explanation = explain(made, [] if title_id is None else [title_id])
    return ExplainedHomepage(**made.homepage.model_dump(), explanation=explanation)
