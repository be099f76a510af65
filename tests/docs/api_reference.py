"""Write docs/api.md from the server's OpenAPI description: ``python -m tests.docs.api_reference``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from serving.api.openapi import openapi_document
from serving.api.operations import OPERATIONS
from serving.api.problems import PROBLEM_JSON
from tests.docs.markdown import FOLDER

PAGE: Final = FOLDER / "api.md"
EXAMPLES: Final[Mapping[str, Any]] = {
    "SignUp": {
        "user_id": "zoe", "country": "KR", "language": "ko",
        "selected_title_ids": ["t000001", "t000002", "t000003"],
    },
    "TitleRecord": {
        "name": "Night Ferry", "title_type": "movie", "release_year": 2025, "runtime_minutes": 104,
        "genres": ["Drama", "Thriller"], "synopsis": "A ship at sea.",
    },
    "EventsSent": {
        "events": [{
            "event_id": "e-1", "user_id": "zoe", "title_id": "t000001", "event_type": "progress",
            "event_timestamp": "2026-03-01T20:00:00Z", "watch_fraction": 0.4, "duration_minutes": 38,
            "device_type": "tv",
        }],
    },
    "ExperimentDefinition": {
        "name": "fewer-genre-rows", "layer": "post_filter", "traffic": 200,
        "arms": [
            {"name": "control", "share": 500},
            {"name": "two-rows", "share": 500, "treatment": {"page": {"genre_rows": 2}}},
        ],
    },
    "StatusChange": {"reason": "pages slow"},
    "Promotion": {"arm": "two-rows", "reason": "plays +3 %, retention unchanged"},
    "Rollback": {"reason": "complaints"},
    "Activation": {"alias": "challenger"},
}  # fmt: skip
"""What a client may send, by the name of the body's model."""
_HEAD: Final = """# API reference

<!-- written by `python -m tests.docs.api_reference` from the server's own description; a test holds it -->

`/openapi.json` of a running server says the same to programs. All bodies are JSON in UTF-8. Errors are
`application/problem+json` (RFC 9457, the model [Problem](#problem)) and name field, value and remedy. Every
answer bears `Server-Timing`, in milliseconds per stage, and `Cache-Control: no-store`; 429 and 503 bear
`Retry-After`, in seconds. A fault of the server's own is a 500, and a problem as well. *Scope* is what a
client's key must be good for ([security.md](security.md)): without a key file only calls of the scope `admin`
need a token. A parameter or field in italics may be left out.

An id of a member or title that comes in, by whichever call or file, has 1 to 128 characters, none of them
`/`, `,` or a control character, and something besides blanks and dots. An instant is one of RFC 3339 with
date, time and zone, from 1970 to 2099, such as `2026-03-01T20:00:00Z`; in a URL the `+` of a zone is written
`%2B`.
"""


def written() -> str:
    """Return the page."""
    document = openapi_document(OPERATIONS)
    parts = [_HEAD, "## Calls\n", *_overview(document)]
    for path, method, call in _calls(document):
        parts += [f"\n### {method.upper()} {path}\n", *_call(call, document)]
    parts.append("\n## Models\n")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts += [f"\n### {name}\n", *_model(schema)]
    return "\n".join(parts).rstrip() + "\n"


def _calls(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            yield path, method, call


def _overview(document: dict[str, Any]) -> Iterator[str]:
    yield "| call | what it does | scope |"
    yield "|---|---|---|"
    for path, method, call in _calls(document):
        anchor = f"{method} {path}".translate(str.maketrans(" ", "-", "/{}."))
        yield f"| [{method.upper()} {path}](#{anchor}) | {call['summary']} | {_scope(call)} |"


def _scope(call: dict[str, Any]) -> str:
    return "".join(f"`{scope}`" for needed in call.get("security", ()) for scope in needed["key"])


def _call(call: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    scope = _scope(call)
    yield call["summary"] + (f" Scope: {scope}." if scope else "")
    if call["parameters"]:
        yield "\n| parameter | where | type | what |"
        yield "|---|---|---|---|"
        for one in call["parameters"]:
            name = f"`{one['name']}`" if one["required"] else f"*`{one['name']}`*"
            yield f"| {name} | {one['in']} | {_type(one['schema'])} | {_what(one['schema'])} |"
    if "requestBody" in call:
        body = call["requestBody"]
        schema = body["content"]["application/json"]["schema"]
        needed = "" if body["required"] else " It may be left out."
        yield f"\nBody: {_type(schema)}.{needed} For instance:\n"
        yield f"```json\n{json.dumps(EXAMPLES[_name(schema)], ensure_ascii=False)}\n```"
    refusals = []
    for status, answer in sorted(call["responses"].items()):
        [(kind, content)] = answer["content"].items()
        if kind == PROBLEM_JSON:
            refusals.append(f"{status} {HTTPStatus(int(status)).phrase}")
        else:
            shown = _type(content["schema"]) if kind == "application/json" else f"`{kind}`"
            meaning = answer["description"]
            if location := answer["headers"].get("Location"):
                meaning += f" `Location` leads to {location['description']}."
            yield f"\nAnswers {status} {HTTPStatus(int(status)).phrase}: {shown}. {meaning}"
    if refusals:
        yield f"\nErrors: {', '.join(refusals)}."


def _model(schema: dict[str, Any]) -> Iterator[str]:
    description = schema.get("description", "").split("\n\n")[0].replace("\n", " ").replace("``", "`").strip()
    if description:
        yield f"{description}\n"
    if "properties" not in schema:
        yield _type(schema)
        return
    yield "| field | type | what |"
    yield "|---|---|---|"
    for name, declared in schema["properties"].items():
        shown = f"`{name}`" if name in schema.get("required", ()) else f"*`{name}`*"
        yield f"| {shown} | {_type(declared)} | {_what(declared)} |"


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _type(schema: dict[str, Any]) -> str:
    """Return a schema's type, short: references as links, choices spelled out."""
    if "$ref" in schema:
        return f"[{_name(schema)}](#{_name(schema).lower()})"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[key]))
    kind = schema.get("format") or schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(kind)


def _what(schema: dict[str, Any]) -> str:
    """Return what a field means, its bounds and its default."""
    notes = [schema["description"]] if "description" in schema else []
    notes += _bounds(schema)
    if schema.get("default") not in (None, [], {}, ""):
        notes.append(f"default `{json.dumps(schema['default'], ensure_ascii=False)}`")
    return "; ".join(notes).replace("\n", " ").replace("|", "\\|")


def _bounds(schema: dict[str, Any]) -> list[str]:
    """Return the bounds of a schema, of those it may be one of, and of a list's elements."""
    words = {
        "minimum": "at least {}", "maximum": "at most {}", "exclusiveMinimum": "above {}",
        "exclusiveMaximum": "below {}",
        "minLength": "at least {} characters", "maxLength": "at most {} characters",
        "minItems": "{} elements or more", "maxItems": "{} elements at most", "pattern": "matches `{}`",
    }  # fmt: skip
    found = [text.format(schema[key]) for key, text in words.items() if key in schema]
    found = [note.replace("at least 1 characters", "not empty") for note in found]
    for one in (*schema.get("anyOf", ()), schema.get("items")):
        if isinstance(one, dict) and "$ref" not in one:
            found += _bounds(one)
    return found


if __name__ == "__main__":
    PAGE.write_text(written(), "utf-8")
