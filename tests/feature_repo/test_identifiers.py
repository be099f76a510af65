from __future__ import annotations

import pyarrow as pa
import pytest
from pydantic import TypeAdapter, ValidationError

from feature_repo.identifiers import broken
from serving.api.models import NewIdentifier

GOOD = [
    "1", "m000001", "t000001", "night-ferry", "tt0133093", "3f2a:7", "a b", " a", ".a", "a.", "...a", "ä",
    "\u7530", "x" * 128, "\u7530" * 128, "50%", "a+b=", "\\", "\U0001f600",
]  # fmt: skip
BAD = [
    "", " ", ".", "..", "...", " . ", "\u00a0", "\u3000.", "a/b", "/", "a,b", ",", "a\n", "\x00", "a\x00b",
    "a\x7f", "a\x85b", "\x1c", "x" * 129,
]  # fmt: skip


def taken_by_the_interface(text: str) -> bool:
    try:
        TypeAdapter(NewIdentifier).validate_python(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("texts", "allowed"), [(GOOD, True), (BAD, False)], ids=["good", "bad"])
def test_files_and_calls_take_the_same_ids(texts: list[str], allowed: bool) -> None:
    assert {text: taken_by_the_interface(text) for text in texts} == dict.fromkeys(texts, allowed)
    assert broken(pa.array(texts)).to_pylist() == [not allowed] * len(texts)


def test_files_and_calls_agree_about_every_character() -> None:
    adapter = TypeAdapter(list[NewIdentifier])
    # Alone, and with a dot: what is neither blank nor dot makes an id of it.
    texts = [chr(code) + dot for code in range(0x3100) for dot in ("", ".")]
    try:
        adapter.validate_python(texts)
        refused = set()
    except ValidationError as error:
        refused = {texts[int(one["loc"][0])] for one in error.errors()}
    by_files = {text for text, bad in zip(texts, broken(pa.array(texts)).to_pylist(), strict=True) if bad}
    assert refused == by_files
    assert {"/", ",", " ", "\u2003.", "\x9f"} <= refused


def test_what_is_missing_breaks_no_rule_of_ids() -> None:
    assert broken(pa.array([None, "a"], pa.string())).to_pylist() == [None, False]
