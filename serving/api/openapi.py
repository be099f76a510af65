"""The OpenAPI 3.1 document, from the operations and their pydantic models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.api.models import Problem
from serving.api.operations import Operation
from serving.api.problems import PROBLEM_JSON

_REFERENCE: Final = "#/components/schemas/{model}"
_References = Mapping[Any, dict[str, Any]]
"""(model, mode) to the reference of its schema."""
_KEY: Final = {
    "type": "http", "scheme": "bearer", "description": "a client's key, good for the scopes it was made with"
}  # fmt: skip
_HEADERS: Final = {
    "Server-Timing": {"description": "milliseconds per stage", "schema": {"type": "string"}},
    "Cache-Control": {"description": "no-store", "schema": {"type": "string"}},
}
_RETRY_AFTER: Final = {
    "Retry-After": {"description": "seconds until it may be sent again", "schema": {"type": "integer"}},
}
_MORE_HEADERS: Final = {
    HTTPStatus.UNAUTHORIZED: {
        "WWW-Authenticate": {"description": "how to send a key", "schema": {"type": "string"}},
    },
    HTTPStatus.TOO_MANY_REQUESTS: _RETRY_AFTER,
    HTTPStatus.SERVICE_UNAVAILABLE: _RETRY_AFTER,
}
"""Of errors, beside those of every answer."""


def openapi_document(
    operations: Sequence[Operation], version: str = "1", *, keyed: bool = True
) -> dict[str, Any]:
    """Return the document as JSON values. Unless the server is ``keyed``, only admin calls need a key."""
    models: list[tuple[type[BaseModel], Literal["serialization", "validation"]]] = [
        (Problem, "serialization")
    ]
    models += [(o.answer, "serialization") for o in operations if not isinstance(o.answer, dict)]
    models += [(o.body, "validation") for o in operations if o.body is not None]
    # A model that is sent and answered may have two schemas: only the map tells which is whose.
    references, definitions = models_json_schema(models, ref_template=_REFERENCE)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Marquee", "version": version, "description": "Personal homepages."},
        "paths": _paths(operations, references, keyed),
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"key": _KEY},
        },
    }


def _paths(
    operations: Sequence[Operation], references: _References, keyed: bool
) -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, references)
        if operation.scope == "admin" or (keyed and operation.scope is not None):
            # OpenAPI 3.1 lets a scheme other than OAuth2 name the roles that a call needs.
            paths[operation.path][operation.method]["security"] = [{"key": [operation.scope]}]
    return paths


def _operation(operation: Operation, references: _References) -> dict[str, Any]:
    answer = operation.answer
    schema = answer if isinstance(answer, dict) else references[answer, "serialization"]
    responses = {
        str(status.value): _response(
            _meaning(operation, status), operation.content_type, schema, _location(operation)
        )
        for status in operation.success
    }
    for status in operation.refusals:
        responses[str(status.value)] = _response(
            status.phrase, PROBLEM_JSON, references[Problem, "serialization"], _MORE_HEADERS.get(status, {})
        )
    described = {
        "summary": operation.summary, "parameters": _parameters(operation), "responses": responses,
    }  # fmt: skip
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": {"schema": references[operation.body, "validation"]}},
        }
    return described


def _meaning(operation: Operation, status: HTTPStatus) -> str:
    if status == HTTPStatus.CREATED:
        return "Taken in, for the first time."
    if status == HTTPStatus.ACCEPTED:
        return "Taken in, to take effect afterwards."
    if HTTPStatus.CREATED in operation.success:
        return "It was known before."
    return "The answer."


def _location(operation: Operation) -> dict[str, Any]:
    if operation.location is None:
        return {}
    return {"Location": {"description": operation.location, "schema": {"type": "string"}}}


def _response(
    description: str, content_type: str, schema: Mapping[str, Any], more_headers: Mapping[str, Any]
) -> dict[str, Any]:
    headers = {**_HEADERS, **more_headers}
    return {"description": description, "headers": headers, "content": {content_type: {"schema": schema}}}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    schema = operation.parameters.model_json_schema()
    return [
        {
            "name": name,
            "in": "path" if f"{{{name}}}" in operation.path else "query",
            "required": name in schema.get("required", ()),
            "schema": declared,
        }
        for name, declared in schema.get("properties", {}).items()
    ]
