from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
import redis

from feature_repo.settings import Settings
from feature_repo.stream.title_codes import TitleCodes


@pytest.fixture
def client(settings: Settings) -> Any:
    assert settings.redis_url is not None
    return redis.Redis.from_url(settings.redis_url)


def test_a_title_keeps_its_number_in_every_processor(client: Any) -> None:
    first, second = TitleCodes(client), TitleCodes(client)
    assert first.of(pa.array(["a", "b", "a"])).tolist() == [0, 1, 0]
    assert second.of(pa.array(["c", "b"])).tolist() == [2, 1]
    assert second.vocabulary.to_pylist() == ["a", "b", "c"]
    assert first.of(pa.array(["d", "c"])).tolist() == [3, 2]
    assert first.vocabulary.to_pylist() == ["a", "b", "c", "d"]
    assert TitleCodes(client).vocabulary.to_pylist() == ["a", "b", "c", "d"]


def test_no_titles_have_no_numbers(client: Any) -> None:
    codes = TitleCodes(client)
    assert codes.of(pa.array([], pa.string())).tolist() == []
    assert len(codes.vocabulary) == 0
