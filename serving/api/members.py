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
    """Take in a new member: 201. Sent again, the same sign-up changes nothing: 200; another one: 409."""
    body = read_body(SignUp)
    member = NewMember(body.user_id, body.country, body.language, tuple(body.selected_title_ids))
    status = HTTPStatus.CREATED if service().sign_up(member) else HTTPStatus.OK
    answer = MemberAccepted(
        user_id=body.user_id,
        country=body.country,
        language=body.language,
        selected_title_ids=body.selected_title_ids,
    )
    response = Response(answer.model_dump_json(), status=status, content_type="application/json")
    response.headers["Location"] = url_for("homepages.homepage", user_id=body.user_id)
    return response
