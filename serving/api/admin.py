"""Calls that only operators may make, with ``Authorization: Bearer``."""

from __future__ import annotations

import hmac
from typing import Final

from flask import current_app, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

ADMIN_TOKEN: Final = "MARQUEE_ADMIN_TOKEN"
"""The environment variable, and the application's setting, that hold the token."""


def require_admin() -> None:
    """Let only requests pass that bear the token.

    Raises ``Forbidden`` where the server has no token, and ``Unauthorized`` for none or another one.
    """
    expected = current_app.config.get(ADMIN_TOKEN) or ""
    if not expected:
        raise Forbidden(f"this server has no admin token; start it with {ADMIN_TOKEN} set")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), expected.encode()):
        raise Unauthorized(
            "send the admin token: Authorization: Bearer <token>", www_authenticate=WWWAuthenticate("bearer")
        )
