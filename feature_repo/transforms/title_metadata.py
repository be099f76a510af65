"""The catalogue as features, and the genre vectors that taste is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.arrow_columns import codes_of, microseconds, record_batch, vectors
from feature_repo.transforms.calendar import Instants


def title_metadata(titles: pa.Table, created_at: datetime) -> pa.RecordBatch:
    """Return one TITLE_METADATA row for each row of a ``titles`` table."""
    updated_at = microseconds(titles[s.EVENT_TIMESTAMP])
    computed = {
        s.GENRE_VECTOR: vectors(genre_vectors(titles[s.GENRE_NAMES])),
        s.AVAILABLE_SINCE: microseconds(titles[s.AVAILABLE_SINCE]),
        s.UPDATED_AT: updated_at,
    }
    carried = {c.name for c in s.TITLE_METADATA.columns} & set(titles.column_names) - set(computed)
    return record_batch(s.TITLE_METADATA, {name: titles[name] for name in carried} | computed, created_at)


def user_profile(members: pa.Table, created_at: datetime) -> pa.RecordBatch:
    """Return one USER_PROFILE row for each row of a ``members`` table."""
    return record_batch(s.USER_PROFILE, {n: members[n] for n in members.column_names}, created_at)


def user_picks(sign_ups: pa.Table, created_at: datetime) -> pa.RecordBatch:
    """Return one USER_PICKS row for each row of a ``sign_ups`` table."""
    columns = {name: sign_ups[name] for name in (s.USER_ID, s.EVENT_TIMESTAMP, s.SELECTED_TITLE_IDS)}
    picked_at = microseconds(sign_ups[s.EVENT_TIMESTAMP])
    return record_batch(s.USER_PICKS, columns | {s.PICKED_AT: picked_at}, created_at)


def genre_vectors(genres: pa.ChunkedArray) -> NDArray[np.float32]:
    """Return (rows, number of genres): equal weight for each of a title's genres, unit length or all 0.

    Names that are not in ``schema.GENRES`` do not count.
    """
    lists = genres.combine_chunks()
    lengths = lists.value_lengths().fill_null(0).to_numpy()
    rows = np.repeat(np.arange(len(lists)), lengths)
    codes = codes_of(pa.chunked_array([lists.flatten()]), pa.array(s.GENRES))
    matrix = np.zeros((len(lists), len(s.GENRES)), dtype=np.float32)
    matrix[rows[codes >= 0], codes[codes >= 0]] = 1.0
    norms = np.sqrt(matrix.sum(axis=1, keepdims=True))
    matrix /= np.where(norms > 0, norms, 1.0)
    return matrix


@dataclass(frozen=True, slots=True)
class GenreVersions:
    """The genre vectors of a catalogue whose titles may change, looked up by title and instant."""

    vectors: NDArray[np.float32]
    """(versions + 1, number of genres); the last row, all 0, is for unknown titles."""
    title_codes: NDArray[np.int32]
    """The title of each version; versions are ordered by title, then by time."""
    known_since: Instants

    @classmethod
    def of(cls, titles: pa.Table, vocabulary: pa.StringArray) -> GenreVersions:
        """Gather the versions of those titles that are in the vocabulary."""
        codes, since = codes_of(titles[s.TITLE_ID], vocabulary), microseconds(titles[s.EVENT_TIMESTAMP])
        order = np.lexsort((since, codes))
        order = order[codes[order] >= 0]
        unknown = np.zeros((1, len(s.GENRES)), dtype=np.float32)
        vectors = np.concatenate((genre_vectors(titles[s.GENRE_NAMES])[order], unknown))
        return cls(vectors, codes[order], since[order])

    def versions(self, title_codes: NDArray[np.int32], instants: Instants) -> NDArray[np.int64]:
        """Return the row of ``vectors`` that was known of each title at each instant.

        A title watched before its metadata became known takes its first version.
        """
        times = np.unique(self.known_since)
        width = len(times) + 1
        keys = self.title_codes.astype(np.int64) * width + np.searchsorted(times, self.known_since, "right")
        wanted = title_codes.astype(np.int64) * width + np.searchsorted(times, instants, "right")
        first = np.searchsorted(self.title_codes, title_codes, "left")
        found = np.maximum(np.searchsorted(keys, wanted, "right") - 1, first)
        padded = np.append(self.title_codes, -1)
        return np.where(padded[found] == title_codes, found, len(self.title_codes))
