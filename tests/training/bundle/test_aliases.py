from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from training.bundle import BundleAliases, BundleError
from training.bundle.aliases import ALIASES_FILE

LATER = datetime(2026, 2, 1, tzinfo=UTC)


def test_nothing_is_set_at_first(tmp_path: Path) -> None:
    aliases = BundleAliases(tmp_path)
    assert aliases.all() == {}
    assert aliases.get("champion") is None


def test_an_alias_is_what_it_was_last_set_to(publish: Any, tmp_path: Path) -> None:
    first, second = publish().name, publish(created_at=LATER).name
    aliases = BundleAliases(tmp_path)
    aliases.set("champion", first)
    aliases.set("challenger", second)
    assert aliases.all() == {"champion": first, "challenger": second}
    aliases.set("champion", second)
    assert BundleAliases(tmp_path).get("champion") == second


def test_a_change_replaces_the_file_and_leaves_no_other(publish: Any, tmp_path: Path) -> None:
    version = publish().name
    aliases = BundleAliases(tmp_path)
    aliases.set("champion", version)
    inode = (tmp_path / ALIASES_FILE).stat().st_ino
    with (tmp_path / ALIASES_FILE).open() as held:
        aliases.set("champion", version)
        assert json.load(held) == {"champion": version}  # a reader keeps the file it opened
        assert (tmp_path / ALIASES_FILE).stat().st_ino != inode
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        version, "alias_history.json", ALIASES_FILE, "aliases.lock",
    ]  # fmt: skip


def test_unknown_names_are_refused(publish: Any, tmp_path: Path) -> None:
    aliases = BundleAliases(tmp_path)
    with pytest.raises(BundleError, match="champion or challenger"):
        aliases.set("best", publish().name)
    with pytest.raises(BundleError, match="alias 'best'"):
        aliases.get("best")


@pytest.mark.parametrize("version", ["../outside", "", "latest"])
def test_what_is_no_version_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(BundleError, match="version"):
        BundleAliases(tmp_path).set("champion", version)


def test_a_version_that_was_never_published_is_refused(publish: Any, tmp_path: Path) -> None:
    aliases = BundleAliases(tmp_path)
    aliases.set("champion", publish().name)
    with pytest.raises(BundleError, match="no bundle 20200101T000000Z-00000000"):
        aliases.set("champion", "20200101T000000Z-00000000")
    assert aliases.get("champion") is not None


@pytest.mark.parametrize(
    "text", ["", "[]", '{"champion": "../../etc"}', '{"best": "20200101T000000Z-00000000"}']
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / ALIASES_FILE).write_text(text)
    with pytest.raises(BundleError, match=ALIASES_FILE):
        BundleAliases(tmp_path).all()


def test_two_processes_do_not_undo_each_others_changes(publish: Any, tmp_path: Path) -> None:
    """Each sets its own alias many times and must find it as it left it, whatever the other does."""
    versions = [publish().name, publish(created_at=LATER).name]
    program = """
import sys
from pathlib import Path
from training.bundle import BundleAliases
root, alias, *versions = sys.argv[1:]
aliases = BundleAliases(Path(root))
for turn in range(150):
    aliases.set(alias, versions[turn % 2])
    assert aliases.get(alias) == versions[turn % 2], turn
"""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), alias, *versions], env=dict(os.environ)
        )
        for alias in ("champion", "challenger")
    ]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert BundleAliases(tmp_path).all() == dict.fromkeys(("champion", "challenger"), versions[1])


def three(publish: Any) -> list[str]:
    return [publish(created_at=datetime(2026, 2, day, tzinfo=UTC)).name for day in (1, 2, 3)]


def test_every_change_is_in_the_history_with_what_was_before(publish: Any, tmp_path: Path) -> None:
    first, second, third = three(publish)
    aliases = BundleAliases(tmp_path, lambda: LATER)
    for alias, version in (("champion", first), ("challenger", third), ("champion", second)):
        aliases.set(alias, version)
    aliases.set("champion", second)  # no change
    found = [(one.alias, one.before, one.version) for one in aliases.history()]
    assert found == [
        ("champion", None, first), ("challenger", None, third), ("champion", first, second)
    ]  # fmt: skip
    assert {one.at for one in aliases.history()} == {LATER}


