"""The homepage in a browser: opening a member's page, finding tiles, watching."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from tests.serving.web.live_server import LiveService

MINUTE = 60_000


@contextmanager
def within_policy(web_page: Page) -> Iterator[Page]:
    """Yield the page, in which nothing may break the server's own content policy."""
    refused: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            refused.append(message.text)

    web_page.on("console", note)
    expect.set_options(timeout=MINUTE)
    yield web_page
    assert refused == []


def show(page: Page, live: LiveService, member: str, **query: str) -> None:
    """Open a member's page and wait until its rows are there."""
    more = "".join(f"&{name}={value}" for name, value in ({"device": "web"} | query).items())
    page.goto(f"{live.address}/?member={member}{more}")
    expect(page.locator(".tile").first).to_be_visible()


def tile_of(page: Page, title_id: str) -> Locator:
    return page.locator(f'.tile[data-title-id="{title_id}"]')


def ids_in(page: Page, row_type: str) -> list[str]:
    found: list[str] = page.locator(f'.row[data-row-type="{row_type}"] .tile').evaluate_all(
        "tiles => tiles.map(tile => tile.dataset.titleId)"
    )
    return found


def watch(page: Page, title_id: str, percent: int) -> None:
    """Watch a title of the page to a fraction, and wait for what follows."""
    tile_of(page, title_id).locator(".tile-button").press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Watch to").fill(str(percent))
    dialog.get_by_role("button", name="Watch", exact=True).click()
    expect(page.get_by_role("complementary", name="What changed")).to_be_visible()
