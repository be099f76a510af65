from __future__ import annotations

import pytest

from feature_repo.online_store import connection_string


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://127.0.0.1:6379/0", "127.0.0.1:6379,db=0"),
        ("redis://cache.local", "cache.local:6379"),
        ("redis://:p%40ss@cache.local:6380/2", "cache.local:6380,db=2,password=p@ss"),
        ("rediss://ann:secret@cache.local", "cache.local:6379,username=ann,password=secret,ssl=true"),
    ],
)
def test_a_redis_url_becomes_a_connection_string(url: str, expected: str) -> None:
    assert connection_string(url) == expected


@pytest.mark.parametrize("url", ["http://cache.local", "cache.local:6379", "redis://"])
def test_another_kind_of_address_is_refused_with_the_expected_form(url: str) -> None:
    with pytest.raises(ValueError, match=r"REDIS_URL .*expected redis://"):
        connection_string(url)