def test_rollbacks_go_further_back_each_time(publish: Any, tmp_path: Path) -> None:
    first, second, third = three(publish)
    aliases = BundleAliases(tmp_path)
    for version in (first, second, third):
        aliases.set("champion", version)
    aliases.set("challenger", third)
    assert aliases.earlier_champions() == [second, first]
    assert (aliases.roll_back().before, aliases.get("champion")) == (third, second)
    assert aliases.roll_back().version == first
    with pytest.raises(BundleError, match=f"no champion before {first}"):
        aliases.roll_back()
    assert aliases.all() == {"champion": first, "challenger": third}


def test_what_was_activated_after_a_rollback_can_be_rolled_back(publish: Any, tmp_path: Path) -> None:
    first, second, third = three(publish)
    aliases = BundleAliases(tmp_path)
    for version in (first, second):
        aliases.set("champion", version)
    aliases.roll_back()
    aliases.set("champion", third)
    assert aliases.earlier_champions() == [first]
    aliases.set("champion", second)
    assert aliases.roll_back().version == third


def test_a_change_that_a_crash_cut_off_counts_for_nothing(publish: Any, tmp_path: Path) -> None:
    first, second, third = three(publish)
    aliases = BundleAliases(tmp_path)
    for version in (first, second):
        aliases.set("champion", version)
    before = (tmp_path / ALIASES_FILE).read_bytes()
    aliases.set("champion", third)
    (tmp_path / ALIASES_FILE).write_bytes(before)
    assert aliases.roll_back().version == first


def test_a_champion_that_was_removed_is_passed_over(publish: Any, tmp_path: Path) -> None:
    first, second, third = three(publish)
    aliases = BundleAliases(tmp_path)
    for version in (first, second, third):
        aliases.set("champion", version)
    (tmp_path / second / "manifest.json").unlink()
    assert aliases.roll_back().version == first


def test_without_a_champion_there_is_nothing_to_roll_back(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no champion before None"):
        BundleAliases(tmp_path).roll_back()


def test_a_damaged_history_is_named(publish: Any, tmp_path: Path) -> None:
    version = publish().name
    (tmp_path / "alias_history.json").write_text("[1]")
    with pytest.raises(BundleError, match="alias_history"):
        BundleAliases(tmp_path).set("champion", version)


def test_a_training_makes_its_bundle_the_champion(publish: Any, tmp_path: Path) -> None:
    versions, aliases = three(publish), BundleAliases(tmp_path)
    for version in versions:
        assert aliases.publish(version).alias == "champion"
    assert aliases.all() == {"champion": versions[2]}
    assert [one.by for one in aliases.history()] == ["training"] * 3


@pytest.mark.parametrize("how", ["rollback", "activation"])
def test_what_people_chose_stays_champion_until_they_let_trainings_decide_again(
    how: str, publish: Any, tmp_path: Path
) -> None:
    (first, second, third), aliases = three(publish), BundleAliases(tmp_path)
    aliases.publish(first)
    aliases.publish(second)
    if how == "rollback":
        aliases.roll_back()
    else:
        aliases.set("champion", first)
    chosen = aliases.chosen_champion()
    assert chosen is not None
    assert (chosen.version, chosen.rollback) == (first, how == "rollback")
    assert aliases.publish(third).alias == "challenger"
    assert aliases.all() == {"champion": first, "challenger": third}
    assert aliases.publish(second, "champion").alias == "champion"
    assert aliases.chosen_champion() is None
    assert aliases.publish(third).alias == "champion"


def test_a_training_may_be_told_to_make_a_challenger(publish: Any, tmp_path: Path) -> None:
    versions, aliases = three(publish), BundleAliases(tmp_path)
    aliases.publish(versions[0])
    assert aliases.publish(versions[1], "challenger").alias == "challenger"
    assert aliases.publish(versions[2]).alias == "champion"
    assert aliases.all() == {"champion": versions[2], "challenger": versions[1]}


def test_a_history_from_before_it_was_kept_who_did_it_binds_no_training(publish: Any, tmp_path: Path) -> None:
    versions, aliases = three(publish), BundleAliases(tmp_path)
    aliases.set("champion", versions[0])
    history = tmp_path / "alias_history.json"
    changes = json.loads(history.read_text())
    del changes[0]["by"]
    history.write_text(json.dumps(changes))
    assert aliases.publish(versions[1]).alias == "champion"
