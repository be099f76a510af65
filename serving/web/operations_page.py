"""``/operations``: on which operators see how the service does, and change which bundle serves.

The page asks the HTTP API with the operator's key; it holds nothing secret itself, and is open to everybody.
"""

from __future__ import annotations

from flask import Blueprint, Response

from serving.web.static_files import page

blueprint = Blueprint("operations_page", __name__)


@blueprint.get("/operations")
def operations() -> Response:
    """Answer the operators' page."""
    return page("operations/index.html")
