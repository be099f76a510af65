"""Decisions whose process was killed, or whose files or store were lost, are finished by the next."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from experiments.definitions import Status
from experiments.promotion import finish_interrupted
from experiments.records import DecisionRecord
from experiments.starting import start_experiment
from experiments.store import ExperimentStore
from tests.experiments.promoting_home import LATER, NEW, NOW, OLD, THIRD, Home

if TYPE_CHECKING:
    pass

KILLED = """
import os, sys
from datetime import datetime
from pathlib import Path
from experiments.bundle_alias import bundle_aliases
from experiments.promotion import carry_out
from experiments.store import ExperimentStore

url, bundles, decisions, moment, action, now = sys.argv[1:]

class Killed:
    def __init__(self, aliases):
        self.aliases = aliases
    def get(self, alias):
        return self.aliases.get(alias)
    def set(self, alias, version, *, rollback=False):
        if moment == "after":
            self.aliases.set(alias, version, rollback=rollback)
        os._exit(9)

aliases = Killed(bundle_aliases(Path(bundles)))
arm = "new" if action == "promote" else None
carry_out(ExperimentStore.open(url), aliases, Path(decisions), "one", action, arm, "first", {},
          datetime.fromisoformat(now), "rule")
"""


def be_killed(home: Home, url: str, moment: str, action: str, now: datetime) -> None:
    """Carry out a decision in a process that ends before or after it moved the alias."""
    arguments = [url, str(home.bundles), str(home.decisions), moment, action, now.isoformat()]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], env={**os.environ}, check=False)
    assert done.returncode == 9


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_promotion_whose_process_is_killed_is_finished_by_the_next(
    home: Home, url: str, moment: str
) -> None:
    home.run()
    be_killed(home, url, moment, "promote", LATER)
    assert home.status() is Status.RUNNING  # not promoted without a row
    assert home.store.decisions("one") == []
    assert len(home.files) == 1
    assert home.champion == (NEW if moment == "after" else OLD)
    record = home.decide("promote", "new", now=LATER + timedelta(days=1), reason="second")
    assert (record.reason, record.decided_at) == ("first", LATER)
    assert (record.champion_before, record.champion_after) == (OLD, NEW)
    assert (home.champion, home.status()) == (NEW, Status.PROMOTED)
    assert home.store.decisions("one") == [record]
    assert len(home.files) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_rollback_whose_process_is_killed_is_finished_too(home: Home, url: str, moment: str) -> None:
    home.run()
    home.decide("promote", "new")
    be_killed(home, url, moment, "roll_back", LATER + timedelta(days=1))
    assert home.status() is Status.PROMOTED
    finished = finish_interrupted(home.store, home.aliases, home.decisions, "one")
    assert [(r.action, r.champion_after) for r in finished] == [("roll_back", OLD)]
    assert (home.champion, home.status()) == (OLD, Status.ROLLED_BACK)
    assert finish_interrupted(home.store, home.aliases, home.decisions, "one") == []


def test_an_interrupted_promotion_does_not_stand_in_the_way_of_a_rollback(home: Home, url: str) -> None:
    home.run()
    be_killed(home, url, "after", "promote", LATER)
    home.decide("roll_back", now=LATER + timedelta(days=1))
    assert (home.champion, home.status()) == (OLD, Status.ROLLED_BACK)
    assert [r.action for r in home.store.decisions("one")] == ["promote", "roll_back"]


def test_a_champion_since_is_not_replaced_when_a_promotion_is_finished(home: Home, url: str) -> None:
    home.run()
    be_killed(home, url, "before", "promote", LATER)
    home.aliases.set("champion", THIRD)
    finish_interrupted(home.store, home.aliases, home.decisions, "one")
    assert (home.champion, home.status()) == (THIRD, Status.PROMOTED)


def test_a_file_that_was_lost_is_written_again(home: Home) -> None:
    home.run()
    home.decide("promote", "new")
    files = home.files
    next(home.decisions.iterdir()).unlink()
    home.decide("promote", "new")
    assert home.files == files


def test_files_of_others_are_left_alone(home: Home) -> None:
    """Of an earlier experiment of that name, of one whose name begins alike; and what is no decision."""
    home.run()
    home.decisions.mkdir(parents=True)
    of_old = DecisionRecord(
        experiment="one", decided_at=NOW - timedelta(days=1), action="promote", arm="new", reason="",
        champion_before=OLD, champion_after=NEW, decided_by="rule",
    )  # fmt: skip
    (home.decisions / "one-20261031T120000.000000Z.json").write_text(of_old.model_dump_json())
    alike = of_old.model_copy(update={"experiment": "one-more", "decided_at": LATER})
    (home.decisions / "one-more-20261116T120000.000000Z.json").write_text(alike.model_dump_json())
    (home.decisions / "one-20261116T130000.000000Z.json").write_text("{")
    names = sorted(file.name for file in home.decisions.iterdir())
    assert finish_interrupted(home.store, home.aliases, home.decisions, "one") == []
    assert (home.champion, home.status()) == (OLD, Status.RUNNING)
    assert sorted(file.name for file in home.decisions.iterdir()) == names


def test_a_backup_of_the_store_learns_of_the_decisions_since_from_their_files(
    home: Home, tmp_path: Path
) -> None:
    home.run()
    home.decide("hold", now=LATER - timedelta(days=1))
    home.decide("promote", "new")
    with_backup = ExperimentStore.open(f"sqlite:///{tmp_path / 'backup.db'}")
    with_backup.create(home.define(), NOW)
    start_experiment(with_backup, home.aliases, "one", NOW)
    finished = finish_interrupted(with_backup, home.aliases, home.decisions, "one")
    assert finished == home.store.decisions("one") == with_backup.decisions("one")
    assert with_backup.get("one") == home.store.get("one")
    assert home.champion == NEW
    with_backup.close()
