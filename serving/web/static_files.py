"""The files of the web pages: read once when the server starts, served from memory.

No path is made of what a request brings: it is looked up among the names that were read. Pages name their
files under a digest of all of them, ``/static/<digest>/home/page.css``, so that a browser may keep them for
good and gets others the moment any of them changes.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

FOLDER: Final = Path(__file__).parent / "static"
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # a page's address names a member
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Borne by every page and file: nothing runs, is loaded or is asked that is not of this server."""
PLACE: Final = "{{static}}"
"""Stands in a page for the address of its files."""
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_ASK_EVERY_TIME: Final = "no-cache"
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}

blueprint = Blueprint("web_files", __name__)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is sent, and its ETag."""

    body: bytes
    content_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """All files by their paths in the folder, such as ``home/page.css``, and a digest of them all."""

    files: Mapping[str, StaticFile]
    digest: str

    @classmethod
    def read(cls, folder: Path) -> StaticFiles:
        """Read a folder with its folders; pages get the address of their files in the place for it."""
        bodies = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        everything = hashlib.sha256()
        for name, body in bodies.items():
            everything.update(f"{name}\0{len(body)}\0".encode() + body)
        digest = everything.hexdigest()[:16]
        address = f"/static/{digest}".encode()
        files = {
            name: _file(name, body.replace(PLACE.encode(), address) if name.endswith(".html") else body)
            for name, body in bodies.items()
        }
        return cls(files, digest)


@cache
def static_files() -> StaticFiles:
    """Return the files of this package."""
    return StaticFiles.read(FOLDER)


@blueprint.get("/static/<digest>/<path:name>")
def static_file(digest: str, name: str) -> Response:
    """Answer a file of a page; raises ``NotFound`` for one that is not there."""
    files = static_files()
    # While servers are replaced, a page of one may ask another for its files.
    kept = _FOR_GOOD if digest == files.digest else _ASK_EVERY_TIME
    return _answer(files, name, kept)


def page(name: str) -> Response:
    """Answer a page, ``name`` being that of its file; the browser asks each time whether it has changed."""
    return _answer(static_files(), name, _ASK_EVERY_TIME)


def _answer(files: StaticFiles, name: str, kept: str) -> Response:
    found = files.files.get(name)
    if found is None:
        raise NotFound("no such file; GET / for the page")
    response = Response(found.body, content_type=found.content_type)
    response.set_etag(found.etag)
    response.headers["Cache-Control"] = kept
    response.headers.update(HEADERS)
    response.make_conditional(request)
    return response


def _file(name: str, body: bytes) -> StaticFile:
    suffix = Path(name).suffix
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind == "image/svg+xml"
    content_type = f"{kind}; charset=utf-8" if text else kind
    return StaticFile(body, content_type, hashlib.sha256(body).hexdigest()[:32])
