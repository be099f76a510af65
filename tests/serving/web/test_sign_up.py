"""Signing up in a browser, and what a newcomer is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.serving.web.live_server import LiveService
from tests.serving.web.member_page import within_policy


@pytest.fixture
def page(web_page: Page) -> Iterator[Page]:
    with within_policy(web_page) as page:
        yield page


def test_a_new_member_picks_titles_and_gets_a_page_of_their_own(page: Page, live: LiveService) -> None:
    page.goto(live.address)
    page.get_by_role("button", name="New member").click()
    dialog = page.get_by_role("dialog", name="New member")
    dialog.get_by_label("Member id").fill("zoe")
    dialog.get_by_label("Country").select_option("South Korea")
    dialog.get_by_label("Language").select_option("Korean")
    offered = live.get("/v1/picks?country=KR&language=ko&limit=30")["titles"]
    picks = dialog.locator(".pick")
    expect(picks.first).to_have_attribute("aria-label", re.compile(re.escape(offered[0]["name"])))
    for place in (0, 1, 2, 3):
        picks.nth(place).click()
    picks.nth(3).click()  # and back
    expect(dialog.get_by_role("status")).to_have_text("3 picked: good")
    dialog.get_by_role("button", name="Create member").click()
    expect(page.get_by_role("heading", name="Top Picks for You")).to_be_visible()  # not what is popular
    expect(page).to_have_url(re.compile("member=zoe&"))
    assert live.bound("zoe", "top_picks")
    page.goto(f"{live.address}/?member=a-stranger")
    expect(page.get_by_role("heading", name="Popular Now")).to_be_visible()


def test_an_id_that_is_taken_is_refused_in_words(page: Page, live: LiveService) -> None:
    taken = live.get("/v1/members?limit=1")["members"][0]["user_id"]
    page.goto(live.address)
    page.get_by_role("button", name="New member").click()
    dialog = page.get_by_role("dialog", name="New member")
    dialog.get_by_label("Member id").fill(taken)
    dialog.get_by_label("Country").select_option("Nigeria")
    dialog.get_by_role("button", name="Create member").click()
    expect(dialog.get_by_role("alert")).to_contain_text("is a member already")
