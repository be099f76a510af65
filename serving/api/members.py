"""``POST /v1/members``."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, url_for

from feature_repo.arrivals import NewMember
from serving.api.bodies import SignUp
from serving.api.models import MemberAccepted
from serving.api.operations import SIGN_UP, read_body, service

blueprint = Blueprint("members", __name__)


@blueprint.post(SIGN_UP.rule)
def sign_up() -> Response:
    """Take in a new member; sent again, the latest word counts."""
    body = read_body(SignUp)
    state = service().state
    member = NewMember(body.user_id, body.country, body.language, tuple(body.selected_title_ids))
    service().arrivals.add_member(member, state.catalogue.title_ids, state.clock())
    answer = MemberAccepted(user_id=body.user_id, selected_title_ids=body.selected_title_ids)
    response = Response(answer.model_dump_json(), status=HTTPStatus.CREATED, content_type="application/json")
    response.headers["Location"] = url_for("homepages.homepage", user_id=body.user_id)
    return response
