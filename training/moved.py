"""Vectors brought online after a warm start: only those that moved.

A retrain that begins with the last factors leaves most vectors close to where they were. The online store
gets the rows of those that are new, or that lie further from the row *it holds*, as a share of its length,
than a threshold: measured against what was last published, many small steps do not add up unseen.

A row bears the version of the training that published it, so the store comes to hold rows of several. That
does not mix them in a page: serving takes a stored vector only where its version is that of the bundle in
service, whose own vectors, final and complete, stand in for all others (:mod:`serving.vectors`). The lake
gets every vector: it is small there, and what is asked of it as of an instant must be of one model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.store import FeatureGateway

_WRITTEN_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Published:
    """How many vectors of a kind went online, and how many stayed as they were there."""

    written: int
    unmoved: int


def moved(
    vectors: NDArray[np.float32], published: NDArray[np.float32], threshold: float
) -> NDArray[np.bool_]:
    """Return which of ``vectors`` (n, D) are new, or further than ``threshold`` from ``published`` (n, D).

    ``|new - published| > threshold |published|``; NaN rows of ``published`` stand for none. With a threshold
    of 0 every vector that changed at all counts.
    """
    known = np.isfinite(published).all(axis=1)
    change = np.linalg.norm(vectors - published, axis=1)
    return np.asarray(~known | (change > threshold * np.linalg.norm(published, axis=1)), dtype=np.bool_)


def publish_moved(gateway: FeatureGateway, table: s.Table, rows: pa.Table, threshold: float) -> Published:
    """Bring those of ``rows``, of an embedding table, online that moved; return how many did.

    At least one does, the one that moved most: from a row that equals the bundle's, serving and the update of
    new titles know which version of the stored vectors is the bundle's.
    """
    if not len(rows):
        return Published(0, 0)
    (key,) = table.keys
    column = next(c.name for c in table.columns if pa.types.is_list(c.type))
    vectors = _matrix(rows[column])
    online = gateway.online_column(table, column, rows[key].to_pylist())
    chosen = moved(vectors, online, threshold)
    if not chosen.any():
        chosen[np.argmax(_share_moved(vectors, online))] = True
    kept = rows.filter(pa.array(chosen))
    for begin in range(0, len(kept), _WRITTEN_AT_ONCE):
        gateway.write_online(table, kept.slice(begin, _WRITTEN_AT_ONCE), overwrite=True)
    return Published(len(kept), len(rows) - len(kept))


def _share_moved(vectors: NDArray[np.float32], online: NDArray[np.float32]) -> NDArray[np.float64]:
    lengths = np.maximum(np.linalg.norm(online, axis=1), np.finfo(np.float32).tiny)
    return np.asarray(np.linalg.norm(vectors - online, axis=1) / lengths, dtype=np.float64)


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    lists = column.combine_chunks()
    flat: NDArray[np.float32] = lists.flatten().to_numpy().astype(np.float32)
    return flat.reshape(len(lists), -1)
