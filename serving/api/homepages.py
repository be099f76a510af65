"""``GET /v1/members/{user_id}/homepage``."""

from __future__ import annotations

from datetime import UTC

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from serving.api.access import require_scope
from serving.api.models import Homepage, HomepageParameters
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
    if asked.explain or asked.arms is not None:
        require_scope("admin")
    marquee = service()
    state = marquee.state
    at = state.clock() if asked.at is None else asked.at.astimezone(UTC)
    arms = asked.forced_arms
    marquee.experiments.named(arms)  # an arm that does not run is refused before a page is made
    preview = asked.explain or asked.at is not None or bool(arms)
    request = PageRequest(user_id, asked.device or "", at, asked.country, preview, arms)
    made = marquee.homepage(request, state)
    report_stages(made.run.timings)
    body = _explained(made, asked.title_id) if asked.explain else _plain(made.homepage)
    response = Response(body, content_type="application/json")
    if not preview:
        response.call_on_close(lambda: marquee.shown(made))
    return response


def _plain(page: Homepage) -> str:
    return page.model_dump_json(exclude={"explanation"})


def _explained(made: MadePage, title_id: str | None) -> str:
    if title_id is not None and title_id not in made.query.catalogue.row_of:
        raise NotFound(f"title_id = {title_id!r}: not in the catalogue; GET a page for titles that are")
    explanation = explain(made, [] if title_id is None else [title_id])
    return made.homepage.model_copy(update={"explanation": explanation}).model_dump_json()
