"""The homepage as members see it, driven in a browser against the whole service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from serving.api.access import Access
from serving.api_keys import KeyRing, add_client
from serving.app import create_app
from tests.serving.web.accessibility import grave_violations
from tests.serving.web.live_server import TOKEN, LiveService, served
from tests.serving.web.member_page import ids_in, show, tile_of, watch, within_policy

COUNT_GLIDES = """
    window.glides = 0;
    const animate = Element.prototype.animate;
    Element.prototype.animate = function (...given) {
        window.glides++;
        return animate.apply(this, given);
    };
"""


@pytest.fixture
def page(web_page: Page) -> Iterator[Page]:
    with within_policy(web_page) as page:
        yield page


@pytest.fixture(scope="module")
def members(live: LiveService) -> Iterator[str]:
    """Members that are not looked at yet; each test takes its own, since a watch stays."""
    known = live.get("/v1/members?limit=50")["members"]
    return iter([one["user_id"] for one in known if one["watch_count"] >= 5])


def test_a_first_visit_offers_members_and_shows_the_page_of_the_one_chosen(
    page: Page, live: LiveService
) -> None:
    page.goto(live.address)
    first = live.get("/v1/members?limit=11")["members"][0]
    page.get_by_role("button", name=first["user_id"]).click()
    expect(page).to_have_url(re.compile(rf"\?member={first['user_id']}&device="))
    rows = live.page(first["user_id"], device="web")["rows"]
    expect(page.locator(".row h2")).to_have_text([row["title"] for row in rows])
    expect(page.locator(".row").first.locator(".tile")).to_have_count(len(rows[0]["tiles"]))
    expect(page.locator(".hero-title")).to_have_text(rows[0]["tiles"][0]["name"])
    expect(page.locator(".hero-synopsis")).not_to_be_empty()
    expect(page.locator("#made")).to_contain_text(live.service.state.models.version)


def test_another_member_is_shown_by_id_and_back_brings_the_first_one_back(
    page: Page, live: LiveService, members: Iterator[str]
) -> None:
    one, other = next(members), next(members)
    show(page, live, one)
    page.get_by_role("button", name=f"Member {one}").click()
    page.get_by_label("Somebody else, by member id").fill(other)
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_title(f"{other} · Marquee")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.go_back()
    expect(page).to_have_title(f"{one} · Marquee")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Homepage of {one}")


def test_device_and_hour_make_another_page_and_stand_in_its_address(
    page: Page, live: LiveService, members: Iterator[str]
) -> None:
    member = next(members)
    show(page, live, member)
    page.get_by_label("Device").select_option("TV")
    expect(page).to_have_url(f"{live.address}/?member={member}&device=tv")
    page.get_by_label("Hour").select_option("03:00 UTC")
    expect(page).to_have_url(f"{live.address}/?member={member}&device=tv&hour=3")
    expect(page.locator("#made")).to_contain_text("03:00 UTC")
    page.reload()
    expect(page.get_by_label("Device")).to_have_value("tv")
    expect(page.get_by_label("Hour")).to_have_value("3")
    expect(page.locator("#made")).to_contain_text("03:00 UTC")
    at = page.locator("#made").inner_text()
    page.go_back()
    expect(page.get_by_label("Hour")).to_have_value("")
    expect(page.locator("#made")).not_to_contain_text(at)


def test_watching_moves_a_title_to_continue_watching_and_says_what_moved(
    page: Page, live: LiveService, members: Iterator[str]
) -> None:
    member = next(members)
    title, name = live.bound(member, "top_picks", device="web")[1]
    show(page, live, member)
    watch(page, title, 40)
    changed = page.get_by_role("complementary", name="What changed")
    expect(changed).to_contain_text(re.compile(r"Page made in .+ after your watch"))
    expect(changed).to_contain_text(f"{name} came from Top Picks for You to Continue Watching, at place 1")
    expect(page.locator("#told")).to_contain_text(re.compile(r"after your watch\..+ \w+"))
    assert ids_in(page, "continue_watching")[0] == title
    assert title not in ids_in(page, "top_picks")
    tile = tile_of(page, title)
    expect(tile).to_contain_text("40 % watched")
    expect(tile.get_by_role("button")).to_have_accessible_name(re.compile("Came here.+40 % watched"))
    expect(tile.get_by_role("button")).to_be_focused()
    (first, *_) = live.page(member)["rows"][0]["tiles"]
    assert (first["title_id"], first["watch_fraction"]) == (title, pytest.approx(0.4))
    page.get_by_role("button", name="Close what changed").click()
    expect(changed).to_be_hidden()


def test_a_title_watched_on_tells_its_progress_and_leaves_when_it_is_finished(
    page: Page, live: LiveService, members: Iterator[str]
) -> None:
    member = next(members)
    title, name = live.bound(member, "top_picks", device="web")[0]
    show(page, live, member)
    watch(page, title, 30)
    watch(page, title, 55)
    changed = page.get_by_role("complementary", name="What changed")
    expect(changed).to_contain_text(f"{name} is now watched to 55 %")
    watch(page, title, 100)
    expect(changed).to_contain_text(re.compile(f"{re.escape(name)} left|Continue Watching is gone"))
    expect(tile_of(page, title)).to_have_count(0)


def test_a_thumb_down_takes_a_title_off_the_page(
    page: Page, live: LiveService, members: Iterator[str]
) -> None:
    member = next(members)
    title, name = live.bound(member, "top_picks", device="web")[2]
    show(page, live, member)
    tile_of(page, title).locator(".tile-button").click()
    page.get_by_role("dialog").get_by_role("button", name="Thumbs down").click()
    changed = page.get_by_role("complementary", name="What changed")
    expect(changed).to_contain_text(re.compile("after your thumb"))
    expect(changed).to_contain_text(f"{name} left Top Picks for You")
    expect(tile_of(page, title)).to_have_count(0)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_tiles_glide_to_their_places_for_who_does_not_ask_for_less_motion(
    page: Page, live: LiveService, members: Iterator[str], motion: Any
) -> None:
    page.add_init_script(COUNT_GLIDES)
    page.emulate_media(reduced_motion=motion)
    member = next(members)
    show(page, live, member)
    watch(page, live.bound(member, "top_picks", device="web")[0][0], 30)
    assert (page.evaluate("window.glides") > 0) == (motion == "no-preference")


def test_a_thumb_up_is_noted_whether_or_not_the_page_changes(
    page: Page, live: LiveService, members: Iterator[str]
) -> None:
    member = next(members)
    show(page, live, member)
    tile_of(page, live.bound(member, "top_picks", device="web")[0][0]).locator(".tile-button").click()
    page.get_by_role("dialog").get_by_role("button", name="Thumbs up").click()
    changed = page.get_by_role("complementary", name="What changed")
    expect(changed).to_contain_text(re.compile("after your thumb|Your thumb is noted"))


def test_a_title_says_why_it_is_there_and_an_operator_sees_the_numbers(
    page: Page, live: LiveService, members: Iterator[str]
) -> None:
    member = next(members)
    show(page, live, member)
    title, name = live.bound(member, "top_picks", device="web")[0]
    expect(tile_of(page, title).locator(".reason")).not_to_be_empty()
    tile_of(page, title).locator(".tile-button").click()
    dialog = page.get_by_role("dialog", name=name)
    expect(dialog.locator(".synopsis")).not_to_have_text("…")
    why = dialog.get_by_role("region", name="Why this title")
    expect(why).to_contain_text("place 1 of the row Top Picks for You")
    expect(why.get_by_role("list", name="Found by").get_by_role("listitem").first).to_be_visible()
    expect(why.get_by_role("table")).to_have_count(0)
    why.get_by_role("button", name="Enter a key").click()
    enter_key(page, TOKEN)
    table = page.get_by_role("table", name="Who proposed it")
    expect(table.get_by_role("row").nth(1)).to_be_visible()
    expect(page.get_by_role("region", name="Why this title")).to_contain_text(
        re.compile(r"place \d+ of \d+ candidates")
    )


def test_a_similar_title_opens_and_says_why_it_is_not_on_the_page(
    page: Page, live: LiveService, members: Iterator[str]
) -> None:
    member = next(members)
    page.goto(live.address)
    page.evaluate("key => sessionStorage.setItem('marquee-key', key)", TOKEN)
    show(page, live, member)
    rows = live.page(member, device="web")["rows"]
    shown = {tile["title_id"] for row in rows for tile in row["tiles"]}
    seed, similar = next(
        (tile, one["name"])
        for row in rows for tile in row["tiles"] if tile["propensity"] == 1.0
        for one in live.get(f"/v1/titles/{tile['title_id']}/similar?k=8")["titles"]
        if one["title_id"] not in shown
    )  # fmt: skip
    tile_of(page, seed["title_id"]).locator(".tile-button").click()
    dialog = page.get_by_role("dialog", name=seed["name"])
    dialog.get_by_role("button", name=re.compile(rf"^{re.escape(similar)}, ")).first.click()
    why = page.get_by_role("dialog", name=similar).get_by_role("region", name="Why it is not on the page")
    expect(why.get_by_role("paragraph").first).not_to_be_empty()
    expect(why).not_to_contain_text("Asking for the numbers")


def enter_key(page: Page, key: str) -> None:
    dialog = page.get_by_role("dialog", name="Key")
    dialog.get_by_label("API key or operator's token").fill(key)
    dialog.get_by_role("button", name="Use this key").click()


def test_arrow_keys_walk_over_the_tiles_and_escape_comes_back(
    page: Page, live: LiveService, members: Iterator[str]
) -> None:
    show(page, live, next(members))
    rows = page.locator(".row")
    assert rows.nth(1).locator(".tile").count() >= 4
    at = lambda row, place: rows.nth(row).locator(".tile-button").nth(place)  # noqa: E731
    at(0, 0).focus()
    page.keyboard.press("ArrowDown")
    expect(at(1, 0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(at(1, 2)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(at(1, 1)).to_be_focused()
    page.keyboard.press("End")
    expect(rows.nth(1).locator(".tile-button").last).to_be_focused()
    page.keyboard.press("ArrowRight")  # there is nothing beyond
    expect(rows.nth(1).locator(".tile-button").last).to_be_focused()
    page.keyboard.press("Home")
    expect(at(1, 0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(at(2, 0)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(at(1, 0)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(at(1, 0)).to_be_focused()
    page.keyboard.press("Tab")  # each row is one stop
    expect(at(2, 0)).to_be_focused()


def test_a_server_with_keys_is_shown_with_a_key_that_stays_out_of_the_address(
    page: Page, live: LiveService, tmp_path: Path, members: Iterator[str]
) -> None:
    member, file = next(members), tmp_path / "keys.json"
    good, poor = add_client(file, "viewer", ("homepage", "events")), add_client(file, "poor", ("events",))
    app = create_app(live.service, access=Access("", KeyRing(file)))
    with served(app) as address:
        page.goto(address)
        expect(page.locator(".choice").get_by_role("status")).to_contain_text(
            "Members cannot be listed: send a key with the scope"
        )
        page.goto(f"{address}/?member={member}")
        expect(page.get_by_role("alert")).to_contain_text("A key is needed")
        page.get_by_role("alert").get_by_role("button", name="Enter a key").click()
        enter_key(page, poor)
        expect(page.get_by_role("alert")).to_contain_text("this key has not the scope 'homepage'")
        page.get_by_role("alert").get_by_role("button", name="Enter a key").click()
        enter_key(page, good)
        expect(page.locator(".tile").first).to_be_visible()
        assert good not in page.url
        assert page.evaluate("[sessionStorage.getItem('marquee-key'), localStorage.length]") == [good, 0]
        page.get_by_role("banner").get_by_role("button", name="Enter a key").click()
        page.get_by_role("button", name="Forget the key").click()
        expect(page.get_by_role("alert")).to_contain_text("A key is needed")


def test_without_a_network_the_page_says_so_and_tries_again(
    page: Page, live: LiveService, members: Iterator[str]
) -> None:
    show(page, live, next(members))
    page.context.set_offline(True)
    page.get_by_label("Device").select_option("TV")
    expect(page.get_by_role("alert")).to_contain_text("Nobody answers")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".tile").first).to_be_visible()


def test_a_degraded_page_says_so_in_its_footer(page: Page, small: Any) -> None:
    small.features.error = ConnectionError("away")
    with served(small.client.application) as address:
        page.goto(f"{address}/?member=ana")
        expect(page.locator(".tile").first).to_be_visible()
        expect(page.locator("#made")).to_contain_text("Degraded: features")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800), (1920, 1080)])
def test_no_width_needs_sideways_scrolling_or_shuts_anybody_out(
    page: Page, live: LiveService, members: Iterator[str], width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(live.address)
    expect(page.locator(".person").nth(2)).to_be_visible()
    assert grave_violations(page) == []
    member = next(members)
    show(page, live, member)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert grave_violations(page) == []
    title, _ = live.bound(member, "top_picks", device="web")[0]
    tile_of(page, title).locator(".tile-button").click()
    expect(page.locator(".similar-tiles")).to_be_visible()
    assert page.locator("dialog").evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
    assert grave_violations(page) == []


def test_sign_up_and_what_changed_shut_nobody_out(
    page: Page, live: LiveService, members: Iterator[str]
) -> None:
    page.goto(live.address)
    page.get_by_role("button", name="New member").click()
    page.locator(".pick").first.click()
    assert grave_violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("banner").get_by_role("button", name="Enter a key").click()
    assert grave_violations(page) == []
    member = next(members)
    show(page, live, member)
    watch(page, live.bound(member, "top_picks", device="web")[0][0], 20)
    assert grave_violations(page) == []
