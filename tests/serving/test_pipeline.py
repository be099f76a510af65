from __future__ import annotations

from dataclasses import dataclass, field

from serving.breaker import CircuitOpenError
from serving.pipeline import Run, Rung, Stage, between_steps


@dataclass
class Notebook:
    finished: list[tuple[str, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    fallen: list[str] = field(default_factory=list)

    def stage_finished(self, name: str, seconds: float, budget_ms: float) -> None:
        assert seconds >= 0
        self.finished.append((name, budget_ms))

    def stage_failed(self, name: str) -> None:
        self.failed.append(name)

    def fell_back(self, rung: str) -> None:
        self.fallen.append(rung)


halve: Stage[int, float] = Stage(
    "halve", lambda n: 100 / n / 2, lambda _: -1.0, budget_ms=1, enabled=lambda n: n < 10
)


def test_a_stage_that_works_answers_and_is_timed() -> None:
    run = Run(Notebook())
    assert run.through(halve, 5) == 10
    assert [name for name, _ in run.timings] == ["halve"]
    assert run.degraded == []


def test_a_stage_that_fails_is_answered_by_its_fallback_named_and_counted() -> None:
    notebook = Notebook()
    run = Run(notebook)
    assert run.through(halve, 0) == -1
    assert run.degraded == ["halve"]
    assert notebook.failed == ["halve"]
    assert notebook.finished == [("halve", 1)]


def test_a_stage_switched_off_is_answered_by_its_fallback_and_is_no_failure() -> None:
    run = Run(Notebook())
    assert run.through(halve, 10) == -1
    assert run.degraded == []


def failing(_: int) -> float:
    raise CircuitOpenError("not asked")


def nothing_kept(_: int) -> float:
    raise LookupError("nothing is kept")


ladder: Stage[int, float] = Stage(
    "halve", failing, lambda _: -1.0, 1, rungs=(Rung("kept", nothing_kept), Rung("guess", lambda n: n / 2))
)
costly: Stage[int, float] = Stage("halve", lambda n: n / 2, lambda _: -1.0, 1, costly=True)


def test_the_first_rung_that_holds_answers_and_is_named() -> None:
    notebook = Notebook()
    run = Run(notebook)
    assert run.through(ladder, 6) == 3
    assert run.degraded == notebook.fallen == ["halve:guess"]
    assert notebook.failed == ["halve"]


def test_a_lean_page_leaves_out_what_is_costly_and_says_so() -> None:
    notebook = Notebook()
    run = Run(notebook, lean=True)
    assert run.through(costly, 6) == -1
    assert run.through(halve, 5) == 10
    assert run.degraded == ["halve:shed"]
    assert notebook.failed == []


def test_a_page_that_has_taken_its_time_leaves_out_what_is_costly() -> None:
    run = Run(Notebook(), page_ms=0)
    assert run.through(costly, 6) == -1
    assert run.degraded == ["halve:late"]
    assert Run(Notebook(), page_ms=1e6).through(costly, 6) == 3


def in_steps(steps: list[int]) -> int:
    for number in steps:
        between_steps()
        done.append(number)
    return len(steps)


done: list[int] = []
stepwise: Stage[list[int], int] = Stage("stepwise", in_steps, lambda _: -1, 1)


def test_a_stage_whose_time_is_over_is_given_up_at_its_next_step_and_its_fallback_has_time() -> None:
    done.clear()
    notebook = Notebook()
    run = Run(notebook, stage_ms=0)
    assert run.through(stepwise, [1, 2]) == -1
    assert (done, run.degraded, notebook.failed) == ([], ["stepwise:late"], ["stepwise"])
    unhurried: Stage[list[int], int] = Stage("stepwise", in_steps, in_steps, 1)
    assert run.through(unhurried, [3]) == 1
    assert done == [3]


def test_a_stage_in_time_does_all_its_steps() -> None:
    done.clear()
    assert Run(Notebook(), stage_ms=60_000).through(stepwise, [1, 2]) == 2
    assert done == [1, 2]
    between_steps()  # outside of stages nobody is late
