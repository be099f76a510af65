"""Every notebook runs to its last cell on a small trained service, and is stored without output."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from feature_repo.redis_server import running_redis
from feature_repo.settings import REPOSITORY_ROOT, Settings
from feature_repo.store import FeatureGateway
from tests.conftest import NOT_COPIED, TrainedService

FOLDER = REPOSITORY_ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PATIENCE = 900
"""Seconds after which a cell hangs."""

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def environment(
    trained_service: TrainedService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of a kernel whose home is a copy of the trained service, with everything online."""
    folder = tmp_path_factory.mktemp("notebooks")
    home = folder / "home"
    shutil.copytree(trained_service.settings.home, home, ignore=NOT_COPIED)
    alone = Settings(home, str(home / "lake"), None)
    trained_service.simulated.world.save(alone.simulation)
    with running_redis(alone) as url:
        gateway = FeatureGateway.open(alone, url)
        gateway.apply()
        gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), trained_service.end)
        own = {"REDIS_URL", "MARQUEE_LAKE", "MARQUEE_EXPERIMENTS", "MARQUEE_SERVING"}
        inherited = {name: value for name, value in os.environ.items() if name not in own}
        yield inherited | {
            "MARQUEE_HOME": str(home),
            "PYTHONPATH": str(REPOSITORY_ROOT),
            "IPYTHONDIR": str(folder / "ipython"),
            "MPLCONFIGDIR": str(folder / "matplotlib"),
        }


def test_there_is_one_of_each_part() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "01_features", "02_als", "03_two_tower", "04_ranker", "05_experiment", "06_page",
    ]  # fmt: skip


@each_notebook
def test_it_is_stored_without_output(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in code_cells(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None
        assert cell.metadata == {}


@each_notebook
def test_it_begins_with_its_question_and_the_feature_store(path: Path) -> None:
    cells = read(path).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith(f"# {path.stem[:2]} · ")
    assert "?" in cells[0].source
    assert "home = open_workbench()" in cells[1].source


@pytest.mark.slow
@each_notebook
def test_it_runs(path: Path, environment: dict[str, str]) -> None:
    notebook = read(path)
    client = NotebookClient(
        notebook, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    )
    client.execute(env=environment)
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    plots = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(plots) >= 3
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
