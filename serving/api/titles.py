"""``GET /v1/titles/{title_id}/similar``."""

from __future__ import annotations

from flask import Blueprint, Response

from serving.api.models import SimilarParameters, SimilarTitle, SimilarTitles
from serving.api.operations import SIMILAR, parse, service
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
