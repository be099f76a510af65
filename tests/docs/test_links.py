"""No document points to what is not there, and none is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from feature_repo.settings import REPOSITORY_ROOT
from tests.docs.markdown import FOLDER, anchors_of, documents, links_of

INDEX = FOLDER / "README.md"


def name_of(page: Path) -> str:
    return str(page.relative_to(REPOSITORY_ROOT))


def target_of(page: Path, path: str) -> Path:
    return (page.parent / path).resolve() if path else page


@pytest.mark.parametrize("page", documents(), ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in links_of(page):
        target = target_of(page, path)
        assert target.exists(), f"{name_of(page)} points to {path}, which is not there"
        if anchor and target.suffix == ".md":
            assert anchor in anchors_of(target), f"{name_of(page)} points to {path}#{anchor}"


def test_every_page_is_reached_from_the_index() -> None:
    reached, waiting = {INDEX}, [INDEX]
    while waiting:
        page = waiting.pop()
        targets = {target_of(page, path) for path, _ in links_of(page)}
        new = {target for target in targets - reached if target.suffix == ".md" and target.exists()}
        reached |= new
        waiting += new
    assert {page for page in documents() if page.is_relative_to(FOLDER)} <= reached


def test_every_picture_is_shown_somewhere() -> None:
    shown = {target_of(page, path) for page in documents() for path, _ in links_of(page)}
    assert set((FOLDER / "pictures").iterdir()) <= shown
