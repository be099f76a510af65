"""API keys: who may call what. A file of clients, with the hash of each key and never the key.

Keys are 256 random bits that :func:`new_key` draws. Nobody can try them out, so that one pass of SHA-256 is
enough; the slow hashes and salts that passwords need would only cost every request time.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Annotated, Final, Literal, Self

import structlog
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from feature_repo.replacing import replace_file, writing

KEYS_VARIABLE: Final = "MARQUEE_API_KEYS"
"""The environment variable that names the file."""
ANONYMOUS: Final = "anonymous"
OPERATOR: Final = "admin-token"
"""What a bearer of ``MARQUEE_ADMIN_TOKEN`` is called."""
_KEY_BYTES: Final = 32

Scope = Literal["homepage", "events", "members", "admin"]
Fingerprint = tuple[int, int, int]

_log = structlog.get_logger(__name__)


class KeysError(ValueError):
    """A key file that cannot be used, or a change of it that makes no sense; says what to do."""


class ApiClient(BaseModel):
    """A client: what it is called, the SHA-256 of its key, what it may do, and how often a second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    rate: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _own_name(self) -> Self:
        if self.name in (ANONYMOUS, OPERATOR):
            raise ValueError(f"name = {self.name!r}: means another client; choose another name")
        return self


class ApiClients(BaseModel):
    """All clients. Each name and each key stands for one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clients: tuple[ApiClient, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for values in ([c.name for c in self.clients], [c.sha256 for c in self.clients]):
            if twice := [value for place, value in enumerate(values) if value in values[:place]]:
                raise ValueError(f"{twice[0]!r} stands there twice; remove one of the clients")
        return self

    @classmethod
    def load(cls, path: Path) -> ApiClients:
        """Read a key file; raises :class:`KeysError` naming the file and what is wrong with it."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise KeysError(f"{KEYS_VARIABLE}: {path} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            # Not pydantic's own text: it quotes what the file holds.
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise KeysError(f"{KEYS_VARIABLE}: {path}: {place}: {first['msg']}") from None

    def bearer_of(self, key: str) -> ApiClient | None:
        """Return whose key it is. Takes as long for any key: every hash is compared, to its end."""
        given, found = key_hash(key), None
        for client in self.clients:
            if hmac.compare_digest(client.sha256, given):
                found = client
        return found


class KeyRing:
    """The clients of a key file, read again when the file changes.

    A file that is gone or damaged changes nothing: what was known before holds on, and the log says why.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reading = Lock()
        self._seen = self._fingerprint()
        self._clients = ApiClients.load(path)

    @property
    def clients(self) -> ApiClients:
        """The clients as of now."""
        if self._fingerprint() != self._seen:
            with self._reading:
                self._read_again()
        return self._clients

    def _read_again(self) -> None:
        seen = self._fingerprint()
        if seen == self._seen:  # another thread was quicker
            return
        self._seen = seen
        try:
            self._clients = ApiClients.load(self._path)
        except KeysError as error:
            _log.error("the key file was not taken over; the keys before it hold on", reason=str(error))
        else:
            _log.info("the key file was read again", clients=len(self._clients.clients))

    def _fingerprint(self) -> Fingerprint | None:
        with suppress(OSError):
            found = self._path.stat()
            return found.st_ino, found.st_mtime_ns, found.st_size
        return None


def new_key() -> str:
    """Return a key of 256 random bits, as 43 letters that can stand in a header."""
    return secrets.token_urlsafe(_KEY_BYTES)


def key_hash(key: str) -> str:
    """Return what is kept of a key: SHA-256 of its UTF-8 bytes, in hexadecimal."""
    return sha256(key.encode(errors="surrogateescape")).hexdigest()


def add_client(path: Path, name: str, scopes: tuple[Scope, ...], rate: float | None = None) -> str:
    """Add a client to a key file, which may be new, and return its key: it is kept nowhere.

    Raises :class:`KeysError` for a name that is there already or is none.
    """
    key = new_key()
    try:
        client = ApiClient(name=name, sha256=key_hash(key), scopes=scopes, rate=rate)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise KeysError(f"{'.'.join(map(str, first['loc'])) or 'client'}: {first['msg']}") from None

    def added(known: tuple[ApiClient, ...]) -> tuple[ApiClient, ...]:
        if name in [one.name for one in known]:
            raise KeysError(f"name = {name!r}: is a client already; revoke it first, or choose another name")
        return (*known, client)

    _change(path, added)
    return key


def revoke_client(path: Path, name: str) -> None:
    """Remove a client; its key opens nothing from the next request on. Raises :class:`KeysError`."""

    def removed(known: tuple[ApiClient, ...]) -> tuple[ApiClient, ...]:
        if name not in [one.name for one in known]:
            raise KeysError(f"name = {name!r}: is no client; `python -m serving keys list` shows all")
        return tuple(one for one in known if one.name != name)

    _change(path, removed)


def _change(path: Path, changed: Callable[[tuple[ApiClient, ...]], tuple[ApiClient, ...]]) -> None:
    """Replace the file by one rename, readable by its owner alone; one change at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path.with_name(f".{path.name}.lock")):
        known = ApiClients.load(path).clients if path.exists() else ()
        content = ApiClients(clients=changed(known)).model_dump_json(indent=2)
        replace_file(path, content.encode() + b"\n", mode=0o600)


def bearer_key(authorization: str) -> str | None:
    """Return the key of an ``Authorization`` header; None where it bears none."""
    match = re.fullmatch(r"(?i:bearer) +(\S+) *", authorization)
    return None if match is None else match.group(1)
