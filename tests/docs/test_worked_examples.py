"""The pages that tell how to add something are followed to the letter, in a copy of the repository."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from feature_repo.settings import REPOSITORY_ROOT
from tests.docs.markdown import FOLDER, Block, blocks_of, repository_files

PAGES = ("add_a_feature.md", "add_a_generator.md", "add_a_row.md")
PYTEST = "python -m pytest "


def copied(folder: Path) -> Path:
    """Copy what git knows of the repository."""
    for path in repository_files():
        target = folder / path.relative_to(REPOSITORY_ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    return folder


def follow(page: str, copy: Path) -> None:
    """Apply a page's changes, write its new files; raises ``CalledProcessError`` where one does not fit."""
    for block in blocks_of(FOLDER / page):
        if block.language == "diff":
            _apply(block, copy)
        elif block.language == "python" and block.argument:
            target = copy / block.argument
            assert not target.exists(), f"{page}: {block.argument} is there already"
            target.write_text(block.text, "utf-8")


def _apply(block: Block, copy: Path) -> None:
    subprocess.run(
        ["git", "apply", "-"], input=block.text.encode(), cwd=copy, check=True,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(copy.parent)},
    )  # fmt: skip


def named_tests(page: str) -> list[str]:
    """Return the files that the page's pytest commands name."""
    lines = [
        line
        for block in blocks_of(FOLDER / page)
        if block.language == "sh"
        for line in block.text.splitlines()
    ]
    return [file for line in lines if line.startswith(PYTEST) for file in shlex.split(line)[3:]]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Follow all pages in one copy, run their tests, and return what became of them, by file."""
    copy = copied(tmp_path_factory.mktemp("worked") / "marquee")
    for page in PAGES:
        follow(page, copy)
    files = list(dict.fromkeys(file for page in PAGES for file in named_tests(page)))
    # The interpreter's own installation of the project must give way to the copy.
    environment = {**os.environ, "PYTHONPATH": str(copy), "MARQUEE_HOME": str(copy / "var")}
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_ADDOPTS", "REDIS_URL"):
        environment.pop(name, None)
    report = copy / "report.xml"
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}", *files],
        cwd=copy, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(ended.stdout)  # noqa: T201  (pytest shows it where a test fails)
    assert report.exists(), ended.stdout + ended.stderr
    found: dict[str, list[str]] = {file: [] for file in files}
    for case in ElementTree.parse(report).iter("testcase"):
        module = str(case.get("classname")).replace(".", "/")
        file = next(file for file in files if module.startswith(file.removesuffix(".py")))
        failed = case.find("failure") is not None or case.find("error") is not None
        found[file].append(
            "failed" if failed else "skipped" if case.find("skipped") is not None else "passed"
        )
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_the_repository_by_itself(page: str, tmp_path: Path) -> None:
    copy = copied(tmp_path / "marquee")
    follow(page, copy)
    assert named_tests(page)
    assert all((copy / file).exists() for file in named_tests(page))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_adds_works_as_its_tests_say(page: str, outcomes: dict[str, list[str]]) -> None:
    for file in named_tests(page):
        assert outcomes[file], f"{file}: no test ran"
        assert set(outcomes[file]) == {"passed"}, file
