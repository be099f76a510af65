"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import structlog
from flask import Flask, Response, request
from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from experiments.errors import (
    ExperimentError,
    RuleRefusedError,
    StoreUnavailableError,
    UnknownExperimentError,
)
from feature_repo import identifiers
from feature_repo.arrivals import NotTakenInError, UnknownTitleError
from feature_repo.stream.event_log import EventLogError
from serving.api.models import NOT_BLANK, InvalidParameter, Problem
from serving.arm_preparation import TreatmentRefusedError
from serving.bundle_desk import AliasNotWrittenError
from serving.deletions import UnknownDeletionError
from serving.intake import AlreadyMemberError
from serving.load import OverloadedError
from serving.served_experiments import UnknownArmError
from serving.service import BundleNotHeldError, NotReadyError

RETRY_AFTER_SECONDS: Final = 1
"""As long as a breaker leaves alone what does not answer."""
PROBLEM_JSON: Final = "application/problem+json"
_GIVE_AN_INSTANT: Final = "give an RFC 3339 instant with date, time and zone, such as 2026-03-01T20:00:00Z"
_REMEDIES: Final = {
    "literal_error": "use one of {expected}",
    "string_pattern_mismatch": "match {pattern}",
    "timezone_aware": "give the instant with a zone, such as 2026-03-01T20:00:00Z",
    "datetime_parsing": _GIVE_AN_INSTANT,
    "datetime_from_date_parsing": _GIVE_AN_INSTANT,
    "int_parsing": "give a whole number",
    "greater_than_equal": "give at least {ge}",
    "less_than_equal": "give at most {le}",
    "less_than": "give less than {lt}",
    "model_type": "send an object",
    "string_too_long": "give at most {max_length} characters",
}
_PATTERNS_IN_WORDS: Final = {
    identifiers.PATTERN: identifiers.REMEDY,
    NOT_BLANK: "give more than blanks",
}

_LONGEST_VALUE: Final = 500

_log = structlog.get_logger(__name__)


class TitleNotFoundError(LookupError):
    """A title that the bundle in service does not know."""


def register_problems(app: Flask) -> None:
    """Answer every error as a problem."""
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(TitleNotFoundError, _not_found)
    app.register_error_handler(UnknownDeletionError, _not_found)
    app.register_error_handler(UnknownTitleError, _unknown_title)
    app.register_error_handler(UnknownArmError, _unknown_arm)
    app.register_error_handler(ExperimentError, _refused_experiment)
    app.register_error_handler(AlreadyMemberError, _already_member)
    app.register_error_handler(RedisError, _store_away)
    app.register_error_handler(EventLogError, _log_away)
    app.register_error_handler(NotTakenInError, _disk_away)
    app.register_error_handler(AliasNotWrittenError, _disk_away)
    app.register_error_handler(NotReadyError, _not_ready)
    app.register_error_handler(BundleNotHeldError, _not_held)
    app.register_error_handler(OverloadedError, _overloaded)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def problem(status: HTTPStatus, detail: str, errors: list[InvalidParameter] | None = None) -> Response:
    """Return an error response."""
    body = Problem(
        title=status.phrase, status=status, detail=detail, instance=request.path, errors=errors or []
    )
    return Response(body.model_dump_json(), status=status, content_type=PROBLEM_JSON)


def _invalid(error: ValidationError) -> Response:
    errors = refused(error)
    return problem(HTTPStatus.BAD_REQUEST, in_words(errors, "body"), errors)


def refused(error: ValidationError) -> list[InvalidParameter]:
    """Return what was refused, with the remedies."""
    return [found for item in error.errors(include_url=False) for found in _refusals(item)]


def in_words(errors: list[InvalidParameter], whole: str = "") -> str:
    """Return what was refused as a sentence; ``whole`` names what has no fields."""
    return "; ".join(f"{e.field or whole} = {e.value!r}: {e.remedy}" for e in errors)


