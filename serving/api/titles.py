"""``/v1/titles`` and ``/v1/picks``: what titles are, which are alike, which to pick, and new ones."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response

from feature_repo.title_texts import TitleText
from serving.api.bodies import TitleRecord
from serving.api.models import (
    SimilarParameters,
    SimilarTitle,
    SimilarTitles,
    TitleAccepted,
    TitleParameters,
)
from serving.api.operations import (
    ONE_TITLE,
    PICKS,
    SIMILAR,
    TITLE,
    TITLES,
    json_answer,
    parse,
    read_body,
    service,
)
from serving.api.problems import TitleNotFoundError
from serving.api.title_facts import title_facts
from serving.api.title_models import (
    OneTitleParameters,
    PicksParameters,
    TitleDetails,
    TitleList,
    TitlesParameters,
    TitlesToPick,
)
from serving.picks import titles_to_pick
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
    return json_answer(answer)


@blueprint.get(TITLES.rule)
def some() -> Response:
    """Answer what titles are, in the order asked for."""
    asked, state = parse(TitlesParameters), service().state
    rows = [state.catalogue.row_of.get(title_id) for title_id in asked.title_ids]
    unknown = [title_id for title_id, row in zip(asked.title_ids, rows, strict=True) if row is None]
    facts = [title_facts(state, row) for row in rows if row is not None]
    return json_answer(TitleList(titles=facts, unknown=unknown))


@blueprint.get(ONE_TITLE.rule)
def one(title_id: str) -> Response:
    """Answer what a title is, with its synopsis and cast."""
    title_id, marquee = parse(OneTitleParameters, title_id=title_id).title_id, service()
    state = marquee.state
    row = state.catalogue.row_of.get(title_id)
    if row is None:
        raise TitleNotFoundError(f"title_id = {title_id!r}: not in the catalogue of {state.models.version}")
    text = marquee.title_text(title_id) or TitleText(None, ())
    facts = title_facts(state, row).model_dump()
    return json_answer(TitleDetails(**facts, cast=list(text.cast), synopsis=text.synopsis))


@blueprint.get(PICKS.rule)
def picks() -> Response:
    """Answer titles to choose from at sign-up."""
    asked, state = parse(PicksParameters), service().state
    rows = titles_to_pick(state, asked.country or "", asked.language or "", asked.limit)
    return json_answer(TitlesToPick(titles=[title_facts(state, row) for row in rows]))


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
    return json_answer(answer, status)
