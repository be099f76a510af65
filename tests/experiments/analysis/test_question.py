"""What is counted of an impression log, by hand and beside a count in plain Python."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from experiments.analysis.question import asked
from experiments.definitions import Status
from feature_repo import schema as s
from tests.experiments.analysis.logs import DAY, START, Row, experiment, page, watch, write

CONTROL, NEW = "trial/control", "trial/new"
NOW = START + 10 * DAY


def sums(root: str, now=NOW, **changed) -> dict[str, list[float]]:
    with asked(root, experiment(**changed), now) as question:
        end = question.course().so_far[:, -1]
        return {name: values.tolist() for name, values in end.by_name.items()}


class TestWhatCounts:
    def test_plays_and_completions_are_those_of_the_arms_tiles(self, tmp_path: Path) -> None:
        root = write(
            tmp_path,
            page("a", CONTROL, START, 5, played=[0.8, 0.79]) + page("b", NEW, START, 3, played=[1.0]),
        )
        found = sums(root)
        assert found["n"] == [5, 3]
        assert found["y"] == [2, 1]
        assert found["c"] == [1, 1]
        assert found["members"] == [1, 1]

    def test_continue_watching_exposes_but_is_left_out_of_the_metrics(self, tmp_path: Path) -> None:
        resumed = page("b", NEW, START, 2, played=[1.0], row_type="continue_watching")
        found = sums(write(tmp_path, page("a", CONTROL, START, 5) + resumed))
        assert found["members"] == [1, 1]
        assert found["n"] == [5, 0]
        assert found["y"] == found["c"] == [0, 0]

    def test_only_the_running_time_counts(self, tmp_path: Path) -> None:
        instants = [START - timedelta(seconds=1), START, START + DAY, START + 2 * DAY]
        root = write(tmp_path, [row for at in instants for row in page("a", CONTROL, at)])
        assert sums(root)["n"] == [3, 0]
        assert sums(root, now=START + DAY)["n"] == [1, 0]
        ended = START + 2 * DAY
        assert sums(root, ended_at=ended, status=Status.ROLLED_BACK)["n"] == [2, 0]

    def test_other_experiments_other_layers_and_the_holdout_do_not_count(self, tmp_path: Path) -> None:
        rows = (
            page("a", "trial2/control", START) + page("b", None, START, ui_arm=CONTROL)
            + page("c", CONTROL, START, holdout=True) + page("d", CONTROL, START, holdout=False)
        )  # fmt: skip
        assert sums(write(tmp_path, rows))["members"] == [1, 0]

    def test_members_of_two_arms_are_counted_and_left_out(self, tmp_path: Path) -> None:
        root = write(
            tmp_path,
            page("a", CONTROL, START, 4) + page("a", NEW, START + 3 * DAY, 4) + page("b", CONTROL, START)
            + page("c", CONTROL, START) + page("c", NEW, START + timedelta(hours=1)),
        )  # fmt: skip
        with asked(root, experiment(), NOW) as question:
            assert question.contaminated == 2
            assert question.course().so_far.by_name["n"][:, -1].tolist() == [1, 0]
            assert question.members()["user_id"].to_pylist() == ["b"]

    def test_an_experiment_without_impressions_has_zeros(self, tmp_path: Path) -> None:
        assert sums(str(tmp_path))["members"] == [0, 0]

    def test_one_that_was_never_started_is_refused(self, tmp_path: Path) -> None:
        with (
            pytest.raises(ValueError, match="trial was never started"),
            asked(str(tmp_path), experiment(started_at=None), NOW),
        ):
            pass


class TestWhereItIsRead:
    def test_files_of_other_days_are_not_opened(self, tmp_path: Path) -> None:
        root = write(tmp_path, page("a", CONTROL, START))
        for day in (START - 20 * DAY, NOW + DAY):
            folder = tmp_path / "impressions" / f"day={day.date()}"
            folder.mkdir()
            (folder / "part-0.parquet").write_bytes(b"no Parquet")
        with asked(root, experiment(), NOW) as question:
            assert question.members().num_rows == 1

    def test_a_url_gives_what_the_path_gives(self, tmp_path: Path) -> None:
        rows = (
            page("a", CONTROL, START, 3, [1.0])
            + page("a", CONTROL, START - DAY, 2)
            + page("b", NEW, NOW - DAY)
        )
        write(tmp_path, rows, [watch("a", START + 2 * DAY)])
        changed = {"rule": {"retention_days": 7}}
        with (
            asked(str(tmp_path), experiment(**changed), NOW) as by_path,
            asked(f"file://{tmp_path}", experiment(**changed), NOW) as by_url,
        ):
            assert by_path.members().to_pylist() == by_url.members().to_pylist()
            assert len(by_path.members()) == 2

    def test_columns_that_older_files_lack_are_null(self, tmp_path: Path) -> None:
        root = write(tmp_path, page("a", CONTROL, START))
        (file,) = (tmp_path / "impressions").rglob("*.parquet")
        old = pq.read_table(file, partitioning=None).drop_columns(["ranker_arm", "holdout"])
        pq.write_table(old, file)
        assert sums(root)["members"] == [0, 0]
        write(tmp_path, page("b", NEW, START))
        assert sums(root)["members"] == [0, 1]


class TestMembers:
    def test_pre_period_is_that_of_the_days_before(self, tmp_path: Path) -> None:
        root = write(
            tmp_path,
            page("a", CONTROL, START) + page("b", NEW, START)
            + page("a", None, START - timedelta(hours=1), 4, [0.9, 0.1])
            + page("a", None, START - timedelta(hours=2), 3, row_type="continue_watching")
            + page("a", None, START - 14 * DAY, 1) + page("a", None, START - 14.001 * DAY, 1)
            + page("stranger", None, START - DAY, 4),
        )  # fmt: skip
        with asked(root, experiment(), NOW) as question:
            a, b = question.members(pre_days=14).to_pylist()
        assert (a["pre_impressions"], a["pre_plays"], a["pre_completions"]) == (5, 2, 1)
        assert a["has_pre_period"]
        assert (b["pre_impressions"], b["has_pre_period"]) == (0, False)

    def test_came_back_who_watched_in_the_last_week_of_the_window(self, tmp_path: Path) -> None:
        last_week, end = START + 21 * DAY, START + 28 * DAY
        moment = timedelta(microseconds=1)
        seen = {"early": last_week - moment, "first": last_week, "last": end - moment, "late": end}
        rows = [row for user in [*seen, "hover"] for row in page(user, CONTROL, START)]
        rows += page("young", CONTROL, START + moment)
        events = [watch(user, at) for user, at in seen.items()]
        events += [watch("hover", last_week, "hover"), watch("young", last_week + DAY)]
        with asked(write(tmp_path, rows, events), experiment(), end) as question:
            found = {row["user_id"]: row for row in question.members().to_pylist()}
        assert {user for user, row in found.items() if row["matured"]} == {*seen, "hover"}
        assert {user for user, row in found.items() if row["retained"]} == {"first", "last"}

    def test_first_exposure_is_the_earliest_tile(self, tmp_path: Path) -> None:
        rows = page("a", CONTROL, START + DAY) + page("a", CONTROL, START + timedelta(hours=3))
        with asked(write(tmp_path, rows), experiment(), NOW) as question:
            (a,) = question.members().to_pylist()
        assert a["first_us"] == (START + timedelta(hours=3)).timestamp() * 1e6


@pytest.fixture(scope="module")
def random_log() -> list[Row]:
    """30 members, each with some pages on some of six days."""
    rng = np.random.default_rng(5)
    rows = []
    for user in range(30):
        arm = (CONTROL, NEW)[user % 2]
        for hours in np.unique(rng.integers(0, 6 * 24, rng.integers(1, 9))).tolist():
            tiles = int(rng.integers(1, 7))
            played = rng.random(rng.integers(0, tiles + 1)).tolist()
            rows += page(f"u{user:02}", arm, START + timedelta(hours=hours), tiles, played)
    return rows


Cell = dict[str, float]


def by_member_and_day(rows: list[Row]) -> dict[str, dict[int, Cell]]:
    """Member to day since the experiment's first to n, y and c."""
    found: dict[str, dict[int, Cell]] = defaultdict(
        lambda: defaultdict(lambda: {"n": 0.0, "y": 0.0, "c": 0.0})
    )
    for row in rows:
        cell = found[row[s.USER_ID]][(row[s.EVENT_TIMESTAMP].date() - START.date()).days]
        cell["n"] += 1
        cell["y"] += row[s.PLAYED]
        cell["c"] += row[s.PLAYED] and row[s.WATCH_FRACTION] >= np.float32(0.8)
    return found


