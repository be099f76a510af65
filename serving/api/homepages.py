"""``GET /v1/members/{user_id}/homepage``."""

from __future__ import annotations

from datetime import UTC

import structlog
from flask import Blueprint, Response
from werkzeug.exceptions import HTTPException, NotFound

from serving.api.access import require_scope
from serving.api.models import Homepage, HomepageParameters
from serving.api.operations import HOMEPAGE, parse, service
from serving.api.timing import report_stages
from serving.candidates.query import PageRequest
from serving.explanation import explain
from serving.homepage import MadePage
from serving.load import OverloadedError
from serving.service import HomepageService, NotReadyError
from serving.state import ServingState

_log = structlog.get_logger(__name__)

blueprint = Blueprint("homepages", __name__)


@blueprint.get(HOMEPAGE.rule)
def homepage(user_id: str) -> Response:
    """Answer a member's page, made for ``at`` or for the service's present."""
    asked = parse(HomepageParameters, user_id=user_id)
    if asked.explain or asked.arms is not None or asked.bundle is not None:
        require_scope("admin")
    marquee = service()
    state = marquee.state if asked.bundle is None else marquee.bundle_state(asked.bundle)
    at = state.clock() if asked.at is None else asked.at.astimezone(UTC)
    arms = asked.forced_arms
    marquee.experiments.named(arms)  # an arm that does not run is refused before a page is made
    own_bundle = asked.bundle is not None
    preview = asked.preview or asked.explain or asked.at is not None or bool(arms) or own_bundle
    request = PageRequest(user_id, asked.device or "", at, asked.country, preview, arms, own_bundle)
    try:
        with marquee.load.page() as lean:
            return _answer(marquee, request, state, asked, lean)
    except OverloadedError:
        marquee.metrics.page_made("refused")
        raise


def _answer(
    marquee: HomepageService, request: PageRequest, state: ServingState, asked: HomepageParameters, lean: bool
) -> Response:
    try:
        made = marquee.homepage(request, state, lean)
        body = _explained(made, asked.title_id) if asked.explain else _plain(made.homepage)
    except (HTTPException, NotReadyError):
        raise
    except Exception:  # a page must come out, whatever is wrong in here
        _log.exception("page failed", user_id=request.user_id)
        marquee.metrics.page_made("static")
        return Response(_plain(marquee.static_page(request, state)), content_type="application/json")
    marquee.metrics.page_made("degraded" if made.homepage.degraded else "full")
    report_stages(made.run.timings)
    response = Response(body, content_type="application/json")
    if not request.preview:
        response.call_on_close(lambda: marquee.shown(made))
    return response


def _plain(page: Homepage) -> str:
    return page.model_dump_json(exclude={"explanation"})


def _explained(made: MadePage, title_id: str | None) -> str:
    if title_id is not None and title_id not in made.query.catalogue.row_of:
        raise NotFound(f"title_id = {title_id!r}: not in the catalogue; GET a page for titles that are")
    explanation = explain(made, [] if title_id is None else [title_id])
    return made.homepage.model_copy(update={"explanation": explanation}).model_dump_json()
