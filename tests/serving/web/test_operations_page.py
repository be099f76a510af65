"""The operators' page in a real browser, against a server of this process."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from experiments.promotion import carry_out
from serving.app import create_app
from tests.experiments.test_report import FULL
from training.bundle import BundleAliases

KEY = "an-operators-token"
expect.set_options(timeout=60_000)  # the page looks every five seconds, a busy machine less often
Open = Callable[..., Page]


@pytest.fixture
def address(lab: Any) -> Iterator[str]:
    """A server of the small service, whose state is kept up to date by the test alone."""
    server = make_server("127.0.0.1", 0, create_app(lab.service, KEY), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    lab.service.metrics.feature_store_answers(True)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def opened(web_page: Page, address: str) -> Open:
    """Open the page and let the operator in."""

    def open_it(key: str = KEY) -> Page:
        web_page.goto(f"{address}/operations")
        web_page.get_by_label("Admin key", exact=True).fill(key)
        web_page.get_by_role("button", name="Show operations").click()
        return web_page

    return open_it


def series(address: str) -> dict[str, float]:
    """Return what /metrics says, by series with its labels."""
    with urlopen(f"{address}/metrics", timeout=30) as answer:
        lines = [line for line in answer.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def ask_pages(address: str, *user_ids: str) -> None:
    for user_id in user_ids:
        urlopen(f"{address}/v1/members/{user_id}/homepage", timeout=60).close()


def row_of(page: Page, section: str, name: str) -> list[str]:
    """Return the texts of a table's row, by the cell that heads it."""
    row = page.locator(f"#{section} tbody tr").filter(
        has=page.get_by_role("rowheader", name=name, exact=True)
    )
    return row.locator("th, td").all_inner_texts()


def champion_of(address: str) -> str:
    with urlopen(f"{address}/v1/members/ana/homepage", timeout=60) as answer:
        found = re.search(r'"bundle":"([^"]+)"', answer.read().decode())
    assert found is not None
    return found[1]


def test_what_is_shown_is_what_the_metrics_say(opened: Open, address: str) -> None:
    ask_pages(address, "ana", "kim", "ana")
    page = opened()
    expect(page.locator("#view")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    said = series(address)
    for stage in ("features", "ranker", "page"):
        expect(page.locator("#stages")).to_contain_text(stage)
        cells = row_of(page, "stages", stage)
        runs = said[f'marquee_stage_seconds_count{{stage="{stage}"}}']
        assert cells[5] == f"{runs:,.0f}"
    outcomes = [f'marquee_pages_total{{outcome="{name}"}}' for name in ("full", "degraded", "static")]
    made = sum(said.get(outcome, 0) for outcome in outcomes)
    assert made >= 3
    expect(page.locator('[data-card="pages"]')).to_contain_text(f"{made:,.0f} since the start")
    outcomes = [f'marquee_member_reads_total{{outcome="{name}"}}' for name in ("found", "unknown")]
    reads = sum(said.get(outcome, 0) for outcome in outcomes)
    expect(page.locator("#cache")).to_contain_text(f"{reads:,.0f}")
    expect(page.locator("#bundles")).to_contain_text("champion")


def test_new_pages_appear_without_a_reload_and_not_while_paused(opened: Open, address: str, lab: Any) -> None:
    ask_pages(address, "ana")
    page = opened()
    heading = page.get_by_role("rowheader", name="eligibility", exact=True)
    runs = page.locator("#stages tbody tr").filter(has=heading).locator("td").nth(4)
    before = int(runs.inner_text().replace(",", ""))
    lab.time[0] += timedelta(seconds=5)
    ask_pages(address, "kim", "kim")
    expect(runs).to_have_text(f"{before + 2:,}")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Last 5 minutes").check()
    expect(page.locator("#stages-hint")).to_contain_text("as far as this page has been open")
    expect(runs).to_have_text("2")


def test_a_bundle_is_activated_and_rolled_back_through_the_page(
    opened: Open, address: str, lab: Any, contents_of: Any
) -> None:
    first = champion_of(address)
    second = lab.publish(contents_of(2), champion=False)
    page = opened()
    page.get_by_role("button", name=f"Make champion of {second}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"All pages will be made from {second} in place of {first}.")
    dialog.get_by_role("button", name="Make champion").click()
    expect(dialog).to_contain_text(f"Done: the champion is {second} now (before: {first}).")
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator("#bundles-hint")).to_contain_text("the servers are to follow")
    lab.service.keeper.check()
    assert champion_of(address) == second
    expect(page.locator("#bundles-hint")).to_have_text(f"{second} serves.")

    page.get_by_role("button", name="Roll back").click()
    expect(dialog).to_contain_text(f"All pages will be made from {first} again, in place of {second}.")
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog).to_contain_text(f"Done: the champion is {first} now (before: {second}).")
    dialog.get_by_role("button", name="Close").click()
    lab.service.keeper.check()
    assert champion_of(address) == first
    expect(page.locator("#history tbody tr").first).to_contain_text("rolled back")


