"""A retrain as the run of a slot: attempt after attempt, each with a smaller plan, and the record of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from training.memory_plans import PLANS, MemoryPlan
from training.retrain_state import (
    Attempt,
    DamagedRecordError,
    Outcome,
    RetrainRecord,
    Tally,
    only_retrain,
    read_record,
    write_record,
)
from training.schedule import Turn
from training.supervision import Ended

Try = Callable[[MemoryPlan, int], Ended]
"""Makes one attempt by a plan, given the descriptor of the home's lock."""


def run_turn(
    home: Path,
    turn: Turn,
    period: timedelta,
    attempt: Try,
    seconds: Callable[[], float],
    *,
    again: bool = False,
    plans: Sequence[MemoryPlan] = PLANS,
) -> RetrainRecord | None:
    """Do the run of a slot, alone in its home: by the first plan, and where that fails by the next.

    Returns the record that is kept of it, or None where the slot was run by somebody else already, unless
    ``again``. A run whose attempts all fail is a failed run; one that is interrupted is recorded, and the
    interruption goes on. After a run that ended without a word, as when the system ended all of its
    processes for their memory, the first plan is the one below its last. ``seconds`` is a clock that nobody
    sets. Raises :class:`RetrainRunningError` where another is at work, ``OSError`` where no record can be
    kept.
    """
    with only_retrain(home, turn.began_at) as lock:
        before = known_record(home)
        if not again and before is not None and _covers(before, turn, period):
            return None
        record = RetrainRecord(
            slot=turn.slot, period_seconds=period.total_seconds(), began_at=turn.began_at, pid=os.getpid(),
            outcome="running", tally=Tally() if before is None else before.tally,
        )  # fmt: skip
        return _Run(home, record, seconds).through(_after(before, plans), attempt, lock)


class _Run:
    """A run at work: its record as it grows."""

    def __init__(self, home: Path, record: RetrainRecord, seconds: Callable[[], float]) -> None:
        self._home, self._record, self._seconds = home, record, seconds
        self._began = seconds()

    def through(self, plans: Sequence[MemoryPlan], attempt: Try, lock: int) -> RetrainRecord:
        try:
            for plan in plans:
                self._change(plan=plan.name)
                began = self._seconds()
                ended = attempt(plan, lock)
                self._note(plan, ended, self._seconds() - began)
                if ended.failure is None:
                    return self._published(plan, ended)
                if not ended.worth_another:
                    break
        except KeyboardInterrupt:
            self._end("interrupted")
            raise
        return self._end("failed", reason=self._record.attempts[-1].reason)

    def _note(self, plan: MemoryPlan, ended: Ended, seconds: float) -> None:
        done = Attempt(
            plan=plan.name, seconds=seconds, failure=ended.failure, reason=ended.reason,
            peak_mib=None if ended.answer is None else ended.answer.peak_mib,
        )  # fmt: skip
        tally = self._record.tally
        if ended.failure is not None:
            failed = {name: dict(kinds) for name, kinds in tally.failed_attempts.items()}
            kinds = failed.setdefault(plan.name, {})
            kinds[ended.failure] = kinds.get(ended.failure, 0) + 1
            tally = tally.model_copy(update={"failed_attempts": failed})
        self._change(attempts=[*self._record.attempts, done], tally=tally)

    def _published(self, plan: MemoryPlan, ended: Ended) -> RetrainRecord:
        assert ended.answer is not None
        result = ended.answer.retrained
        assert result is not None
        published_at = self._record.began_at + timedelta(seconds=self._seconds() - self._began)
        return self._end(
            "published", bundle=result.version, alias=result.alias, published=result.published,
            solved_titles=len(result.solved), reason=result.unsolved_because,
            tally=self._record.tally.model_copy(
                update={"published_at": published_at, "published_plan": plan.name}
            ),
        )  # fmt: skip

    def _end(self, outcome: Outcome, **found: Any) -> RetrainRecord:
        tally: Tally = found.pop("tally", self._record.tally)
        in_a_row = {"published": 0, "failed": tally.failed_in_a_row + 1}
        counted = tally.model_copy(update={
            "runs": tally.runs | {outcome: tally.runs.get(outcome, 0) + 1},
            "failed_in_a_row": in_a_row.get(outcome, tally.failed_in_a_row),
        })  # fmt: skip
        return self._change(outcome=outcome, seconds=self._seconds() - self._began, tally=counted, **found)

    def _change(self, **changes: Any) -> RetrainRecord:
        self._record = self._record.model_copy(update=changes)
        write_record(self._home, self._record)
        return self._record


def known_record(home: Path) -> RetrainRecord | None:
    """Return the last run's record; None where there is none that can be read."""
    try:
        return read_record(home)
    except DamagedRecordError:
        return None


def _covers(record: RetrainRecord, turn: Turn, period: timedelta) -> bool:
    done = record.turn(period.total_seconds())
    return done is not None and done.slot >= turn.slot


def _after(before: RetrainRecord | None, plans: Sequence[MemoryPlan]) -> Sequence[MemoryPlan]:
    """Return the plans of a run: all, or those below the one that the run before was killed with."""
    if before is None or before.outcome != "running":
        return plans
    names = [plan.name for plan in plans]
    below = plans[names.index(before.plan) + 1 :] if before.plan in names else []
    return below or plans
