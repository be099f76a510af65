from __future__ import annotations

from tests.faults.declarations import DOCUMENT, declared, written


def test_the_document_says_what_the_tests_prove() -> None:
    document = DOCUMENT.read_text()
    assert document == written(document), "write it anew: python -m tests.faults"


def test_every_fault_is_declared_once() -> None:
    names = [one.name for one in declared()]
    assert len(names) >= 10
    assert len(names) == len(set(names))
