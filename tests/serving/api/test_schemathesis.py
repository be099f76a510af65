"""Whatever the document allows, and much that it does not, is answered, and never with an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import hypothesis
import pytest
import redis
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from feature_repo.deletion.tombstones import DeletedMembers
from feature_repo.ingest.lake import Lake
from feature_repo.stream.redis_log import RedisEventLog
from serving.api.access import Access
from serving.api.operations import OPERATIONS
from serving.api_keys import KeyRing, Scope, add_client
from serving.app import create_app
from serving.deletions import DeletionDesk, MemberTraces
from serving.shown_seeds import ShownSeeds
from tests.serving.in_memory_arrivals import InMemoryArrivals

EXAMPLES = 25
CONFORMANCE = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]  # fmt: skip
PLACES = sorted((operation.method.upper(), operation.path) for operation in OPERATIONS)


class NoGateway:
    """Has no member to forget: the small service's features lie in memory."""

    def forget_member(self, user_id: str) -> bool:  # noqa: ARG002
        return False


@pytest.fixture
def complete(unstarted: Any, contents: Any, redis_url: str, tmp_path: Path) -> Iterator[Any]:
    """The small service with all that a server has: arrivals, event log, experiments, deletions."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        seeds = ShownSeeds.open(redis_url, 10.0)
        unstarted.arrivals = InMemoryArrivals(unstarted)
        service = unstarted.service
        service._open_arrivals = lambda _: unstarted.arrivals
        service._open_memory = lambda _: seeds
        service._open_events = lambda _: RedisEventLog.open(redis_url)
        service._open_deletions = lambda _, events: DeletionDesk(
            client,
            DeletedMembers(client),
            MemberTraces(NoGateway(), Lake(str(tmp_path / "lake")), events, seeds.forget),  # type: ignore[arg-type]
            lambda: unstarted.time[0],
            timedelta(0),
        )
        unstarted.publish(contents)
        service.start(watch=False)
        yield unstarted
        service.stop()


@pytest.fixture
def keyed(complete: Any, tmp_path: Path) -> tuple[Any, str]:
    """The application of a server with a key file, and a key that is good for everything."""
    file = tmp_path / "keys.json"
    key = add_client(file, "tester", get_args(Scope))
    return create_app(complete.service, access=Access(keys=KeyRing(file))), key


def fuzz(app: Any, method: str, path: str, headers: dict[str, str], checks: list[Any]) -> set[int]:
    """Send what the document allows, then what it does not; return the statuses answered."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    operation, statuses = schema[path][method], set[int]()
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    for mode in modes:
        if mode == schemathesis.GenerationMode.NEGATIVE and not (operation.path_parameters or operation.query
                                                                 or operation.body):  # fmt: skip
            continue

        @hypothesis.settings(
            max_examples=EXAMPLES, derandomize=True, deadline=None, database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def answers(case: Any) -> None:
            response = case.call(headers=headers)
            statuses.add(response.status_code)
            case.validate_response(response, checks=checks)

        answers()
    return statuses


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_whatever_a_client_with_a_key_sends_is_answered_as_the_document_says(
    keyed: tuple[Any, str], method: str, path: str
) -> None:
    app, key = keyed
    statuses = fuzz(app, method, path, {"Authorization": f"Bearer {key}"}, CONFORMANCE)
    # What the document does not allow may be a header that holds no key.
    assert statuses - {401}
    assert not statuses & {403, 429}
    assert max(statuses) < 500


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_without_a_key_nothing_gets_in(keyed: tuple[Any, str], method: str, path: str) -> None:
    app, _ = keyed
    scope = next(o.scope for o in OPERATIONS if (o.method.upper(), o.path) == (method, path))
    statuses = fuzz(app, method, path, {}, CONFORMANCE)
    if scope is None:
        assert statuses == {200}
    else:
        assert statuses <= {401, 404, 405}  # what is no path of ours has no operation to ask a key for


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_before_there_is_a_bundle_the_only_error_is_the_declared_one(
    unstarted: Any, method: str, path: str
) -> None:
    statuses = fuzz(create_app(unstarted.service, "token"), method, path, {"Authorization": "Bearer token"},
                    CONFORMANCE[1:])  # fmt: skip
    assert {status for status in statuses if status >= 500} <= {503}
