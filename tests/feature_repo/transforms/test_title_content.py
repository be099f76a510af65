from __future__ import annotations

from datetime import UTC, datetime

from feature_repo import encoder_tables as tables, schema as s
from feature_repo.transforms.title_content import ContentEncoder, title_content

CREATED = datetime(2024, 6, 1, tzinfo=UTC)


def test_one_row_per_title_at_the_instant_of_its_metadata(make_titles, instant):
    titles = make_titles([("b", [], 7, ["Ana", "Bo"], "a pirate ship"), ("a", [], 3, [], None)])
    batch = title_content(titles, ContentEncoder.fit(titles, seed=0), CREATED)
    assert batch.schema == s.TITLE_CONTENT.arrow_schema
    known, unknown = batch.to_pylist()
    assert (known[s.TITLE_ID], known[s.EVENT_TIMESTAMP]) == ("b", instant(7))
    assert any(known[s.CAST_VECTOR])
    assert any(known[s.SYNOPSIS_EMBEDDING])
    assert not any(unknown[s.CAST_VECTOR])
    assert not any(unknown[s.SYNOPSIS_EMBEDDING])


def test_an_encoder_that_was_stored_and_read_in_any_order_gives_the_same_vectors(make_titles):
    titles = make_titles([
        ("a", [], 3, ["Ana", "Bo"], "a pirate ship"), ("b", [], 3, ["Bo", "Cy"], "a ship of fools"),
        ("c", [], 3, ["Ana", "Cy"], "fools and pirates"),
    ])  # fmt: skip
    encoder = ContentEncoder.fit(titles, seed=0)
    words, people = encoder.words_table(CREATED), encoder.people_table(CREATED)
    assert words.schema == tables.CONTENT_WORDS.arrow_schema
    assert people.schema == tables.CONTENT_PEOPLE.arrow_schema
    backwards = [table.take(list(range(len(table)))[::-1]) for table in (words, people)]
    again = ContentEncoder.from_tables(*backwards)
    assert title_content(titles, again, CREATED).equals(title_content(titles, encoder, CREATED))
