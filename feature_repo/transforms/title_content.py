"""What a title is about: its cast and its synopsis, each as a vector."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from feature_repo import schema as s
from feature_repo.transforms.arrow_columns import record_batch, vectors
from feature_repo.transforms.cast import cast_vectors
from feature_repo.transforms.synopsis import synopsis_embeddings


def title_content(titles: pa.Table, created_at: datetime, seed: int) -> pa.RecordBatch:
    """Return one TITLE_CONTENT row for each row of a ``titles`` table, at the same instant.

    The axes are fitted on the whole table; see :mod:`feature_repo.transforms.cast` and
    :mod:`feature_repo.transforms.synopsis` for what that means.
    """
    columns = {
        s.TITLE_ID: titles[s.TITLE_ID],
        s.EVENT_TIMESTAMP: titles[s.EVENT_TIMESTAMP],
        s.CAST_VECTOR: vectors(cast_vectors(titles[s.CAST], seed)),
        s.SYNOPSIS_EMBEDDING: vectors(synopsis_embeddings(titles[s.SYNOPSIS].to_pylist(), seed)),
    }
    return record_batch(s.TITLE_CONTENT, columns, created_at)
