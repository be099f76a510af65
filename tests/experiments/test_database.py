"""Which databases a store can be in, and what is said of those it cannot."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from experiments.errors import StoreUnavailableError
from experiments.opening import decisions_folder, store_url
from experiments.store import ExperimentStore
from feature_repo.settings import Settings


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("experiments.db", "no database URL: use sqlite:///file.db or postgresql://"),
        ("mysql://user:secret@host/db", "use sqlite:///file.db or postgresql://"),
        ("sqlite://", "would be forgotten: name a file"),
        ("sqlite:///:memory:", "would be forgotten: name a file"),
    ],
)
def test_another_kind_of_database_is_refused_with_those_that_do(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        ExperimentStore.open(url)
    assert "secret" not in str(refused.value)


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(StoreUnavailableError, match=r"user:\*\*\*@127.0.0.1:1/db") as refused:
        ExperimentStore.open("postgresql://user:secret@127.0.0.1:1/db")
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "experiments.db").write_text("no database at all, but long enough to be looked at" * 20)
    with pytest.raises(StoreUnavailableError, match=r"experiments.db: file is not a database"):
        ExperimentStore.open(f"sqlite:///{tmp_path / 'experiments.db'}")


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    ExperimentStore.open(f"sqlite:///{tmp_path / 'a' / 'b' / 'experiments.db'}").close()
    with sqlite3.connect(tmp_path / "a" / "b" / "experiments.db") as connection:
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    assert tables == {
        "experiments",
        "experiment_decisions",
        "experiment_alerts",
        "experiment_deal",
        "experiment_clock",
    }


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_postgresql_is_reached_by_each_of_its_names(postgresql: Callable[[], str], scheme: str) -> None:
    url = make_url(postgresql()).set(drivername=scheme)
    store = ExperimentStore.open(url.render_as_string(hide_password=False))
    assert store.holdout() == 50
    store.close()


def test_a_home_has_its_store_in_a_file_unless_the_environment_names_one(tmp_path: Path) -> None:
    settings = Settings(tmp_path, str(tmp_path / "lake"), None)
    assert store_url(settings, {}) == f"sqlite:///{tmp_path}/experiments.db"
    assert store_url(settings, {"MARQUEE_EXPERIMENTS": ""}) == f"sqlite:///{tmp_path}/experiments.db"
    assert store_url(settings, {"MARQUEE_EXPERIMENTS": "postgresql://h/d"}) == "postgresql://h/d"
    assert decisions_folder(settings) == tmp_path / "experiments" / "decisions"