def products(cells: list[Cell]) -> dict[str, float]:
    names = ("n", "y", "c", "nn", "yn", "yy", "cy", "cc")
    return {name: sum(float(np.prod([cell[one] for one in name])) for cell in cells) for name in names}


class TestAgainstPlainPython:
    def test_course_holds_the_members_sums_up_to_each_day(
        self, tmp_path: Path, random_log: list[Row]
    ) -> None:
        counted = by_member_and_day(random_log)
        with asked(write(tmp_path, random_log), experiment(), START + 6.5 * DAY) as question:
            course = question.course()
        assert len(course.days) == 7
        for arm in (0, 1):
            for day in range(7):
                so_far = [
                    {name: sum(cell[name] for when, cell in days.items() if when <= day) for name in "nyc"}
                    for user, days in counted.items()
                    if int(user[1:]) % 2 == arm and min(days) <= day
                ]
                expected = {"members": len(so_far), **products(so_far)}
                found = {name: values[arm, day] for name, values in course.so_far.by_name.items()}
                assert found == pytest.approx(expected)

    def test_by_age_holds_the_days_since_each_members_first(
        self, tmp_path: Path, random_log: list[Row]
    ) -> None:
        counted = by_member_and_day(random_log)
        with asked(write(tmp_path, random_log), experiment(), NOW) as question:
            by_age = question.by_age()
            ages = by_age.by_name["n"].shape[1]
            weights = np.random.default_rng(1).normal(size=(2, ages))
            squares = question.squared_moves(1, *weights, "completion_rate")
        for arm in (0, 1):
            mine = [days for user, days in counted.items() if int(user[1:]) % 2 == arm]
            for age in range(ages):
                cells = [days[min(days) + age] for days in mine if min(days) + age in days]
                expected = {"members": len(cells), **products(cells)}
                assert {n: v[arm, age] for n, v in by_age.by_name.items()} == pytest.approx(expected)
            moves = [
                sum(
                    weights[0, when - min(days)] * cell["c"] + weights[1, when - min(days)] * cell["y"]
                    for when, cell in days.items()
                )
                for days in mine
            ]
        assert squares == pytest.approx(sum(move**2 for move in moves))


def test_joint_sums_are_of_tiles_that_bear_both_arms(tmp_path: Path) -> None:
    rows = (
        page("a", CONTROL, START, 4, [1.0], ui_arm="other/new")
        + page("a", CONTROL, START + DAY, 2, ui_arm="other/new")
        + page("a", CONTROL, START + 2 * DAY, 7)
        + page("b", NEW, START, 3, ui_arm="other/control")
        + page("c", NEW, START, 5, [0.1, 0.9], ui_arm="third/new")
    )
    with asked(write(tmp_path, rows), experiment(), NOW) as question:
        joint = question.joint(experiment("other", "ui")).by_name
    assert joint["members"].tolist() == [[0, 1], [1, 0]]
    assert joint["n"].tolist() == [[0, 6], [3, 0]]
    assert joint["nn"].tolist() == [[0, 36], [9, 0]]
    assert joint["y"].tolist() == [[0, 1], [0, 0]]
