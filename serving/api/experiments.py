"""``/v1/experiments``: operators create, watch, start, pause and end experiments."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, request, url_for

from experiments.definitions import ExperimentDefinition
from serving.api import operations as o
from serving.api.experiment_models import (
    ExperimentDetails,
    ExperimentList,
    ExperimentParameters,
    Promotion,
    Rollback,
    StatusChange,
)
from serving.api.operations import json_answer, parse, read_body, service

blueprint = Blueprint("experiments", __name__)


@blueprint.post(o.CREATE_EXPERIMENT.rule)
def create() -> Response:
    """Keep a new experiment as a draft: 201."""
    created = service().experiment_desk.create(read_body(ExperimentDefinition))
    response = json_answer(created, HTTPStatus.CREATED)
    response.headers["Location"] = url_for("experiments.details", name=created.name)
    return response


@blueprint.get(o.LIST_EXPERIMENTS.rule)
def every() -> Response:
    """Answer all experiments."""
    store = service().experiment_desk.store
    return json_answer(ExperimentList(experiments=store.all(), holdout=store.holdout()))


@blueprint.get(o.EXPERIMENT.rule)
def details(name: str) -> Response:
    """Answer one experiment with its decisions and alerts."""
    desk, name = service().experiment_desk, _name(name)
    store = desk.store
    experiment = store.get(name)
    return json_answer(
        ExperimentDetails(
            experiment=experiment,
            served=desk.serves(name),
            decisions=store.decisions(name),
            alerts=store.alerts(name),
        )
    )


@blueprint.post(o.START_EXPERIMENT.rule)
def start(name: str) -> Response:
    """Start an experiment; its members see their arms from the next page on, on other servers within 2 s."""
    return json_answer(service().experiment_desk.start(_name(name), _reason()))


@blueprint.post(o.PAUSE_EXPERIMENT.rule)
def pause(name: str) -> Response:
    """Pause an experiment."""
    return json_answer(service().experiment_desk.pause(_name(name), _reason()))


@blueprint.post(o.PROMOTE_EXPERIMENT.rule)
def promote(name: str) -> Response:
    """Promote an arm."""
    body = read_body(Promotion)
    return json_answer(service().experiment_desk.promote(_name(name), body.arm, body.reason))


@blueprint.post(o.ROLL_BACK_EXPERIMENT.rule)
def roll_back(name: str) -> Response:
    """Roll an experiment back."""
    body = read_body(Rollback)
    return json_answer(service().experiment_desk.roll_back(_name(name), body.reason))


@blueprint.get(o.ANALYZE_EXPERIMENT.rule)
def analysis(name: str) -> Response:
    """Answer what is known of an experiment by now."""
    found = service().experiment_desk.analysis(_name(name))
    return Response(found, content_type="application/json")


def _name(name: str) -> str:
    return parse(ExperimentParameters, name=name).name


def _reason() -> str:
    """Return the reason given; the body may be left out."""
    return read_body(StatusChange).reason if request.get_data(cache=True) else ""
