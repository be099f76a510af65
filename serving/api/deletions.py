"""``DELETE /v1/members/{user_id}`` and ``GET /v1/deletions/{deletion_id}``."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, url_for

from serving.api.models import DeletionParameters, DeletionReport, MemberParameters
from serving.api.operations import DELETE_MEMBER, DELETION, json_answer, parse, service
from serving.deletions import Deletion

blueprint = Blueprint("deletions", __name__)


@blueprint.delete(DELETE_MEMBER.rule)
def delete(user_id: str) -> Response:
    """Forget a member: 202, online at once, and where ``Location`` tells when the lake has none of them.

    The answer is the same whether the member was known or not.
    """
    user_id = parse(MemberParameters, user_id=user_id).user_id
    taken_in = service().deletions.request(user_id)
    response = _answer(taken_in, HTTPStatus.ACCEPTED)
    response.headers["Location"] = url_for("deletions.report", deletion_id=taken_in.deletion_id)
    return response


@blueprint.get(DELETION.rule)
def report(deletion_id: str) -> Response:
    """Answer how far a deletion is."""
    deletion_id = parse(DeletionParameters, deletion_id=deletion_id).deletion_id
    return _answer(service().deletions.deletion(deletion_id), HTTPStatus.OK)


def _answer(deletion: Deletion, status: HTTPStatus) -> Response:
    body = DeletionReport(
        deletion_id=deletion.deletion_id,
        state=deletion.state,
        requested_at=deletion.requested_at,
        finished_at=deletion.finished_at,
        removed=dict(deletion.removed),
    )
    return json_answer(body, status)
