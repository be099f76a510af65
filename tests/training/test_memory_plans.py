from __future__ import annotations

from training.config import TrainingConfig
from training.memory_plans import PLANS, MemoryPlan

CONFIG = TrainingConfig(window_days=8.0, ranker_rows=1000, evaluation_members=400, page_members=100)


def test_the_first_plan_changes_nothing_and_each_other_takes_on_less_than_the_one_before() -> None:
    assert PLANS[0].of(CONFIG) == CONFIG
    assert len({plan.name for plan in PLANS}) == len(PLANS) == 3
    rows = [plan.rows_at_once for plan in PLANS]
    windows = [plan.of(CONFIG).window_days or 0 for plan in PLANS]
    examples = [plan.of(CONFIG).ranker_rows for plan in PLANS]
    for falling in (rows, windows, examples):
        assert sorted(set(falling), reverse=True) == falling


def test_a_share_is_that_of_the_window_of_the_rankers_examples_and_of_who_is_evaluated() -> None:
    half = MemoryPlan("half", 10, 0.5).of(CONFIG)
    assert (half.window_days, half.ranker_rows) == (4.0, 500)
    assert (half.evaluation_members, half.page_members) == (200, 50)
    same = {name: getattr(CONFIG, name) for name in ("evaluation_members", "page_members", "ranker_rows")}
    assert half.model_copy(update={"window_days": 8.0, **same}) == CONFIG


def test_without_a_window_all_events_still_count_and_one_example_is_the_least() -> None:
    least = MemoryPlan("least", 10, 0.5).of(TrainingConfig(ranker_rows=1))
    assert (least.window_days, least.ranker_rows) == (None, 1)
