"""Requests that the documents show are requests that a server takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from feature_repo.settings import REPOSITORY_ROOT
from serving.api.operations import OPERATIONS, Operation
from tests.docs.markdown import blocks_of, documents

LATER = datetime(2027, 1, 1, tzinfo=UTC)


def shown_requests() -> list[tuple[str, str]]:
    """Return (document, command), each once, from the shell blocks of all documents."""
    return sorted(
        {
            (str(page.relative_to(REPOSITORY_ROOT)), command)
            for page in documents()
            for block in blocks_of(page)
            if block.language == "sh"
            for command in commands_of(block.text)
        }
    )


def commands_of(shell: str) -> Iterator[str]:
    """Yield the curl commands of a block; one goes on over ends of line that are escaped or quoted."""
    command = ""
    for line in shell.splitlines():
        command += line + "\n"
        if line.endswith("\\") or command.partition(" #")[0].count("'") % 2:
            continue
        if command.startswith("curl "):
            yield command
        command = ""


def operation_of(method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """Return the operation and the parameters in its path; raises ``AssertionError`` where there is none."""
    for operation in OPERATIONS:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(operation.path))
        found = re.fullmatch(pattern, path)
        if found and operation.method == method:
            return operation, found.groupdict()
    raise AssertionError(f"no call {method.upper()} {path}")


@pytest.mark.parametrize(("page", "command"), shown_requests())
def test_a_shown_request_is_one_that_a_server_takes(page: str, command: str) -> None:
    [address] = re.findall(r"http://127\.0\.0\.1:8080[^' |]*", command)
    parts = urlsplit(address)
    method = next(iter(re.findall(r"-X ([A-Z]+)", command)), "GET").lower()
    operation, in_path = operation_of(method, parts.path)
    operation.parameters.model_validate({**dict(parse_qsl(parts.query)), **in_path})
    bodies = re.findall(r"-d '([^']*)'", command)
    assert len(bodies) == (operation.body is not None), page
    if operation.body is not None:
        operation.body.model_validate(json.loads(bodies[0]), context=LATER)
    if operation.scope == "admin":
        assert "$MARQUEE_ADMIN_TOKEN" in command
