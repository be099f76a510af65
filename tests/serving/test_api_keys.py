from __future__ import annotations

import hashlib
import hmac
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from serving.api_keys import ApiClients, KeyRing, KeysError, add_client, bearer_key, revoke_client
from serving.cli import serving


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_the_file_keeps_the_hash_of_a_key_and_only_its_owner_may_read_it(file: Path) -> None:
    key = add_client(file, "tv", ("homepage",), 50)
    assert len(key) == 43
    [client] = json.loads(file.read_text())["clients"]
    hashed = hashlib.sha256(key.encode()).hexdigest()
    assert client == {"name": "tv", "sha256": hashed, "scopes": ["homepage"], "rate": 50.0}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key not in file.read_text()


def test_no_two_keys_are_alike_and_each_opens_its_own(file: Path) -> None:
    keys = {name: add_client(file, name, ("events",)) for name in ("a", "b", "c")}
    clients = ApiClients.load(file)
    found = {name: clients.bearer_of(key) for name, key in keys.items()}
    assert {name: client.name for name, client in found.items() if client} == {n: n for n in keys}
    assert clients.bearer_of(keys["a"][:-1]) is None
    assert clients.bearer_of("") is None


def test_every_hash_is_compared_whichever_key_comes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [add_client(file, name, ("events",)) for name in ("a", "b", "c")]
    clients, compared = ApiClients.load(file), []
    plain = hmac.compare_digest

    def counting(one: str, other: str) -> bool:
        compared.append(one)
        return plain(one, other)

    monkeypatch.setattr("serving.api_keys.hmac.compare_digest", counting)
    for key in (*keys, "none"):
        compared.clear()
        clients.bearer_of(key)
        assert compared == [client.sha256 for client in clients.clients]


def test_a_ring_follows_its_file_and_keeps_what_it_knew_where_the_file_is_damaged(file: Path) -> None:
    add_client(file, "a", ("events",))
    ring = KeyRing(file)
    add_client(file, "b", ("homepage",))
    assert [client.name for client in ring.clients.clients] == ["a", "b"]
    revoke_client(file, "a")
    assert [client.name for client in ring.clients.clients] == ["b"]
    file.write_text("{")
    assert [client.name for client in ring.clients.clients] == ["b"]
    file.unlink()
    assert [client.name for client in ring.clients.clients] == ["b"]
    add_client(file, "c", ("admin",))
    assert [client.name for client in ring.clients.clients] == ["c"]


def one_client(**changes: Any) -> str:
    return json.dumps({"clients": [{"name": "a", "sha256": "0" * 64, "scopes": ["events"]} | changes]})


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "the file"),
        (one_client(sha256="00"), "clients.0.sha256"),
        (one_client(name="A b"), "clients.0.name"),
        (one_client(scopes=[]), "clients.0.scopes"),
        (one_client(name="anonymous"), "anonymous"),
        (one_client(rate=0), "rate"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_by_name_and_place(file: Path, content: str, named: str) -> None:
    file.write_text(content)
    with pytest.raises(KeysError, match=r"keys\.json") as refused:
        KeyRing(file)
    assert named in str(refused.value)
    assert "0" * 64 not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(file: Path) -> None:
    with pytest.raises(KeysError, match="cannot be read"):
        KeyRing(file)


@pytest.mark.parametrize(
    ("header", "key"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", None), ("Bearer", None),
     ("Bearer a b", None), ("", None)],
)  # fmt: skip
def test_a_bearer_is_read_from_its_header(header: str, key: str | None) -> None:
    assert bearer_key(header) == key


def called(file: Path, *arguments: str) -> Any:
    return CliRunner().invoke(serving, ["keys", *arguments], env={"MARQUEE_API_KEYS": str(file)})


def test_keys_are_added_listed_and_revoked_from_the_command_line(file: Path) -> None:
    added = called(file, "add", "tv", "--scope", "homepage", "--scope", "events", "--rate", "50")
    assert added.exit_code == 0
    client = ApiClients.load(file).bearer_of(added.stdout.strip())
    assert client is not None
    assert (client.name, client.scopes, client.rate) == ("tv", ("homepage", "events"), 50.0)
    assert called(file, "list").stdout.split() == ["tv", "homepage,", "events", "50", "a", "second"]
    (listed,) = json.loads(called(file, "list", "--json").stdout)
    assert (listed["name"], listed["rate"], "sha256" in listed) == ("tv", 50, False)
    assert called(file, "add", "tv", "--scope", "admin").exit_code == 1
    assert called(file, "revoke", "tv").exit_code == 0
    assert called(file, "list").stdout == ""
    assert "'tv'" in called(file, "revoke", "tv").output
    assert "name" in called(file, "add", "No Name", "--scope", "admin").output
    assert "rate" in called(file, "add", "fast", "--scope", "admin", "--rate", "-1").output
