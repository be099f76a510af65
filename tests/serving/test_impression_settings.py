"""docs/impressions.md names the settings of the writer, with their defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from feature_repo.settings import REPOSITORY_ROOT
from serving.settings import ImpressionSettings, ServingSettings


def test_defaults_are_those_of_the_document() -> None:
    document = (REPOSITORY_ROOT / "docs" / "impressions.md").read_text("utf-8")
    defaults = ImpressionSettings()
    for said in (
        f"`flush_seconds` ({defaults.flush_seconds:g})", f"`flush_tiles` ({defaults.flush_tiles:,})",
        f"`stop_seconds` ({defaults.stop_seconds:g})", f"`queue_tiles` ({defaults.queue_tiles:,} tiles",
    ):  # fmt: skip
        assert said in document


def test_a_file_may_switch_the_log_off_and_a_queue_holds_a_page_at_least(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"impressions": {"enabled": false}}')
    assert not ServingSettings.load(file).impressions.enabled
    file.write_text('{"impressions": {"queue_tiles": 79}}')
    with pytest.raises(ValueError, match="queue_tiles"):
        ServingSettings.load(file)
