from __future__ import annotations

import json

import pytest
import structlog

from serving.logs import configure_logs


def test_a_log_line_is_json_on_standard_error_with_time_and_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs()
    structlog.get_logger("test").warning("bundle refused", version="v1")
    captured = capsys.readouterr()
    line = json.loads(captured.err)
    assert captured.out == ""
    assert (line["event"], line["level"], line["version"]) == ("bundle refused", "warning", "v1")
    assert line["timestamp"].endswith("Z")


def test_an_exception_is_logged_on_one_line_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    try:
        raise ValueError("no such title")
    except ValueError:
        structlog.get_logger("test").exception("stage failed", stage="als")
    [text] = capsys.readouterr().err.splitlines()
    assert "ValueError: no such title" in json.loads(text)["exception"]
