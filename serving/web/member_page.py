"""``/``: the homepage as members see it, and ``/compare``: two of them side by side."""

from __future__ import annotations

from flask import Blueprint, Response

from serving.web.static_files import page

blueprint = Blueprint("member_page", __name__)


@blueprint.get("/")
def home() -> Response:
    """Answer the page that shows a member's homepage."""
    return page("home/index.html")


@blueprint.get("/compare")
def compare() -> Response:
    """Answer the page that shows two homepages side by side."""
    return page("compare/index.html")
