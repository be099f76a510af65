from __future__ import annotations

from datetime import UTC, datetime

from serving.api.operations import OPERATIONS
from tests.docs.api_reference import EXAMPLES, PAGE, written


def test_the_page_is_what_the_servers_description_says() -> None:
    assert PAGE.read_text("utf-8") == written(), "write it anew: python -m tests.docs.api_reference"


def test_every_body_has_an_example_that_a_server_would_take() -> None:
    bodies = {operation.body.__name__: operation.body for operation in OPERATIONS if operation.body}
    assert set(bodies) == set(EXAMPLES)
    now = datetime(2026, 3, 1, 21, tzinfo=UTC)
    for name, example in EXAMPLES.items():
        bodies[name].model_validate(example, context=now)


def test_every_call_stands_in_the_page() -> None:
    page = PAGE.read_text("utf-8")
    assert all(f"### {o.method.upper()} {o.path}\n" in page for o in OPERATIONS)
