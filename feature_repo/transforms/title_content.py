"""What a title is about: its cast and its synopsis, each as a vector on axes fitted on the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import encoder_tables as tables, schema as s
from feature_repo.transforms.arrow_columns import record_batch, vectors
from feature_repo.transforms.cast import CastEncoder
from feature_repo.transforms.synopsis import SynopsisEncoder


@dataclass(frozen=True, slots=True)
class ContentEncoder:
    """Lays titles on the axes of a catalogue; kept as two tables, so that later titles find the same axes."""

    synopsis: SynopsisEncoder
    cast: CastEncoder

    @classmethod
    def fit(cls, titles: pa.Table, seed: int) -> ContentEncoder:
        """Fit on a whole ``titles`` table."""
        return cls(
            SynopsisEncoder.fit(titles[s.SYNOPSIS].to_pylist(), seed), CastEncoder.fit(titles[s.CAST], seed)
        )

    @classmethod
    def from_tables(cls, words: pa.Table, people: pa.Table) -> ContentEncoder:
        """Read what :meth:`words_table` and :meth:`people_table` wrote, rows in any order."""
        words, people = words.sort_by(tables.WORD), people.sort_by(tables.PERSON)
        synopsis = SynopsisEncoder(
            np.array(words[tables.WORD].to_pylist(), dtype=np.str_),
            words[tables.INVERSE_DOCUMENT_FREQUENCY].to_numpy(),
            _matrix(words[tables.AXES], s.SYNOPSIS_DIMENSIONS),
        )
        names = people[tables.PERSON].combine_chunks()
        return cls(synopsis, CastEncoder(names, _matrix(people[tables.AXES], s.CAST_DIMENSIONS)))

    def words_table(self, fitted_at: datetime) -> pa.Table:
        """Return CONTENT_WORDS."""
        return _table(tables.CONTENT_WORDS, fitted_at, {
            tables.WORD: pa.array(self.synopsis.words.tolist(), pa.string()),
            tables.INVERSE_DOCUMENT_FREQUENCY: pa.array(self.synopsis.frequencies, pa.float32()),
            tables.AXES: vectors(self.synopsis.axes),
        })  # fmt: skip

    def people_table(self, fitted_at: datetime) -> pa.Table:
        """Return CONTENT_PEOPLE."""
        columns = {tables.PERSON: self.cast.people, tables.AXES: vectors(self.cast.vectors)}
        return _table(tables.CONTENT_PEOPLE, fitted_at, columns)


def title_content(titles: pa.Table, encoder: ContentEncoder, created_at: datetime) -> pa.RecordBatch:
    """Return one TITLE_CONTENT row for each row of a ``titles`` table, at the same instant."""
    columns = {
        s.TITLE_ID: titles[s.TITLE_ID],
        s.EVENT_TIMESTAMP: titles[s.EVENT_TIMESTAMP],
        s.CAST_VECTOR: vectors(encoder.cast.encode(titles[s.CAST])),
        s.SYNOPSIS_EMBEDDING: vectors(encoder.synopsis.encode(titles[s.SYNOPSIS].to_pylist())),
    }
    return record_batch(s.TITLE_CONTENT, columns, created_at)


def _table(table: s.Table, fitted_at: datetime, columns: dict[str, Any]) -> pa.Table:
    rows = len(next(iter(columns.values())))
    stamped = {**columns, s.EVENT_TIMESTAMP: pa.array([fitted_at] * rows, pa.timestamp("us", tz="UTC"))}
    return pa.table({c.name: stamped[c.name] for c in table.columns}, schema=table.arrow_schema)


def _matrix(lists: pa.ChunkedArray, width: int) -> NDArray[np.float32]:
    flat = lists.combine_chunks().flatten().to_numpy()
    matrix: NDArray[np.float32] = flat.astype(np.float32, copy=False).reshape(-1, width)
    return matrix
