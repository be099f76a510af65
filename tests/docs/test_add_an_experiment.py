"""docs/add_an_experiment.md, followed to the letter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serving.settings import ServingSettings
from tests.docs.commands import run_line
from tests.docs.markdown import FOLDER, blocks_of

PAGE = FOLDER / "add_an_experiment.md"


def test_the_commands_do_and_print_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    environment = {"MARQUEE_HOME": str(home), "MARQUEE_LAKE": "", "MARQUEE_EXPERIMENTS": ""}
    printed = ""
    for block in blocks_of(PAGE):
        if block.language == "json":
            Path(block.argument).write_text(block.text, "utf-8")
        elif block.language == "sh":
            printed = "".join(run_line(line, environment).stdout for line in block.text.splitlines())
        elif block.language == "text":
            assert printed == block.text
    rules = ServingSettings.load(tmp_path / "settings.json").page
    assert (rules.genre_rows, rules.top_picks) == (2, 20)
    decisions = [json.loads(file.read_text()) for file in (home / "experiments" / "decisions").iterdir()]
    assert sorted(decision["action"] for decision in decisions) == ["promote", "roll_back"]