def test_a_change_that_cannot_be_made_says_why_and_one_that_is_cancelled_changes_nothing(
    opened: Open, address: str, lab: Any, contents_of: Any
) -> None:
    first = champion_of(address)
    second = lab.publish(contents_of(2), champion=False)
    page = opened()
    activate = page.get_by_role("button", name=f"Make champion of {second}")
    activate.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).not_to_be_visible()
    (lab.bundles / second / "ranker.ubj").write_bytes(b"damaged")
    activate.click()
    page.get_by_role("dialog").get_by_role("button", name="Make champion").click()
    expect(page.get_by_role("dialog")).to_contain_text("Nothing was changed.")
    expect(page.get_by_role("dialog")).to_contain_text("ranker.ubj")
    lab.service.keeper.check()
    assert champion_of(address) == first


def test_a_running_experiment_is_shown_with_the_analysis_of_its_latest_decision(
    opened: Open, lab: Any, experiment_of: Any, tmp_path: Path
) -> None:
    arms = [
        {"name": "control", "share": 600}, {"name": "new", "share": 400, "treatment": {"variant": "large"}},
    ]  # fmt: skip
    undecided = experiment_of("ui", name="undecided", variant="big", traffic=100)
    for definition in (
        undecided,
        undecided.model_validate(undecided.model_dump() | {"name": "trial", "arms": arms}),
    ):
        lab.run(definition)
    evidence = {"analysis": FULL.model_dump(mode="json")}
    carry_out(
        lab.store, BundleAliases(lab.bundles), tmp_path / "decisions", "trial", "hold", None, "too early",
        evidence, lab.time[0], "rule",
    )  # fmt: skip
    page = opened()
    experiments = page.locator("#experiments")
    expect(experiments.locator("tbody tr")).to_have_count(2)
    expect(experiments.locator("tbody tr").filter(has_text="undecided")).to_contain_text("not analysed yet")
    trial = experiments.locator("tbody tr").filter(has_text="trial")
    # The always-valid interval after Holm, and the members, are those of the analysis.
    for text in ("+4.0 %", "+1.2 % to +6.9 %", "better", "sound", "3,989"):
        expect(trial).to_contain_text(text)


def test_without_a_key_there_is_a_clear_message_and_nothing_else(
    opened: Open, web_page: Page, address: str
) -> None:
    web_page.goto(f"{address}/operations")
    expect(web_page.get_by_role("heading", name="Enter an admin key")).to_be_visible()
    expect(web_page.locator("#view")).to_be_hidden()
    page = opened("wrong")
    expect(page.get_by_role("alert")).to_contain_text("This key is not let in")
    expect(page.locator("#view")).to_be_hidden()
    assert page.evaluate("sessionStorage.length") == 0
    assert "wrong" not in page.url


def test_the_key_lives_in_the_tab_and_goes_when_forgotten(opened: Open) -> None:
    page = opened()
    expect(page.locator("#view")).to_be_visible()
    page.reload()
    expect(page.locator("#view")).to_be_visible()
    assert KEY not in page.url
    page.get_by_role("button", name="Forget key").click()
    expect(page.get_by_label("Admin key", exact=True)).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_window(
    opened: Open, address: str, width: int
) -> None:
    ask_pages(address, "ana")
    page = opened()
    page.set_viewport_size({"width": width, "height": 900})
    expect(page.locator("#bundles")).to_contain_text("champion")
    found = Axe().run(page).response["violations"]
    assert [
        (one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")
    ] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Make challenger").click()
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
