"""Factors as feature rows: they stand at the end of the data they were trained on."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.transforms.calendar import epoch_microseconds
from training.factors import Factors
from training.interactions import InteractionMatrix


def store_embeddings(
    lake: Lake,
    factors: Factors,
    matrix: InteractionMatrix,
    *,
    trained_at: datetime,
    created_at: datetime,
    model_version: str,
    replace: bool = False,
) -> int:
    """Write the vectors of members and titles that had interactions; return how many rows.

    ``matrix`` is what they were fitted on: TRAINING_EVENT_COUNT counts its interactions, without those that
    the window and the sampling left out. ``trained_at`` becomes their event timestamp, so that point-in-time
    retrieval never sees a vector before the end of its training data. ``replace`` drops the vectors of
    earlier trainings.
    """
    write = lake.replace if replace else lake.append
    tables = embedding_tables(
        factors, matrix, trained_at=trained_at, created_at=created_at, model_version=model_version
    )
    return sum(write(table, rows) for table, rows in tables)


def embedding_tables(
    factors: Factors,
    matrix: InteractionMatrix,
    *,
    trained_at: datetime,
    created_at: datetime,
    model_version: str,
) -> list[tuple[s.Table, pa.Table]]:
    """Return the embedding tables with the rows of the members and titles that had interactions."""
    rows = partial(embedding_rows, trained_at=trained_at, created_at=created_at, model_version=model_version)
    users = rows(s.USER_ALS_EMBEDDING, factors.user_ids, factors.user_factors, matrix.user_titles)
    titles = rows(s.TITLE_ALS_EMBEDDING, factors.title_ids, factors.title_factors, matrix.title_viewers)
    return [(s.USER_ALS_EMBEDDING, users), (s.TITLE_ALS_EMBEDDING, titles)]


def embedding_rows(
    table: s.Table,
    ids: NDArray[np.str_],
    factors: NDArray[np.float32],
    counts: NDArray[np.int64],
    *,
    trained_at: datetime,
    created_at: datetime,
    model_version: str,
) -> pa.Table:
    """Return the rows of an embedding table for those of ``ids`` (n,) with a positive count (n,).

    ``factors`` is (n, D); ``counts`` says from how many interactions each was learned.
    """
    trained = counts > 0
    rows, n = factors[trained], int(trained.sum())
    offsets = np.arange(n + 1, dtype=np.int32) * rows.shape[1]
    instant = pa.timestamp("us", tz="UTC")
    key, _when, _created, vector, *_rest = (column.name for column in table.columns)
    columns = {
        key: pa.array(ids[trained], pa.string()),
        s.EVENT_TIMESTAMP: pa.array([trained_at] * n, instant),
        s.CREATED_TIMESTAMP: pa.array([created_at] * n, instant),
        vector: pa.ListArray.from_arrays(offsets, pa.array(rows.ravel())),
        s.EMBEDDING_KIND: pa.array(["collaborative"] * n),
        s.MODEL_VERSION: pa.array([model_version] * n),
        s.EMBEDDING_NORM: pa.array(np.linalg.norm(rows, axis=1).astype(np.float32)),
        s.TRAINED_AT: pa.array(np.full(n, epoch_microseconds(trained_at))),
        s.TRAINING_EVENT_COUNT: pa.array(counts[trained]),
    }
    return pa.table(columns, schema=table.arrow_schema)
