from __future__ import annotations

import pytest

from feature_repo.store_profile import load_profile

pytest.importorskip("cassandra", reason='needs pip install "marquee[cassandra]"')


def test_feast_takes_the_profile_for_cassandra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARQUEE_CASSANDRA", "10.0.0.1")
    online = load_profile("cassandra").online_store
    assert (online.type, online.hosts, online.keyspace) == ("cassandra", ["10.0.0.1"], "marquee")
