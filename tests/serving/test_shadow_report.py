from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from serving.cli import serving
from serving.settings import ShadowSettings
from serving.shadow_comparison import ShadowRecord, overlap, rank_correlation
from serving.shadow_log import ShadowLog, read_records
from serving.shadow_report import ShadowBounds, report, score_shift

AT = datetime(2026, 3, 1, 20, tzinfo=UTC)
BOUNDS = ShadowBounds(fewest_pages=2)
TENTHS = tuple(n / 10 for n in range(11))


def record(**changes: Any) -> ShadowRecord:
    sound = {
        "at": AT, "champion": "old", "challenger": "new", "device": "tv", "personal": True,
        "champion_ms": 10.0,
        "challenger_ms": 12.0, "overlap": 0.8, "correlation": 0.7, "champion_scores": TENTHS,
        "challenger_scores": TENTHS, "differences": tuple([0.0] * 11),
    }  # fmt: skip
    return ShadowRecord.model_validate(sound | changes)


def test_rank_correlation_by_hand() -> None:
    assert rank_correlation("abcd", "abcd") == 1.0
    assert rank_correlation("abcd", "dcba") == -1.0
    # Places 0 1 2 against 1 0 2: Σd² = 2, 1 - 12 / 24. What only one has does not count.
    assert rank_correlation("axbc", "bacy") == pytest.approx(0.5)
    assert rank_correlation("ab", "bz") is None


def test_overlap_by_hand() -> None:
    assert overlap("abcd", "dcxy", top=2) == 0.0
    assert overlap("abcd", "bzad", top=3) == pytest.approx(2 / 3)
    assert overlap("", "ab") is None


def test_score_shift_by_hand() -> None:
    assert score_shift(TENTHS, TENTHS) == 0.0
    # All scores 0.4 higher; the champion's spread is 0.8 / 2.563.
    assert score_shift(TENTHS, [one + 0.4 for one in TENTHS]) == pytest.approx(0.4 * 2.563 / 0.8)
    assert score_shift([1.0] * 11, [1.0] * 11) == 0.0
    assert score_shift([1.0] * 11, TENTHS) == float("inf")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"error": "ValueError", "challenger_ms": None}, "failed pages 0.5"),
        ({"degraded": ("als",)}, "degraded pages beyond the champion's 0.5"),
        ({"challenger_ms": 100.0}, "latency ratio 5.6"),
        ({"correlation": -0.5}, "rank correlation 0.1"),
        ({"challenger_scores": tuple(one + 1 for one in TENTHS)}, "score shift 1.6"),
    ],
)
def test_each_bound_catches(changes: dict[str, Any], reason: str) -> None:
    (day,) = report([record(), record(**changes)], BOUNDS)
    assert day.verdict == "caught"
    assert [found.startswith(reason) for found in day.reasons] == [True]


def test_what_the_champion_degrades_too_is_not_the_challengers_fault() -> None:
    (day,) = report([record(degraded=("als",), champion_degraded=("als",))] * 2, BOUNDS)
    assert day.verdict == "sound"


def test_days_and_pairs_are_reported_apart_and_few_pages_give_no_verdict() -> None:
    later = AT + timedelta(days=1)
    days = report([record(at=later), record(), record(), record(challenger="newer")], BOUNDS)
    assert [(day.day, day.challenger, day.verdict) for day in days] == [
        (date(2026, 3, 1), "new", "sound"),
        (date(2026, 3, 1), "newer", "too few pages"),
        (date(2026, 3, 2), "new", "too few pages"),
    ]


def test_records_are_bounded_by_day_and_old_days_go(tmp_path: Path) -> None:
    log = ShadowLog(tmp_path, ShadowSettings(records_a_day=2, keep_days=3))
    assert [log.append(record()) for _ in range(3)] == [True, True, False]
    assert log.append(record(at=AT + timedelta(days=2)))
    assert len(list(read_records(tmp_path))) == 3
    assert len(list(read_records(tmp_path, date(2026, 3, 2)))) == 1
    assert log.append(record(at=AT + timedelta(days=3)))
    assert sorted(one.at.day for one in read_records(tmp_path)) == [3, 4]


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    ShadowLog(tmp_path, ShadowSettings()).append(record())
    (file,) = tmp_path.glob("day=*/*.jsonl")
    file.write_text(file.read_text() + record().model_dump_json()[:50])
    assert len(list(read_records(tmp_path))) == 1


def test_a_folder_that_takes_nothing_costs_only_the_record(tmp_path: Path) -> None:
    (tmp_path / "shadow").write_text("a file")
    assert ShadowLog(tmp_path / "shadow", ShadowSettings()).append(record()) is False


def test_the_command_reports_and_gates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARQUEE_HOME", str(tmp_path))
    run = CliRunner().invoke
    assert "no page was compared yet" in run(serving, ["shadow-report"]).output
    assert run(serving, ["shadow-report", "--gate"]).exit_code == 1
    log = ShadowLog(tmp_path / "shadow", ShadowSettings())
    for _ in range(50):
        log.append(record())
    assert "new beside old: sound" in run(serving, ["shadow-report", "--gate"]).output
    assert run(serving, ["shadow-report", "--gate"]).exit_code == 0
    for _ in range(50):
        log.append(record(error="ValueError"))
    caught = run(serving, ["shadow-report", "--gate"])
    assert (caught.exit_code, "! failed pages 0.5, at most 0.01" in caught.output) == (1, True)
    assert '"verdict": "caught"' in run(serving, ["shadow-report", "--json"]).output
