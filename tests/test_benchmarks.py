"""What the benchmarks report, worked out by hand; that they run is left to ``make bench``."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import click
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from rich.console import Console

from feature_repo import schema as s
from feature_repo.log_tables import SHOWN_TILES
from feature_repo.settings import REPOSITORY_ROOT
from serving.candidates.query import PageRequest
from tests.benchmarks.gate import FLOORS, hold
from tests.benchmarks.http_load import CLIENTS, ask, ask_at_once
from tests.benchmarks.impressions import a_day, viewings_of
from tests.benchmarks.pages import PAGE, homepage_path, parse_server_timing
from tests.benchmarks.ranking import RANKER, RANKER_BY_DMATRIX
from tests.benchmarks.results import Measurement, as_json, table, write
from tests.benchmarks.server import bundles_in_place, looks_at_titles
from tests.benchmarks.timing import Effort, Timing, summarise, time_calls
from tests.benchmarks.two_tower import synthetic_examples

FAST = Measurement("fast", Timing(2.0, 3.0, 100), baseline="slow", budget_ms=1.5, note="as served")
SLOW = Measurement("slow", Timing(10.0, 12.0, 5))


class Pages(BaseHTTPRequestHandler):
    """Answers every path but ``/missing``, and keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """A server that answers at once."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


class TestSummary:
    def test_percentiles_are_interpolated_between_times(self) -> None:
        assert summarise(range(1, 102)) == Timing(p50_ms=51.0, p99_ms=100.0, n=101)
        two = summarise([1.0, 2.0])
        assert [two.p50_ms, two.p99_ms] == pytest.approx([1.5, 1.99])

    def test_nothing_measured_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one call"):
            summarise([])

    @given(st.lists(st.floats(0, 1e6), min_size=1))
    def test_percentiles_are_ordered_and_within_the_times(self, times: list[float]) -> None:
        summary = summarise(times)
        assert min(times) <= summary.p50_ms <= summary.p99_ms <= max(times)


class TestTimedCalls:
    def test_warm_up_is_called_but_not_counted(self) -> None:
        called: list[str] = []
        ticks = iter([0.0, 0.001, 1.0, 1.003])
        timing = time_calls(called.append, ["a", "b"], calls=2, warm_up=3, clock=lambda: next(ticks))
        assert called == ["a", "b", "a", "a", "b"]
        assert [timing.p50_ms, timing.p99_ms] == pytest.approx([2.0, 2.98])
        assert timing.n == 2

    @pytest.mark.parametrize(("calls", "slow"), [(500, 20), (50, 5), (1, 5)])
    def test_slow_work_is_called_less_often(self, calls: int, slow: int) -> None:
        assert Effort(calls).slow_calls == slow


class TestResults:
    def test_each_entry_has_exactly_the_promised_keys(self) -> None:
        assert as_json([FAST, SLOW]) == {
            "fast": {"p50_ms": 2.0, "p99_ms": 3.0, "n": 100, "baseline": "slow", "ratio": 5.0},
            "slow": {"p50_ms": 10.0, "p99_ms": 12.0, "n": 5, "baseline": None, "ratio": None},
        }

    def test_ratio_is_null_where_the_baseline_was_not_measured(self) -> None:
        assert as_json([FAST])["fast"]["ratio"] is None

    def test_file_is_replaced_and_nothing_is_left_beside_it(self, tmp_path: Path) -> None:
        file = tmp_path / "new" / "bench.json"
        write(file, [SLOW])
        write(file, [FAST, SLOW])
        assert json.loads(file.read_text()) == as_json([FAST, SLOW])
        assert list(file.parent.iterdir()) == [file]

    def test_table_marks_what_is_over_its_budget(self) -> None:
        console = Console(file=io.StringIO(), width=200, force_terminal=True, record=True)
        console.print(table([FAST, SLOW], "a service"))
        text = console.export_text(clear=False)
        assert "5.0 ×" in text
        assert "as served" in text
        red = [line for line in console.export_text(styles=True).splitlines() if "\x1b[31m" in line]
        assert ["fast" in line for line in red] == [True]


class TestGate:
    RANKER_OF_OLD = Measurement(RANKER_BY_DMATRIX, Timing(1.4, 1.6, 100))

    def ranker(self, p50_ms: float) -> Measurement:
        return Measurement(RANKER, Timing(p50_ms, 3.0, 100), RANKER_BY_DMATRIX)

    def test_an_entry_at_its_floor_passes_and_what_was_not_measured_is_named(self) -> None:
        said = hold([self.ranker(1.4 / FLOORS[RANKER]), self.RANKER_OF_OLD, FAST, SLOW])
        assert said.startswith(f"gate: 1 of {len(FLOORS)} floors held; not judged")
        assert PAGE in said

    def test_an_entry_below_its_floor_is_named_and_the_status_is_1(self) -> None:
        with pytest.raises(click.ClickException) as caught:
            hold([self.ranker(2.8), self.RANKER_OF_OLD])  # 1.4 / 2.8 = 0.5, of 0.7
        assert caught.value.exit_code == 1
        assert f"{RANKER}: 0.5 times as fast as its baseline, at least 0.7 wanted" in caught.value.message

    def test_without_its_baseline_an_entry_is_not_judged(self) -> None:
        assert RANKER in hold([self.ranker(1000.0)])

    def test_floors_are_half_of_the_reported_ratios(self) -> None:
        report = (REPOSITORY_ROOT / "docs" / "measured.md").read_text("utf-8")
        rows = [line.strip("| ").split(" | ") for line in report.splitlines() if line.startswith("| ")]
        ratios = {cells[0]: float(cells[-1]) for cells in rows if len(cells) == 6 and cells[0] in FLOORS}
        assert {name: floor * 2 for name, floor in FLOORS.items()} == pytest.approx(ratios, rel=0.03)


class TestPages:
    def test_path_names_member_device_and_instant(self) -> None:
        at = datetime(2026, 3, 1, 20, tzinfo=UTC)
        path = homepage_path(PageRequest("a/b c", "tv", at), at)
        parts = urlsplit(path)
        assert parts.path == "/v1/members/a%2Fb%20c/homepage"
        assert parse_qs(parts.query) == {"device": ["tv"], "at": ["2026-03-01T20:00:00+00:00"]}

    def test_page_of_the_present_names_no_instant(self) -> None:
        request = PageRequest("u1", "tv", datetime(2026, 3, 1, tzinfo=UTC))
        assert homepage_path(request) == "/v1/members/u1/homepage?device=tv"

    def test_server_timing_is_read_stage_by_stage(self) -> None:
        assert parse_server_timing("features;dur=1.250, total;dur=7.000") == {"features": 1.25, "total": 7.0}


class TestHttp:
    def test_one_client_measures_each_page(self, port: int) -> None:
        assert len(ask(port, ["/a", "/b"], pages=3)) == 3

    def test_clients_at_once_measure_every_page_of_each(self, port: int) -> None:
        milliseconds, seconds = ask_at_once(port, ["/a", "/b"], pages_per_client=2)
        assert len(milliseconds) == 2 * CLIENTS
        assert seconds > 0

    def test_page_that_fails_ends_the_measurement(self, port: int) -> None:
        with pytest.raises(click.ClickException, match="/missing: status 404"):
            ask(port, ["/a", "/missing"], pages=2)

    def test_swaps_are_summed_over_the_lines_of_the_counter(self) -> None:
        exposition = (
            "# HELP marquee_bundle_swaps_total Bundles put in place.\n"
            "marquee_bundle_swaps_total 2.0\nmarquee_bundle_refusals_total 1.0\n"
        )
        assert bundles_in_place(exposition) == 2
        assert bundles_in_place("") == 0

    def test_looks_at_changed_titles_are_summed(self) -> None:
        exposition = (
            'marquee_title_visible_seconds_bucket{le="0.1"} 3.0\n'
            "marquee_title_visible_seconds_count 4.0\nmarquee_title_visible_seconds_sum 0.7\n"
        )
        assert looks_at_titles(exposition) == 4


class TestImpressions:
    def test_a_day_is_made_of_whole_pages_and_its_viewings_follow_them(self) -> None:
        two_pages = [
            {s.PAGE_ID: page, s.TITLE_ID: f"t{n}", s.ROW_INDEX: 1, s.POSITION: n, s.USER_ID: "u"}
            for page in ("p", "q")
            for n in range(1, 31)
        ]
        tiles = a_day(pa.Table.from_pylist(two_pages, SHOWN_TILES.arrow_schema), 600)
        assert tiles.group_by(s.PAGE_ID).aggregate([([], "count_all")])["count_all"].to_pylist() == [30] * 20
        days = {instant.date() for instant in tiles[s.EVENT_TIMESTAMP].to_pylist()}
        assert days == {date(2026, 3, 1)}
        events = viewings_of(tiles)
        assert len(events) == 4 * 30
        assert min(events[s.EVENT_TIMESTAMP].to_pylist()) >= min(tiles[s.EVENT_TIMESTAMP].to_pylist())


class TestTowers:
    def test_synthetic_examples_have_the_shapes_of_real_ones(self) -> None:
        examples = synthetic_examples(np.random.default_rng(0), titles=9, positives=40)
        assert len(examples) == 40
        assert examples.history.shape == examples.mask.shape == (20, 50)
        assert max(examples.titles.max(), examples.history.max()) < 9
        assert examples.moments.max() < len(examples.history)
