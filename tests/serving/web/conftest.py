"""A real browser, and pages in it that may ask this machine only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from tests.conftest import TrainedService
from tests.serving.web.live_server import LiveService, live_service

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""Tests may run as root and without a network; the browser's own errands would only fail."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window; ``MARQUEE_CHROMIUM`` names its program where it is not on the path."""
    program = os.environ.get("MARQUEE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None and not os.environ.get("CI"):
        pytest.skip("no Chromium: install Debian's package chromium, or set MARQUEE_CHROMIUM to the program")
    assert program is not None, "CI needs Chromium"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture
def web_page(browser: Browser) -> Iterator[Page]:
    """An empty page of a laptop's size; what goes wrong in it or leaves this machine fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"script error: {error}"))
    page.on("request", lambda request: _refuse_outside(request, wrong))
    page.set_default_timeout(60_000)
    yield page
    context.close()
    assert wrong == []


def _refuse_outside(request: Request, wrong: list[str]) -> None:
    if not request.url.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:", "about:")):
        wrong.append(f"asked an outside host: {request.url}")


@pytest.fixture(scope="session")
def live(trained_service: TrainedService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """The whole service with its stream, served on this machine."""
    with live_service(trained_service, tmp_path_factory.mktemp("web") / "home") as running:
        yield running
