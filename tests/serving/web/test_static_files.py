"""Files of the web pages as they are sent: cached, typed, under a strict policy, and no others."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import pytest

from feature_repo.settings import REPOSITORY_ROOT
from serving.web.static_files import FOLDER, StaticFiles, static_files


@pytest.mark.parametrize("path", ["/", "/compare"])
def test_a_page_is_asked_for_each_time_and_sent_when_it_changed(small: Any, path: str) -> None:
    answer = small.client.get(path)
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert answer.headers["Cache-Control"] == "no-cache"
    again = small.client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["/", "/compare", "/static/any/tokens.css", "/static/any/home/home.js"])
def test_everything_is_sent_under_a_policy_that_lets_in_nothing_from_elsewhere(small: Any, path: str) -> None:
    headers = small.client.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'self'", "object-src": "'none'", "base-uri": "'none'", "form-action": "'self'",
        "frame-ancestors": "'none'",
    }  # fmt: skip
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_pages_name_files_that_a_browser_may_keep_for_good(small: Any) -> None:
    digest = static_files().digest
    page = small.client.get("/").text
    assert "{{" not in page
    assert f'src="/static/{digest}/home/home.js"' in page
    script = small.client.get(f"/static/{digest}/home/home.js")
    assert script.content_type == "text/javascript; charset=utf-8"
    assert "immutable" in script.headers["Cache-Control"]
    other = small.client.get("/static/0123456789abcdef/home/home.js")
    assert (other.data, other.headers["Cache-Control"]) == (script.data, "no-cache")


@pytest.mark.parametrize(
    "path", ["/static", "/static/x/", "/static/x/nothing.js", "/static/x/../static_files.py",
             "/static/x/%2e%2e/__init__.py", "/static/x//etc/passwd", "/static/x/home"],
)  # fmt: skip
def test_what_is_no_file_of_the_pages_is_not_found(small: Any, path: str) -> None:
    assert small.client.get(path, follow_redirects=True).status_code == 404


def test_another_file_makes_another_digest(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "page.html").write_text('<link href="{{static}}/x.css">')
    before = StaticFiles.read(tmp_path)
    assert before.files["home/page.html"].body == f'<link href="/static/{before.digest}/x.css">'.encode()
    (tmp_path / "x.css").write_text("")
    after = StaticFiles.read(tmp_path)
    assert after.digest != before.digest
    assert after.files["home/page.html"].etag != before.files["home/page.html"].etag


def test_every_file_is_packaged() -> None:
    declared = configparser.ConfigParser()
    declared.read(REPOSITORY_ROOT / "setup.cfg")
    package = REPOSITORY_ROOT / "serving"
    packaged = {
        file
        for pattern in declared["options.package_data"]["serving"].split()
        for file in package.glob(pattern)
        if file.is_file()
    }
    assert packaged == {file for file in FOLDER.rglob("*") if file.is_file()}
