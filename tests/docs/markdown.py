"""What the documents hold that a test can follow: fenced blocks, links, headings."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feature_repo.settings import REPOSITORY_ROOT

FOLDER: Final = REPOSITORY_ROOT / "docs"
_FENCED: Final = re.compile(r"^```(\w*) *([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: ```` ```language argument ````; the argument, where there is one, names its file."""

    language: str
    argument: str
    text: str


def documents() -> list[Path]:
    """Return every Markdown file that git knows or would take, the README among them."""
    return [path for path in repository_files() if path.suffix == ".md"]


def repository_files() -> list[Path]:
    """Return every file that git knows or would take, in order."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY_ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    paths = (REPOSITORY_ROOT / name for name in sorted(filter(None, listed.split("\0"))))
    return [path for path in paths if path.is_file()]


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [Block(*found) for found in _FENCED.findall(page.read_text("utf-8"))]


def prose_of(text: str) -> str:
    """Return a document without its fenced blocks."""
    return _FENCED.sub("", text)


def links_of(page: Path) -> Iterator[tuple[str, str]]:
    """Yield (path, anchor) of the links within the repository, each empty where the link has none."""
    for target in _LINK.findall(prose_of(page.read_text("utf-8"))):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield path, anchor


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    return {_anchor(heading) for heading in _HEADING.findall(prose_of(page.read_text("utf-8")))}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower().strip()).replace(" ", "-")
