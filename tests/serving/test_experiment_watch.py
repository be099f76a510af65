from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from experiments.definitions import Status
from experiments.store import ExperimentStore
from feature_repo.page.rules import PageRules
from serving.settings import ServingSettings
from training.bundle import BundleAliases, BundleContents

PageOf = Callable[..., dict[str, Any]]
ContentsOf = Callable[[int], BundleContents]
ExperimentOf = Callable[..., Any]
FAILURES = "marquee_experiment_store_failures_total"


def counted(small: Any, series: str) -> float:
    lines = [line for line in small.client.get("/metrics").text.splitlines() if line.startswith(series + " ")]
    return float(lines[0].rsplit(" ", 1)[1])


def by_hand(small: Any, statement: str) -> None:
    """Change the store behind the back of those who watch its revision."""
    with closing(sqlite3.connect(small.bundles.parent / "experiments.db")) as connection, connection:
        connection.execute(statement)


def restarted(small: Any, **changes: Any) -> Any:
    other = small.another(**changes)
    other.service.start(watch=False)
    return other


def test_a_change_in_the_store_is_served_from_the_next_look_on(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf
) -> None:
    lab.run(experiment_of("ui", variant="large"))
    assert page_of("ana")["experiments"] == {"ui": "test/treatment"}
    lab.store.change_status("test", Status.PAUSED, lab.time[0])
    assert page_of("ana")["experiments"] == {"ui": "test/treatment"}
    lab.look()
    assert page_of("ana")["experiments"] == {}


def test_a_store_that_is_away_at_the_start_leaves_everybody_control_until_it_is_there(
    small: Any, experiment_of: ExperimentOf, tmp_path: Path
) -> None:
    folder = tmp_path / "not-there-yet"
    places = replace(
        small.experiments, open_store=lambda: ExperimentStore.open(f"sqlite:///{folder / 'e.db'}")
    )
    folder.write_text("a file where a folder should be")
    small.experiments = places
    failures = counted(small, FAILURES)
    other = restarted(small)
    ask = other.client.get
    assert ask("/v1/members/ana/homepage").get_json()["experiments"] == {}
    assert ask("/readyz").status_code == 200
    assert counted(other, FAILURES) == failures + 1
    folder.unlink()
    folder.mkdir()
    other.store.set_holdout(0)
    other.run(experiment_of("ui", variant="large"))
    assert ask("/v1/members/ana/homepage").get_json()["experiments"] == {"ui": "test/treatment"}
    other.service.stop()


def test_a_store_that_goes_away_leaves_the_last_known_experiments(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf
) -> None:
    lab.run(experiment_of("ui", variant="large"))
    failures = counted(lab, FAILURES)
    by_hand(lab, "ALTER TABLE experiment_deal RENAME TO gone")
    lab.look()
    lab.look()
    assert counted(lab, FAILURES) == failures + 2
    assert page_of("ana")["experiments"] == {"ui": "test/treatment"}
    by_hand(lab, "ALTER TABLE gone RENAME TO experiment_deal")
    lab.store.change_status("test", Status.PAUSED, lab.time[0])
    lab.look()
    assert page_of("ana")["experiments"] == {}


def test_the_clock_that_pages_bear_is_left_for_commands(lab: Any) -> None:
    lab.look()
    left = lab.store.clock()
    assert left is not None
    assert left.service == lab.service.now()


def test_a_store_that_keeps_no_clock_is_served_by_all_the_same(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf
) -> None:
    by_hand(lab, "DROP TABLE experiment_clock")
    lab.run(experiment_of("ui", variant="large"))
    assert page_of("ana")["experiments"] == {"ui": "test/treatment"}


def refused(small: Any, page_of: PageOf, definition: Any) -> str:
    """Run an experiment that cannot be served, see that it is refused, and return why."""
    before = counted(small, "marquee_experiments_paused_total")
    assert small.run(definition).status is Status.PAUSED
    page = page_of("ana")
    assert (page["experiments"], page["degraded"]) == ({}, [])
    assert counted(small, "marquee_experiments_paused_total") == before + 1
    (alert,) = small.store.alerts(definition.name)
    assert small.store.get(definition.name).reason == alert.message
    small.look()
    assert len(small.store.alerts(definition.name)) == 1
    message: str = alert.message
    return message


def test_a_broken_bundle_is_refused_and_its_experiment_paused(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf, contents_of: ContentsOf
) -> None:
    champion = page_of("ana")["bundle"]
    version = lab.publish(contents_of(2), champion=False)
    (lab.bundles / version / "ranker.ubj").write_bytes(b"{")
    reason = refused(lab, page_of, experiment_of("ranker", bundle=version))
    assert "arm 'treatment'" in reason
    assert "ranker.ubj" in reason
    assert page_of("ana")["bundle"] == champion


@pytest.mark.parametrize(
    ("bundle", "reason"),
    [("20200101T000000Z-00000000", "20200101T000000Z-00000000"), ("nonsense", "nonsense"),
     ("challenger", "no bundle is called challenger")],
)  # fmt: skip
def test_a_bundle_that_is_not_there_is_refused(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf, bundle: str, reason: str
) -> None:
    assert reason in refused(lab, page_of, experiment_of("ranker", bundle=bundle))


