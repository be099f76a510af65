from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from serving.load import LoadGate, OverloadedError
from serving.settings import LimitSettings


def test_above_the_first_limit_pages_are_lean_above_the_second_refused() -> None:
    gate = LoadGate(LimitSettings(full_pages=2, most_pages=3))
    with ExitStack() as pages:
        assert [pages.enter_context(gate.page()) for _ in range(3)] == [False, False, True]
        with pytest.raises(OverloadedError, match="4 pages"):
            pages.enter_context(gate.page())
    with gate.page() as lean:
        assert not lean


def test_requests_that_wait_for_a_thread_count() -> None:
    gate = LoadGate(LimitSettings(full_pages=2, most_pages=3))
    gate.watch(lambda: 2)
    with gate.page() as lean:
        assert lean


def test_limits_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="most_pages = 1"):
        LimitSettings(full_pages=2, most_pages=1)


def test_a_busy_worker_makes_lean_pages_and_then_none(small: Any, page_of: Any) -> None:
    small.service.load.watch(lambda: 16)
    page = page_of("ana")
    assert page["degraded"] == ["two_tower:shed", "variety:shed"]
    assert sum(len(row["tiles"]) for row in page["rows"]) >= 40
    small.service.load.watch(lambda: 64)
    answer = small.client.get("/v1/members/ana/homepage")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    small.service.load.watch(lambda: 0)
    assert page_of("ana")["degraded"] == []
