"""What ruff's security rules do not see: ways in which a file could become code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo.settings import REPOSITORY_ROOT

FOLDERS = ("feature_repo", "training", "serving", "experiments")
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle", "pty"}
CALLS = {"eval", "exec", "yaml.load", "os.system", "os.popen", "torch.load", "pd.read_pickle"}
TRUE_ARGUMENTS = {"shell", "allow_pickle"}


def offences(source: str) -> Iterator[str]:
    """Yield each import or call that may turn data into code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            yield str(node.module)
        elif isinstance(node, ast.Call):
            if ast.unparse(node.func) in CALLS:
                yield ast.unparse(node.func)
            yield from (
                str(k.arg)
                for k in node.keywords
                if k.arg in TRUE_ARGUMENTS and not (isinstance(k.value, ast.Constant) and not k.value.value)
            )


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_turns_data_into_code(folder: str) -> None:
    files = sorted((REPOSITORY_ROOT / folder).rglob("*.py"))
    assert files
    found = {str(path): list(offences(path.read_text("utf-8"))) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", ["pickle"]),
        ("from joblib import load", ["joblib"]),
        ("eval('1')", ["eval"]),
        ("np.load(p, allow_pickle=True)", ["allow_pickle"]),
        ("np.load(p, allow_pickle=False)", []),
        ("run(c, shell=flag)", ["shell"]),
        ("torch.load(p)", ["torch.load"]),
        ("import json", []),
    ],
)
def test_what_would_be_found(source: str, found: list[str]) -> None:
    assert list(offences(source)) == found


def test_the_folders_are_all_there_is() -> None:
    ours = {path.parent.name for path in Path(REPOSITORY_ROOT).glob("*/__init__.py")}
    assert ours <= {*FOLDERS, "tests"}
