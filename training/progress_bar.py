"""How far long work is, as a bar in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress as Bars, TextColumn, TimeRemainingColumn

from feature_repo.progress import Progress


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """Yield what draws a bar on ``console``, from the first time it is called; gone at the end.

    What ``console`` logs meanwhile stands above the bar. Where it is no terminal nothing is drawn.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=None, visible=False)
        shown = ""

        def show(what: str, done: int, total: int) -> None:
            nonlocal shown
            if what != shown:
                shown = what
                bars.reset(task, description=what, completed=done, total=total, visible=True)
            bars.update(task, completed=done, visible=done < total)

        yield show