def test_a_bundle_made_for_other_features_is_refused(
    small: Any, experiment_of: ExperimentOf, contents_of: ContentsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = small.another()
    monkeypatch.setattr(other.service, "_open_reader", lambda: (small.features, "other"))
    other.service.start(watch=False)
    version = small.publish(contents_of(2), champion=False)
    experiment = other.run(experiment_of("ranker", bundle=version))
    assert experiment.status is Status.PAUSED
    assert "schema" in experiment.reason
    other.service.stop()


def test_rules_that_contradict_this_servers_are_refused(small: Any, experiment_of: ExperimentOf) -> None:
    other = restarted(small, pages=ServingSettings(page=PageRules(most_tiles=45)))
    experiment = other.run(experiment_of("post_filter", page={"fewest_tiles": 60}))
    assert experiment.status is Status.PAUSED
    assert "fewest_tiles = 60 is above most_tiles = 45" in experiment.reason
    other.service.stop()


def test_what_cannot_be_served_leaves_the_other_experiments_alone(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf
) -> None:
    lab.run(experiment_of("ui", "tiles", variant="large"))
    assert lab.run(experiment_of("ranker", "model", bundle="nonsense")).status is Status.PAUSED
    assert page_of("ana")["experiments"] == {"ui": "tiles/treatment"}


def test_a_bundle_that_was_mended_can_be_started_again(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf, contents_of: ContentsOf
) -> None:
    version = lab.publish(contents_of(2), champion=False)
    file = lab.bundles / version / "ranker.ubj"
    sound = file.read_bytes()
    file.write_bytes(b"{")
    refused(lab, page_of, experiment_of("ranker", bundle=version))
    file.write_bytes(sound)
    lab.store.change_status("test", Status.RUNNING, lab.time[0])
    lab.look()
    assert page_of("ana")["bundle"] == version


def test_a_feature_store_that_is_away_delays_an_experiment_and_does_not_pause_it(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf, contents_of: ContentsOf
) -> None:
    version = lab.publish(contents_of(2), champion=False)
    lab.features.error = ConnectionError("away")
    assert lab.run(experiment_of("ranker", bundle=version)).status is Status.RUNNING
    assert page_of("ana")["experiments"] == {}
    lab.features.error = None
    lab.look()
    assert page_of("ana")["bundle"] == version


def test_experiments_that_come_to_overlap_are_found_within_a_minute(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf
) -> None:
    lab.run(experiment_of("ui", "first", traffic=500, first_bucket=0, variant="large"))
    lab.time[0] += timedelta(seconds=1)
    lab.run(experiment_of("ui", "second", traffic=500, first_bucket=500, variant="small"))
    by_hand(lab, "UPDATE experiments SET first_bucket = 499 WHERE name = 'second'")
    lab.look()
    assert lab.store.get("second").status is Status.RUNNING  # no change was announced
    lab.time[0] += timedelta(minutes=1)
    lab.look()
    assert [lab.store.get(name).status for name in ("first", "second")] == [Status.RUNNING, Status.PAUSED]
    assert "first" in lab.store.alerts("second")[0].message
    members = [f"member-{number}" for number in range(30)]
    assert {arm for u in members for arm in page_of(u)["experiments"].values()} <= {
        "first/treatment", "first/control",
    }  # fmt: skip


def test_an_arm_that_names_the_challenger_stays_with_the_version_it_started_with(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf, contents_of: ContentsOf
) -> None:
    first, second = (lab.publish(contents_of(seed), champion=False) for seed in (2, 3))
    BundleAliases(lab.bundles).set("challenger", first)
    lab.service.experiment_desk.create(experiment_of("ranker", bundle="challenger"))
    started = lab.service.experiment_desk.start("test", "")
    assert started.definition.arm("treatment").treatment.bundle == first
    assert page_of("ana")["bundle"] == first
    BundleAliases(lab.bundles).set("challenger", second)
    lab.look()
    assert page_of("ana")["bundle"] == first
    lab.service.experiment_desk.promote("test", "treatment", "it won")
    assert BundleAliases(lab.bundles).get("champion") == first


def test_the_bundle_of_an_experiment_is_let_go_with_it(
    lab: Any, experiment_of: ExperimentOf, contents_of: ContentsOf
) -> None:
    version = lab.publish(contents_of(2), champion=False)
    lab.run(experiment_of("ranker", bundle=version))
    assert lab.service.keeper.state_of(version).models.version == version
    lab.store.change_status("test", Status.ROLLED_BACK, lab.time[0])
    lab.look()
    with pytest.raises(LookupError, match="not held"):
        lab.service.keeper.state_of(version)


def test_two_servers_that_refuse_the_same_experiment_pause_it_once(
    lab: Any, experiment_of: ExperimentOf
) -> None:
    other = restarted(lab)
    lab.store.create(experiment_of("ranker", bundle="nonsense"), lab.time[0])
    lab.store.change_status("test", Status.RUNNING, lab.time[0])
    barrier = threading.Barrier(2)

    def look(server: Any) -> None:
        barrier.wait()
        server.look()

    threads = [threading.Thread(target=look, args=(server,)) for server in (lab, other)]
    with structlog.testing.capture_logs() as logs:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["experiment paused"]
    assert lab.store.get("test").status is Status.PAUSED
    assert len(lab.store.alerts("test")) == 1
    other.service.stop()


def test_the_background_watch_ends_when_stopped(unstarted: Any, contents: BundleContents) -> None:
    unstarted.publish(contents)
    unstarted.service.start()
    assert "experiment-watch" in [thread.name for thread in threading.enumerate()]
    unstarted.service.stop()
    assert "experiment-watch" not in [thread.name for thread in threading.enumerate()]
