"""Commands and environment variables in the documents are those of the programs."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import click
import pytest

from feature_repo.settings import REPOSITORY_ROOT
from tests.docs.commands import PROGRAMS
from tests.docs.markdown import FOLDER, documents, repository_files

COMMAND = re.compile(r"python -m ([\w.]+)((?: [a-z][a-z-]*(?=[\s`)\\.,:;]|$))*)([^\n`|]*)")
OPTION = re.compile(r"(?<=\s)--[a-z][a-z-]*")
VARIABLE = re.compile(r"\bMARQUEE_[A-Z_]+[A-Z]\b")
TARGET = re.compile(r"`make ([a-z]+)")
NAMES_ONLY_IN_TESTS = {"MARQUEE_MOVIELENS", "MARQUEE_BENCH_IMPRESSIONS", "MARQUEE_BENCH_PAGES_A_SECOND"}


def named_commands() -> list[tuple[str, str, str, str]]:
    """Return (document, program, words after it, rest of the line), each once."""
    found = {
        (str(page.relative_to(REPOSITORY_ROOT)), program, words.strip(), rest)
        for page in documents()
        for program, words, rest in COMMAND.findall(page.read_text("utf-8"))
    }
    return sorted(found)


@pytest.mark.parametrize(("page", "program", "words", "rest"), named_commands())
def test_a_named_command_is_there_with_its_options(page: str, program: str, words: str, rest: str) -> None:
    if program not in PROGRAMS:
        assert importlib.util.find_spec(program) is not None, f"{page}: no module {program}"
        return
    command, trail = PROGRAMS[program], [program]
    for word in words.split():
        if not isinstance(command, click.Group):
            break  # an argument
        assert word in command.commands, f"{page}: python -m {' '.join(trail)} has no command {word!r}"
        command, trail = command.commands[word], [*trail, word]
    options = {text for one in command.params for text in (*one.opts, *one.secondary_opts)} | {"--help"}
    if not isinstance(command, click.Group):
        strange = set(OPTION.findall(rest.split(" -- ", maxsplit=1)[0])) - options
        assert not strange, f"{page}: python -m {' '.join(trail)} has no {', '.join(strange)}"


def test_every_command_is_named_in_the_documents() -> None:
    text = "".join(page.read_text("utf-8") for page in documents())
    for program, group in PROGRAMS.items():
        assert isinstance(group, click.Group)
        missing = [name for name in group.commands if not re.search(rf"\b{name}\b", text)]
        assert not missing, f"{program}: no document names {', '.join(missing)}"


def test_environment_variables_in_the_documents_are_read_and_those_read_are_documented() -> None:
    code = {"feature_repo", "training", "serving", "experiments"}
    read = set()
    for path in repository_files():
        if path.suffix in {".py", ".yaml"} and path.relative_to(REPOSITORY_ROOT).parts[0] in code:
            read |= set(VARIABLE.findall(path.read_text("utf-8")))
    told = {page: set(VARIABLE.findall(page.read_text("utf-8"))) for page in documents()}
    for page, names in told.items():
        assert names <= read | NAMES_ONLY_IN_TESTS, page
    assert read <= told[FOLDER / "configuration.md"]


def test_make_targets_in_the_documents_are_those_of_the_makefile() -> None:
    makefile = (REPOSITORY_ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {name for page in documents() for name in TARGET.findall(page.read_text("utf-8"))}
    assert named
    assert named <= targets


def test_files_named_in_the_documents_are_there() -> None:
    """Paths of the repository in backquotes, such as `serving/app.py`."""
    folders = "|".join(("feature_repo", "training", "serving", "experiments", "tests", "operations", "docs"))
    pattern = re.compile(rf"`((?:{folders})/[\w./-]+\.(?:py|md|json|yml|yaml|csv|html|css))`")
    for page in documents():
        for name in pattern.findall(page.read_text("utf-8")):
            assert Path(REPOSITORY_ROOT / name).exists(), f"{page.name}: {name}"
