"""What becomes of a run: which plans are tried, and what its record says. Attempts themselves are made up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from training.attempt import Answer
from training.memory_plans import PLANS, MemoryPlan
from training.moved import Published
from training.retrain import Retrained
from training.retrain_run import run_turn
from training.retrain_state import FailureKind, RetrainRecord, read_record, write_record
from training.schedule import Turn
from training.supervision import Ended

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DONE = Retrained("20260301T120000Z-00000000", {"user_als_embedding": Published(1, 2)}, ["t1"])
PUBLISHED = Ended(Answer(retrained=DONE, peak_mib=700.0))
NAMES = [plan.name for plan in PLANS]

Work = Callable[[MemoryPlan], Ended]


def failed(failure: FailureKind = "killed", reason: str = "why") -> Ended:
    return Ended(None, failure, reason)


def run(home: Path, turn: Turn, work: Work, again: bool = False) -> RetrainRecord | None:
    seconds = count(10.0, 2.5)
    return run_turn(home, turn, HOUR, lambda plan, _lock: work(plan), lambda: next(seconds), again=again)


def the(record: RetrainRecord | None) -> RetrainRecord:
    assert record is not None
    return record


def no_run(_plan: MemoryPlan) -> Ended:
    pytest.fail("run twice")


def test_a_run_is_recorded_while_it_lasts_and_when_it_is_over(tmp_path: Path) -> None:
    def work(plan: MemoryPlan) -> Ended:
        record = the(read_record(tmp_path))
        assert (record.outcome, record.slot, record.bundle, record.plan) == ("running", 5, None, plan.name)
        return PUBLISHED

    record = the(run(tmp_path, Turn(5, NOON), work))
    assert record == read_record(tmp_path)
    # The clock goes on by 2.5 s at each look: a beginning and an end of the attempt, then of publishing.
    assert (record.outcome, record.seconds, record.bundle) == ("published", 10.0, DONE.version)
    assert (record.published, record.solved_titles, record.plan) == (DONE.published, 1, "full")
    assert [(a.plan, a.seconds, a.failure, a.peak_mib) for a in record.attempts] == [("full", 2.5, None, 700)]
    assert record.tally.published_at == NOON + timedelta(seconds=7.5)


def test_what_fails_is_tried_again_with_less_until_it_works(tmp_path: Path) -> None:
    ends = iter([failed("killed", "SIGKILL"), failed("time limit", "too long"), PUBLISHED])
    tried: list[str] = []

    def work(plan: MemoryPlan) -> Ended:
        tried.append(plan.name)
        return next(ends)

    record = the(run(tmp_path, Turn(5, NOON), work))
    assert tried == NAMES
    assert (record.outcome, record.plan, record.reason) == ("published", NAMES[2], None)
    assert [(a.failure, a.reason) for a in record.attempts] == [
        ("killed", "SIGKILL"), ("time limit", "too long"), (None, None),
    ]  # fmt: skip
    assert record.tally.failed_attempts == {NAMES[0]: {"killed": 1}, NAMES[1]: {"time limit": 1}}
    assert (record.tally.runs, record.tally.failed_in_a_row) == ({"published": 1}, 0)
    assert record.tally.published_plan == NAMES[2]


def test_a_run_whose_attempts_all_fail_is_counted_and_the_next_begins_with_everything(tmp_path: Path) -> None:
    for slot in (5, 6):
        record = the(run(tmp_path, Turn(slot, NOON + (slot - 5) * HOUR), lambda _: failed("error", "no")))
        assert (record.outcome, record.bundle, record.reason) == ("failed", None, "no")
        assert [a.plan for a in record.attempts] == NAMES
    assert record.tally.runs == {"failed": 2}
    assert record.tally.failed_in_a_row == 2
    assert record.tally.failed_attempts == {name: {"error": 2} for name in NAMES}
    record = the(run(tmp_path, Turn(7, NOON + 2 * HOUR), lambda _: PUBLISHED))
    assert (record.plan, record.tally.failed_in_a_row) == ("full", 0)
    assert record.tally.runs == {"failed": 2, "published": 1}


def test_what_less_memory_cannot_help_is_not_tried_again(tmp_path: Path) -> None:
    hopeless = Ended(Answer(error="no data", hopeless=True, peak_mib=1.0), "error", "no data")
    record = the(run(tmp_path, Turn(5, NOON), lambda _: hopeless))
    assert [a.plan for a in record.attempts] == ["full"]
    assert (record.outcome, record.reason) == ("failed", "no data")


@pytest.mark.parametrize(
    ("plan", "first"), [("full", "smaller"), ("smaller", "smallest"), ("smallest", "full"), (None, "full")]
)
def test_after_a_run_that_was_killed_as_a_whole_the_next_takes_on_less(
    tmp_path: Path, plan: str | None, first: str
) -> None:
    killed = RetrainRecord(slot=5, period_seconds=3600, began_at=NOON, pid=1, outcome="running", plan=plan)
    write_record(tmp_path, killed)
    assert the(run(tmp_path, Turn(6, NOON + HOUR), lambda _: PUBLISHED)).plan == first


@pytest.mark.parametrize("slot", [4, 5])
def test_a_slot_that_another_process_ran_is_left_alone_unless_asked_for(tmp_path: Path, slot: int) -> None:
    run(tmp_path, Turn(5, NOON), lambda _: PUBLISHED)
    assert run(tmp_path, Turn(slot, NOON), no_run) is None
    assert run(tmp_path, Turn(slot, NOON), lambda _: PUBLISHED, again=True) is not None


def test_a_damaged_record_does_not_stop_a_run(tmp_path: Path) -> None:
    (tmp_path / "retrain.json").write_text("?")
    run(tmp_path, Turn(5, NOON), lambda _: PUBLISHED)
    assert the(read_record(tmp_path)).outcome == "published"


def test_an_interrupted_run_is_recorded_and_stays_interrupted(tmp_path: Path) -> None:
    def work(_plan: MemoryPlan) -> Ended:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Turn(5, NOON), work)
    record = the(read_record(tmp_path))
    assert (record.outcome, record.tally.failed_in_a_row) == ("interrupted", 0)
    assert the(run(tmp_path, Turn(6, NOON + HOUR), lambda _: PUBLISHED)).plan == "full"
