"""``/v1/members``: new members, and some of those there are."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, url_for

from feature_repo.arrivals import NewMember
from serving.api.bodies import SignUp
from serving.api.models import MemberAccepted
from serving.api.operations import MEMBERS, SIGN_UP, json_answer, parse, read_body, service
from serving.api.title_models import KnownMember, MemberList, MembersParameters

blueprint = Blueprint("members", __name__)


@blueprint.get(MEMBERS.rule)
def some() -> Response:
    """Answer some members that the bundle in service knows."""
    asked, marquee = parse(MembersParameters), service()
    bundle = marquee.state.models.version
    members = [
        KnownMember(
            user_id=member.user_id,
            country=member.country or None,
            language=member.language or None,
            watch_count=member.watch_count,
            genres=member.genres,
        )
        for member in marquee.example_members(asked.limit)
    ]
    answer = MemberList(bundle=bundle, members=members)
    return json_answer(answer)


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
    response = json_answer(answer, status)
    response.headers["Location"] = url_for("homepages.homepage", user_id=body.user_id)
    return response
