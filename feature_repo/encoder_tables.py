"""What new titles are encoded with: tables of the lake that are no feature views."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from feature_repo import schema as s
from feature_repo.tables import Column, Table

WORD: Final = "word"
INVERSE_DOCUMENT_FREQUENCY: Final = "inverse_document_frequency"
PERSON: Final = "person"
AXES: Final = "axes"

_when = s.EVENTS.column(s.EVENT_TIMESTAMP)

CONTENT_WORDS: Final = Table(
    "content_words", "The words that synopsis embeddings are made of, with their axes.", (WORD,),
    (
        Column(WORD, pa.string(), "as the analyser cuts it"), _when,
        Column(INVERSE_DOCUMENT_FREQUENCY, pa.float32(), "weight of the word", minimum=0.0),
        Column(AXES, pa.list_(pa.float32()), "its row of the SVD's axes", length=s.SYNOPSIS_DIMENSIONS),
    ),
    partition="month",
)  # fmt: skip

CONTENT_PEOPLE: Final = Table(
    "content_people", "The people that cast vectors are made of, each with a vector.", (PERSON,),
    (
        Column(PERSON, pa.string(), "as billed"), _when,
        Column(AXES, pa.list_(pa.float32()), "the person's vector", length=s.CAST_DIMENSIONS),
    ),
    partition="month",
)  # fmt: skip

ENCODER_TABLES: Final = (CONTENT_WORDS, CONTENT_PEOPLE)
