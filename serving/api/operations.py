"""The operations of the interface, declared once: routing, parameters and OpenAPI follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal, TypeVar

from flask import Response, current_app, request
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest

from experiments.definitions import Experiment, ExperimentDefinition
from serving.api import (
    bodies as b,
    bundle_models,
    event_bodies,
    experiment_models as x,
    models as m,
    title_models as t,
)
from serving.api_keys import Scope
from serving.bundle_desk import BundleList
from serving.operations_report import OperationsReport
from serving.service import HomepageService
from training.bundle import AliasChange

SERVICE: Final = "homepage_service"
_NOT_LET_IN: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
_Parameters = TypeVar("_Parameters", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    ``path`` is in OpenAPI's notation; ``answer`` a model, or the JSON schema of an answer that has none;
    ``problems`` the errors it may answer; ``body`` what a client sends, ``body_required`` whether it must;
    ``location`` says what the header ``Location`` leads to; None: there is none;
    ``scope`` is what a client's key must be good for; None: the call is open to everybody.
    """

    path: str
    summary: str
    parameters: type[BaseModel]
    answer: type[BaseModel] | dict[str, str]
    problems: tuple[HTTPStatus, ...] = ()
    content_type: str = "application/json"
    method: Literal["get", "post", "put", "delete"] = "get"
    body: type[BaseModel] | None = None
    success: tuple[HTTPStatus, ...] = (HTTPStatus.OK,)
    scope: Scope | None = None
    body_required: bool = True
    location: str | None = None

    @property
    def refusals(self) -> tuple[HTTPStatus, ...]:
        """The errors that a call may answer: its own, and those of who may call what and how often."""
        return self.problems if self.scope is None else (*self.problems, *_NOT_LET_IN)

    @property
    def rule(self) -> str:
        """The path in Flask's notation."""
        return self.path.replace("{", "<").replace("}", ">")


