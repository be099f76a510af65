from __future__ import annotations

import pytest

from feature_repo.online_store import connection_string
from feature_repo.store import FeatureGateway


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
    address, *options = connection_string(url).split(",")
    without_timeouts = [option for option in options if not option.startswith("socket_")]
    assert ",".join([address, *without_timeouts]) == expected


@pytest.mark.parametrize("url", ["http://cache.local", "cache.local:6379", "redis://"])
def test_another_kind_of_address_is_refused_with_the_expected_form(url: str) -> None:
    with pytest.raises(ValueError, match=r"REDIS_URL .*expected redis://"):
        connection_string(url)


def test_a_dead_redis_is_given_up_after_one_retry(gateway: FeatureGateway, redis_url: str) -> None:
    gateway.healthy()
    store = gateway._store._get_provider().online_store
    client = store._get_client(gateway._store.config.online_store)
    assert client.get_retry().get_retries() == 1
    assert client.connection_pool.connection_kwargs["socket_timeout"] == 2.0
