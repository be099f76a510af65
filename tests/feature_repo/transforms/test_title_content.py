from __future__ import annotations

from datetime import UTC, datetime

from feature_repo import schema as s
from feature_repo.transforms.title_content import title_content

CREATED = datetime(2024, 6, 1, tzinfo=UTC)


def test_one_row_per_title_at_the_instant_of_its_metadata(make_titles, instant):
    titles = make_titles([("b", [], 7, ["Ana", "Bo"], "a pirate ship"), ("a", [], 3, [], None)])
    batch = title_content(titles, CREATED, seed=0)
    assert batch.schema == s.TITLE_CONTENT.arrow_schema
    known, unknown = batch.to_pylist()
    assert (known[s.TITLE_ID], known[s.EVENT_TIMESTAMP]) == ("b", instant(7))
    assert any(known[s.CAST_VECTOR])
    assert any(known[s.SYNOPSIS_EMBEDDING])
    assert not any(unknown[s.CAST_VECTOR])
    assert not any(unknown[s.SYNOPSIS_EMBEDDING])
