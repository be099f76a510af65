"""ALS factors as feature rows: they stand at the end of the data they were trained on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.transforms.calendar import epoch_microseconds
from training.als import AlsFactors
from training.interactions import InteractionMatrix


def store_embeddings(
    lake: Lake,
    factors: AlsFactors,
    matrix: InteractionMatrix,
    *,
    trained_at: datetime,
    created_at: datetime,
    model_version: str,
    replace: bool = False,
) -> int:
    """Write the vectors of members and titles that had interactions; return how many rows.

    ``trained_at`` becomes their event timestamp, so that point-in-time retrieval never sees a vector
    before the end of its training data. ``replace`` drops the vectors of earlier trainings.
    """
    stamp = _Stamp(trained_at, created_at, model_version)
    users = _rows(s.USER_ALS_EMBEDDING, factors.user_ids, factors.user_factors, matrix.user_titles, stamp)
    titles = _rows(
        s.TITLE_ALS_EMBEDDING, factors.title_ids, factors.title_factors, matrix.title_viewers, stamp
    )
    write = lake.replace if replace else lake.append
    return write(s.USER_ALS_EMBEDDING, users) + write(s.TITLE_ALS_EMBEDDING, titles)


@dataclass(frozen=True, slots=True)
class _Stamp:
    trained_at: datetime
    created_at: datetime
    model_version: str


def _rows(
    table: s.Table,
    ids: NDArray[np.str_],
    factors: NDArray[np.float32],
    counts: NDArray[np.int64],
    stamp: _Stamp,
) -> pa.Table:
    trained = counts > 0
    rows, n = factors[trained], int(trained.sum())
    offsets = np.arange(n + 1, dtype=np.int32) * rows.shape[1]
    instant = pa.timestamp("us", tz="UTC")
    key, _when, _created, vector, *_rest = (column.name for column in table.columns)
    columns = {
        key: pa.array(ids[trained], pa.string()),
        s.EVENT_TIMESTAMP: pa.array([stamp.trained_at] * n, instant),
        s.CREATED_TIMESTAMP: pa.array([stamp.created_at] * n, instant),
        vector: pa.ListArray.from_arrays(offsets, pa.array(rows.ravel())),
        s.EMBEDDING_KIND: pa.array(["collaborative"] * n),
        s.MODEL_VERSION: pa.array([stamp.model_version] * n),
        s.EMBEDDING_NORM: pa.array(np.linalg.norm(rows, axis=1).astype(np.float32)),
        s.TRAINED_AT: pa.array(np.full(n, epoch_microseconds(stamp.trained_at))),
        s.TRAINING_EVENT_COUNT: pa.array(counts[trained]),
    }
    return pa.table(columns, schema=table.arrow_schema)