def _refusals(item: Any) -> list[InvalidParameter]:
    """Return one refusal; where a model was built to check a field, those of that model's fields."""
    inner = item.get("ctx", {}).get("error")
    if isinstance(inner, ValidationError):
        return [
            _refused({**error, "loc": (*item["loc"], *error["loc"])})
            for error in inner.errors(include_url=False)
        ]
    return [_refused(item)]


def _refused(item: Any) -> InvalidParameter:
    # A message that pydantic made may hold what the client sent, braces and all.
    known = _REMEDIES.get(item["type"])
    context = item.get("ctx", {})
    remedy = item["msg"] if known is None else known.format_map(context)
    remedy = _PATTERNS_IN_WORDS.get(context.get("pattern"), remedy)
    sent = item["input"]
    value = None if sent is None or isinstance(sent, dict | BaseModel) else str(sent)
    if value is not None:
        # Half a surrogate pair is no text that an answer could hold.
        value = value[:_LONGEST_VALUE].encode(errors="replace").decode()
    return InvalidParameter(field=".".join(map(str, item["loc"])), value=value, remedy=remedy)


def _not_found(error: LookupError) -> Response:
    return problem(HTTPStatus.NOT_FOUND, str(error))


def _unknown_title(error: UnknownTitleError) -> Response:
    refused = InvalidParameter(
        field="selected_title_ids", value=error.title_id, remedy="choose among the titles of the catalogue"
    )
    return problem(HTTPStatus.BAD_REQUEST, str(error), [refused])


def _unknown_arm(error: UnknownArmError) -> Response:
    refused = InvalidParameter(field="arms", value=error.arm, remedy=error.remedy)
    return problem(HTTPStatus.BAD_REQUEST, str(error), [refused])


def _refused_experiment(error: ExperimentError) -> Response:
    if isinstance(error, UnknownExperimentError):
        return problem(HTTPStatus.NOT_FOUND, str(error))
    if isinstance(error, StoreUnavailableError):
        _log.error("the experiment store is away", path=request.path, reason=str(error))
        return _again_later("the experiment store does not answer; send it again later")
    if isinstance(error, TreatmentRefusedError):
        refused = InvalidParameter(field=f"arms.{error.place}.treatment", value=None, remedy=error.reason)
        return problem(HTTPStatus.BAD_REQUEST, str(error), [refused])
    if isinstance(error, RuleRefusedError):
        refused = InvalidParameter(field=error.field, value=str(error.value), remedy=error.remedy)
        return problem(HTTPStatus.BAD_REQUEST, str(error), [refused])
    return problem(HTTPStatus.CONFLICT, str(error))


def _already_member(error: AlreadyMemberError) -> Response:
    return problem(HTTPStatus.CONFLICT, str(error))


def _store_away(error: RedisError) -> Response:
    _log.error("the feature store is away", path=request.path, reason=str(error))
    return _again_later("the feature store does not answer; send it again later")


def _log_away(error: EventLogError) -> Response:
    _log.error("the event log is away", path=request.path, reason=str(error))
    return _again_later("the event log does not answer; nothing was taken in: send it again later")


def _disk_away(error: NotTakenInError | AliasNotWrittenError) -> Response:
    _log.error("the disk cannot be written", path=request.path, reason=str(error.__cause__))
    return _again_later(str(error))


def _not_ready(error: NotReadyError) -> Response:
    return _again_later(str(error))


def _not_held(error: BundleNotHeldError) -> Response:
    return problem(HTTPStatus.CONFLICT, str(error))


def _overloaded(error: OverloadedError) -> Response:
    return _again_later(str(error))


def _again_later(detail: str) -> Response:
    answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, detail)
    answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _http(error: HTTPException) -> Response:
    answer = problem(HTTPStatus(error.code or 500), error.description or "")
    allowed = getattr(error, "valid_methods", None)
    challenge = getattr(error, "www_authenticate", None)
    if challenge:
        answer.headers["WWW-Authenticate"] = challenge[0].to_header()
    if allowed:
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return answer


def _unexpected(error: Exception) -> Response:
    _log.error("request failed", path=request.path, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an error of ours; it was logged")