HOMEPAGE: Final = Operation(
    "/v1/members/{user_id}/homepage", "A member's homepage.", m.HomepageParameters, m.Homepage,
    (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE),
    scope="homepage",
)  # fmt: skip
SIMILAR: Final = Operation(
    "/v1/titles/{title_id}/similar", "Titles like this one.", m.SimilarParameters, m.SimilarTitles,
    (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE), scope="homepage",
)  # fmt: skip
_REFUSED: Final = (
    HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.SERVICE_UNAVAILABLE,
)  # fmt: skip
SIGN_UP: Final = Operation(
    "/v1/members", "Take in a new member.", m.NoParameters, m.MemberAccepted,
    (*_REFUSED, HTTPStatus.CONFLICT),
    method="post", body=b.SignUp, success=(HTTPStatus.CREATED, HTTPStatus.OK), scope="events",
    location="the member's homepage",
)  # fmt: skip
DELETE_MEMBER: Final = Operation(
    "/v1/members/{user_id}", "Forget a member and all that is known of them.", m.MemberParameters,
    m.DeletionReport, (HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE),
    method="delete", success=(HTTPStatus.ACCEPTED,), scope="admin", location="how far the deletion is",
)  # fmt: skip
DELETION: Final = Operation(
    "/v1/deletions/{deletion_id}", "How far the deletion of a member is.", m.DeletionParameters,
    m.DeletionReport, (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
    scope="admin",
)  # fmt: skip
TITLE: Final = Operation(
    "/v1/titles/{title_id}", "Take in a title, new or changed.", m.TitleParameters, m.TitleAccepted,
    _REFUSED,
    method="put", body=b.TitleRecord, success=(HTTPStatus.CREATED, HTTPStatus.OK), scope="admin",
)  # fmt: skip
TITLES: Final = Operation(
    "/v1/titles", "What titles are.", t.TitlesParameters, t.TitleList,
    (HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE), scope="homepage",
)  # fmt: skip
ONE_TITLE: Final = Operation(
    "/v1/titles/{title_id}", "What a title is, and what is written of it.", t.OneTitleParameters,
    t.TitleDetails, (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
    scope="homepage",
)  # fmt: skip
PICKS: Final = Operation(
    "/v1/picks", "Titles to choose from at sign-up.", t.PicksParameters, t.TitlesToPick,
    (HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE), scope="homepage",
)  # fmt: skip
MEMBERS: Final = Operation(
    "/v1/members", "Some members, to look at their pages.", t.MembersParameters, t.MemberList,
    (HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE), scope="members",
)  # fmt: skip
EVENTS: Final = Operation(
    "/v1/events", "Take in what members did: a batch of events, or one.", m.NoParameters, m.EventsAccepted,
    _REFUSED, method="post", body=event_bodies.EventsSent, success=(HTTPStatus.ACCEPTED,), scope="events",
)  # fmt: skip
_TO_OPERATORS: Final = (HTTPStatus.SERVICE_UNAVAILABLE,)
_OF_ONE: Final = (*_TO_OPERATORS, HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
_CHANGING: Final = (
    *_OF_ONE, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)  # fmt: skip
CREATE_EXPERIMENT: Final = Operation(
    "/v1/experiments", "Keep a new experiment, as a draft.", m.NoParameters, Experiment,
    tuple(status for status in _CHANGING if status != HTTPStatus.NOT_FOUND),
    method="post", body=ExperimentDefinition, success=(HTTPStatus.CREATED,), scope="admin",
    location="the experiment",
)  # fmt: skip
LIST_EXPERIMENTS: Final = Operation(
    "/v1/experiments", "All experiments.", m.NoParameters, x.ExperimentList, _TO_OPERATORS, scope="admin"
)
EXPERIMENT: Final = Operation(
    "/v1/experiments/{name}", "An experiment with its decisions and alerts.", x.ExperimentParameters,
    x.ExperimentDetails, _OF_ONE, scope="admin",
)  # fmt: skip
START_EXPERIMENT: Final = Operation(
    "/v1/experiments/{name}/start", "Deal members to an experiment.", x.ExperimentParameters, Experiment,
    _CHANGING, method="post", body=x.StatusChange, body_required=False, scope="admin",
)  # fmt: skip
PAUSE_EXPERIMENT: Final = Operation(
    "/v1/experiments/{name}/pause", "Let the members of an experiment see control.", x.ExperimentParameters,
    Experiment, _CHANGING, method="post", body=x.StatusChange, body_required=False, scope="admin",
)  # fmt: skip
PROMOTE_EXPERIMENT: Final = Operation(
    "/v1/experiments/{name}/promote", "End an experiment for an arm; a ranker's bundle becomes champion.",
    x.ExperimentParameters, Experiment, _CHANGING, method="post", body=x.Promotion, scope="admin",
)  # fmt: skip
ROLL_BACK_EXPERIMENT: Final = Operation(
    "/v1/experiments/{name}/rollback", "End an experiment for control, or take its promotion back.",
    x.ExperimentParameters, Experiment, _CHANGING, method="post", body=x.Rollback, scope="admin",
)  # fmt: skip
ANALYZE_EXPERIMENT: Final = Operation(
    "/v1/experiments/{name}/analysis", "What is known of an experiment by now.", x.ExperimentParameters,
    {"type": "object"}, (*_OF_ONE, HTTPStatus.CONFLICT), scope="admin",
)  # fmt: skip
LIST_BUNDLES: Final = Operation(
    "/v1/bundles", "All bundles, what they are called, and why some were refused.", m.NoParameters,
    BundleList, (*_TO_OPERATORS, HTTPStatus.CONFLICT), scope="admin",
)  # fmt: skip
ACTIVATE_BUNDLE: Final = Operation(
    "/v1/bundles/{version}/activate", "Make a bundle champion or challenger.", bundle_models.BundleParameters,
    AliasChange, _CHANGING, method="post", body=bundle_models.Activation, body_required=False, scope="admin",
)  # fmt: skip
ROLL_BACK_BUNDLE: Final = Operation(
    "/v1/bundles/rollback", "Make the champion before the present one champion again.", m.NoParameters,
    AliasChange, (*_TO_OPERATORS, HTTPStatus.CONFLICT), method="post", scope="admin",
)  # fmt: skip
REPORT: Final = Operation(
    "/v1/operations", "How the service does: stages, fallbacks, freshness and what else the workers count.",
    m.NoParameters, OperationsReport, scope="admin",
)  # fmt: skip
ALIVE: Final = Operation("/healthz", "Whether the process is alive.", m.NoParameters, m.Health)
READY: Final = Operation(
    "/readyz", "Whether a page can be made.", m.NoParameters, m.Readiness, (HTTPStatus.SERVICE_UNAVAILABLE,)
)
METRICS: Final = Operation(
    "/metrics", "Metrics in Prometheus's text format.", m.NoParameters, {"type": "string"},
    content_type="text/plain",
)  # fmt: skip
DESCRIPTION: Final = Operation("/openapi.json", "This document.", m.NoParameters, {"type": "object"})
OPERATIONS: Final = (
    HOMEPAGE, SIMILAR, SIGN_UP, MEMBERS, DELETE_MEMBER, DELETION, TITLE, TITLES, ONE_TITLE, PICKS, EVENTS,
    CREATE_EXPERIMENT, LIST_EXPERIMENTS, EXPERIMENT, START_EXPERIMENT, PAUSE_EXPERIMENT,
    PROMOTE_EXPERIMENT, ROLL_BACK_EXPERIMENT, ANALYZE_EXPERIMENT,
    LIST_BUNDLES, ACTIVATE_BUNDLE, ROLL_BACK_BUNDLE, REPORT,
    ALIVE, READY, METRICS, DESCRIPTION,
)  # fmt: skip


def service() -> HomepageService:
    """Return the service of the application at work."""
    found: HomepageService = current_app.extensions[SERVICE]
    return found


def parse(parameters: type[_Parameters], **path: str) -> _Parameters:
    """Read path and query into a model; raises pydantic's ``ValidationError``, answered as a problem."""
    return parameters.model_validate({**request.args.to_dict(), **path})


def json_answer(body: BaseModel, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return a model as the answer."""
    return Response(body.model_dump_json(), status=status, content_type="application/json")


def read_body(body: type[_Parameters]) -> _Parameters:
    """Read the JSON a client sent into a model.

    Raises pydantic's ``ValidationError``, and what :func:`read_json` does: all become problems.
    """
    return body.model_validate(read_json())


def read_json() -> Any:
    """Read the JSON a client sent; raises werkzeug's errors for what is none."""
    try:
        return request.get_json()
    except RecursionError:  # thousands of brackets
        raise BadRequest("the JSON is nested too deeply: send one object") from None
