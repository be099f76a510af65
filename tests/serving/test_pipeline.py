from __future__ import annotations

from dataclasses import dataclass, field

from serving.pipeline import Run, Stage


@dataclass
class Notebook:
    finished: list[tuple[str, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def stage_finished(self, name: str, seconds: float, budget_ms: float) -> None:
        assert seconds >= 0
        self.finished.append((name, budget_ms))

    def stage_failed(self, name: str) -> None:
        self.failed.append(name)


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
