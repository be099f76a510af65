"""Who may call what, how often, and under which name it is counted and logged."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from time import monotonic
from typing import Final, get_args

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from serving.api.operations import OPERATIONS, Operation
from serving.api.problems import problem
from serving.api_keys import ANONYMOUS, OPERATOR, ApiClient, KeyRing, Scope, bearer_key
from serving.metrics import Metrics
from serving.rate_limits import RateLimits

ADMIN_TOKEN: Final = "MARQUEE_ADMIN_TOKEN"
"""The environment variable that holds the operators' token."""
ACCESS: Final = "access"
_ALL_SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
_OPEN_SCOPES: Final = tuple(scope for scope in _ALL_SCOPES if scope != "admin")
"""What everybody may do on a server without a key file."""
_OPERATION_OF: Final = {(o.rule, o.method.upper()): o for o in OPERATIONS}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: name, scopes, and requests a second over all workers (None: any number)."""

    name: str
    scopes: tuple[Scope, ...]
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What a server lets in.

    ``keys``: the clients; None leaves everything but admin calls open. ``admin_token`` bears all scopes;
    empty: there is none. ``unknown_rate``: requests a second of an address whose client is unknown; None:
    any number. Of every rate a worker allows its share, one of ``workers``.
    """

    admin_token: str = ""
    keys: KeyRing | None = None
    unknown_rate: float | None = None
    workers: int = 1
    limits: RateLimits = field(default_factory=lambda: RateLimits(monotonic))

    def caller(self, authorization: str) -> Caller:
        """Return whose ``Authorization`` header it is; without a known key somebody anonymous."""
        key = bearer_key(authorization)
        client = None if key is None or self.keys is None else self.keys.clients.bearer_of(key)
        if key is not None and self.admin_token and _same(key, self.admin_token):
            return Caller(OPERATOR, _ALL_SCOPES)
        if client is not None:
            return _of(client)
        return Caller(ANONYMOUS, () if self.keys is not None else _OPEN_SCOPES, self.unknown_rate)

    def require(self, caller: Caller, scope: Scope) -> None:
        """Raise ``Unauthorized`` or ``Forbidden`` unless the caller has the scope."""
        if scope in caller.scopes:
            return
        if caller.name != ANONYMOUS:
            raise Forbidden(f"this key has not the scope {scope!r}; ask for one that has")
        if self.keys is None and not self.admin_token:
            raise Forbidden(f"this server has no admin token; start it with {ADMIN_TOKEN} set")
        what = "the admin token" if self.keys is None else f"a key with the scope {scope!r}"
        raise Unauthorized(
            f"send {what}: Authorization: Bearer <key>", www_authenticate=WWWAuthenticate("bearer")
        )

    def wait(self, caller: Caller, address: str) -> float:
        """Return 0 where the caller may call now, else in how many seconds."""
        if caller.rate is None:
            return 0.0
        name = f"address {address}" if caller.name == ANONYMOUS else f"client {caller.name}"
        return self.limits.take(name, caller.rate / self.workers)


def register_access(app: Flask, access: Access, metrics: Metrics) -> None:
    """Check every request before anything else looks at it."""
    app.extensions[ACCESS] = access

    def check() -> Response | None:
        structlog.contextvars.clear_contextvars()  # what this thread served before
        caller = g.caller = access.caller(request.headers.get("Authorization", ""))
        structlog.contextvars.bind_contextvars(client=caller.name)
        operation = _operation()
        if operation is None or operation.scope is None:
            return None
        if seconds := access.wait(caller, request.remote_addr or ""):
            return _too_many(seconds)
        access.require(caller, operation.scope)
        return None

    def count(response: Response) -> Response:
        metrics.client_served(g.caller.name if "caller" in g else ANONYMOUS, response.status_code)
        return response

    app.before_request(check)
    app.after_request(count)


def require_scope(scope: Scope) -> None:
    """Let only callers go on that have the scope, beyond what the operation asks of all.

    Raises ``Unauthorized`` or ``Forbidden``.
    """
    access: Access = current_app.extensions[ACCESS]
    access.require(g.caller, scope)


def _operation() -> Operation | None:
    """Return the operation that the request is for; None for none, and for OPTIONS."""
    if request.url_rule is None:
        return None
    method = "GET" if request.method == "HEAD" else request.method
    return _OPERATION_OF.get((request.url_rule.rule, method))


def _too_many(seconds: float) -> Response:
    answer = problem(HTTPStatus.TOO_MANY_REQUESTS, f"too many requests: send it again in {ceil(seconds)} s")
    answer.headers["Retry-After"] = str(ceil(seconds))
    return answer


def _of(client: ApiClient) -> Caller:
    return Caller(client.name, client.scopes, client.rate)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(*(text.encode(errors="surrogateescape") for text in (one, other)))
