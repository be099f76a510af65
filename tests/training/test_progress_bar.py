from __future__ import annotations

import io

from rich.console import Console

from training.progress_bar import progress_bar


def drawn(terminal: bool) -> str:
    """What two epochs and a log line between them leave on a console."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, log_path=False, log_time=False)
    with progress_bar(console) as show:
        show("epoch 1", 1, 4)
        console.log("validated")
        show("epoch 2", 2, 4)
        show("epoch 2", 4, 4)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_piece_of_work_has_its_bar_and_log_lines_stay() -> None:
    text = drawn(terminal=True)
    assert "epoch 1" in text
    assert "1/4" in text
    assert "validated" in text


def test_a_file_gets_the_log_lines_alone() -> None:
    assert drawn(terminal=False).split() == ["validated"]
