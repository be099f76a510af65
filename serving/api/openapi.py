"""The OpenAPI 3.1 document, from the operations and their pydantic models."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.api.models import Problem
from serving.api.operations import Operation
from serving.api.problems import PROBLEM_JSON

_REFERENCE: Final = "#/components/schemas/{model}"
_HEADERS: Final = {
    "Server-Timing": {"description": "milliseconds per stage", "schema": {"type": "string"}},
}


def openapi_document(operations: Sequence[Operation], version: str = "1") -> dict[str, Any]:
    """Return the document as JSON values."""
    models: list[tuple[type[BaseModel], Literal["serialization", "validation"]]] = [
        (Problem, "serialization")
    ]
    models += [(o.answer, "serialization") for o in operations if not isinstance(o.answer, dict)]
    models += [(o.body, "validation") for o in operations if o.body is not None]
    _, definitions = models_json_schema(models, ref_template=_REFERENCE)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Marquee", "version": version, "description": "Personal homepages."},
        "paths": _paths(operations),
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"admin": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths(operations: Sequence[Operation]) -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return paths


def _operation(operation: Operation) -> dict[str, Any]:
    responses = {
        str(status.value): _response(
            _meaning(operation, status),
            operation.content_type,
            operation.answer,
        )
        for status in operation.success
    }
    for status in operation.problems:
        responses[str(status.value)] = _response(status.phrase, PROBLEM_JSON, Problem)
    described = {
        "summary": operation.summary, "parameters": _parameters(operation), "responses": responses,
    }  # fmt: skip
    if operation.body is not None:
        schema = {"$ref": _REFERENCE.format(model=operation.body.__name__)}
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if operation.admin:
        described["security"] = [{"admin": []}]
    return described


def _meaning(operation: Operation, status: HTTPStatus) -> str:
    if status == HTTPStatus.CREATED:
        return "Taken in, for the first time."
    if status == HTTPStatus.ACCEPTED:
        return "Taken in, to take effect afterwards."
    return "The answer." if operation.body is None else "It was known before."


def _response(
    description: str, content_type: str, answer: type[BaseModel] | dict[str, str]
) -> dict[str, Any]:
    schema = answer if isinstance(answer, dict) else {"$ref": _REFERENCE.format(model=answer.__name__)}
    return {"description": description, "headers": _HEADERS, "content": {content_type: {"schema": schema}}}


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
