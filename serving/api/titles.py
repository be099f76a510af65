"""``GET /v1/titles/{title_id}/similar`` and ``PUT /v1/titles/{title_id}``."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response

from serving.api.bodies import TitleRecord
from serving.api.models import (
    SimilarParameters,
    SimilarTitle,
    SimilarTitles,
    TitleAccepted,
    TitleParameters,
)
from serving.api.operations import SIMILAR, TITLE, parse, read_body, service
from serving.api.problems import TitleNotFoundError
from serving.similarity import similar_titles

blueprint = Blueprint("titles", __name__)


@blueprint.get(SIMILAR.rule)
def similar(title_id: str) -> Response:
    """Answer the titles most like this one."""
    asked = parse(SimilarParameters, title_id=title_id)
    state = service().state
    row = state.catalogue.row_of.get(title_id)
    if row is None:
        raise TitleNotFoundError(f"title_id = {title_id!r}: not in the catalogue of {state.models.version}")
    kind, rows, scores = similar_titles(state, row, asked.k)
    catalogue = state.catalogue
    answer = SimilarTitles(
        title_id=title_id,
        name=catalogue.names[row],
        bundle=state.models.version,
        similarity=kind,
        titles=[
            SimilarTitle(title_id=catalogue.title_ids[other], name=catalogue.names[other], score=score)
            for other, score in zip(rows.tolist(), scores.tolist(), strict=True)
        ],
    )
    return Response(answer.model_dump_json(), content_type="application/json")


@blueprint.put(TITLE.rule)
def put(title_id: str) -> Response:
    """Take in a title; it stands in every generator's index within a second, without a training.

    A new title answers 201, a changed one 200.
    """
    title_id = parse(TitleParameters, title_id=title_id).title_id
    record, state = read_body(TitleRecord), service().state
    arrivals, known_since = service().arrivals, service().known_since(title_id)
    arrivals.add_titles(record.row(title_id, known_since, state.clock()), known_since)
    answer = TitleAccepted(title_id=title_id, known_since=known_since)
    status = HTTPStatus.OK if title_id in state.catalogue.row_of else HTTPStatus.CREATED
    return Response(answer.model_dump_json(), status=status, content_type="application/json")
