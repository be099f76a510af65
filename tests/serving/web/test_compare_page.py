"""Two pages of a member side by side, in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from experiments.definitions import ExperimentDefinition, Status
from tests.serving.web.accessibility import grave_violations
from tests.serving.web.live_server import TOKEN, LiveService


@pytest.fixture
def page(web_page: Page, live: LiveService) -> Page:
    """A page that holds the operator's key."""
    expect.set_options(timeout=60_000)
    web_page.goto(live.address)
    web_page.evaluate("key => sessionStorage.setItem('marquee-key', key)", TOKEN)
    return web_page


@pytest.fixture(scope="module")
def experiment(live: LiveService) -> Iterator[str]:
    """A running experiment whose treatment shortens Trending Now to four tiles."""
    arms = [
        {"name": "control", "share": 999},
        {"name": "short", "share": 1, "treatment": {"page": {"trending_now": 4}}},
    ]
    definition = ExperimentDefinition.model_validate(
        {"name": "short-rows", "layer": "post_filter", "arms": arms, "traffic": 1000}
    )
    store, now = live.service.experiment_desk.store, live.service.now()
    store.create(definition, now)
    store.change_status("short-rows", Status.RUNNING, now)
    assert live.service.watch is not None
    live.service.watch.look()
    yield "post_filter:short-rows/short"
    store.change_status("short-rows", Status.PAUSED, now)
    live.service.watch.look()


def member_of(live: LiveService) -> str:
    """Return somebody who has watched enough for a page of their own."""
    known = live.get("/v1/members?limit=50")["members"]
    return str([one["user_id"] for one in known if one["watch_count"] >= 5][-1])


def test_a_challenger_is_beside_the_members_own_page_with_what_they_share(
    page: Page, live: LiveService
) -> None:
    member = member_of(live)
    page.goto(f"{live.address}/compare?member={member}&device=tv")
    left, right = (page.get_by_role("region", name=f"{side} page") for side in ("Left", "Right"))
    expect(right).to_contain_text(f"Bundle {live.challenger}")
    expect(left).to_contain_text(f"Bundle {live.service.state.models.version}")
    expect(page.locator(".sum").first).to_contain_text(re.compile(r"Overlap@10\s*\d+ %"))
    alone = page.locator("summary", has_text="Only left")
    count = int(alone.inner_text().split(": ")[1])
    assert count > 0
    expect(left.locator(".mini-alone")).to_have_count(count)
    alone.click()
    expect(page.locator("details[open] p")).not_to_be_empty()


def test_a_title_on_both_pages_lights_up_on_both(page: Page, live: LiveService) -> None:
    page.goto(f"{live.address}/compare?member={member_of(live)}&device=tv")
    tile = page.locator(".side-left .mini-both").first
    title = tile.get_attribute("data-title-id")
    tile.focus()
    expect(page.locator(".mini.linked")).to_have_count(2)
    expect(page.locator(f'.side-right .mini.linked[data-title-id="{title}"]')).to_have_count(1)


def test_arms_can_be_chosen_and_stand_in_the_address(page: Page, live: LiveService, experiment: str) -> None:
    member = member_of(live)
    page.goto(f"{live.address}/compare?member={member}&device=tv")
    page.get_by_label("Right: made by").select_option("short-rows: short")
    expect(page).to_have_url(re.compile(r"right=arm%3Apost_filter%3Ashort-rows%2Fshort"))
    right = page.get_by_role("region", name="Right page")
    expect(right).to_contain_text("short-rows/short")
    trending = right.get_by_role("region", name="Trending Now")
    expect(trending.locator(".mini")).to_have_count(4)
    page.reload()
    expect(trending.locator(".mini")).to_have_count(4)
    page.get_by_label("Left: made by").select_option(f"bundle:{live.service.state.models.version}")
    expect(page).to_have_url(re.compile("left=bundle%3A"))
    page.go_back()
    expect(page.get_by_label("Left: made by")).to_have_value("own")


def test_one_instant_makes_both_pages_so_that_a_bundle_beside_itself_is_the_same(
    page: Page, live: LiveService
) -> None:
    bundle = live.service.state.models.version
    page.goto(
        f"{live.address}/compare?member={member_of(live)}&device=tv&hour=20&left=bundle:{bundle}&right=bundle:champion"
    )
    expect(page.locator(".sum").first).to_contain_text("100 %")
    expect(page.locator("summary").first).to_have_text("Only left: 0")
    expect(page.locator("summary").last).to_have_text("Only right: 0")


def test_a_side_that_cannot_be_made_says_why_and_the_other_stands(page: Page, live: LiveService) -> None:
    page.goto(
        f"{live.address}/compare?member={member_of(live)}&device=tv&right=bundle:20200101T000000Z-00000000"
    )
    expect(page.get_by_role("region", name="Right page").get_by_role("alert")).to_contain_text(
        "does not hold it"
    )
    expect(page.locator(".side-left .mini").first).to_be_visible()


def test_without_the_operators_key_it_is_asked_for(page: Page, live: LiveService) -> None:
    page.evaluate("sessionStorage.clear()")
    page.goto(f"{live.address}/compare?member={member_of(live)}")
    page.get_by_role("alert").get_by_role("button", name="Enter a key").click()
    page.get_by_label("API key or operator's token").fill(TOKEN)
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator(".side-right .mini").first).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_comparing_shuts_nobody_out(page: Page, live: LiveService, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{live.address}/compare?member={member_of(live)}&device=tv")
    expect(page.locator(".side-right .mini").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert grave_violations(page) == []
