"""A sampled share of pages keeps the ranker's whole input, which ``python -m training parity`` replays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.log_tables import COLUMNS_HASH, FEATURES, SERVED_FEATURES, SHOWN, TITLES_TAKEN_AT
from feature_repo.transforms.ranking import RANKING_FEATURES_HASH
from serving.catalogue import Rows
from serving.homepage import MadePage

_SALT: Final = b"parity"
_BYTES: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class RankerInput:
    """What the ranker saw of one page: references to arrays that exist anyway, and no copy.

    ``matrix`` (n, features) is its input; candidate i is ``title_ids[rows[i]]``. ``order`` and ``scores``
    list the candidates best first, ``places`` says which of those became tiles. ``taken_at`` is the
    instant of the title snapshot.
    """

    matrix: NDArray[np.float32]
    rows: Rows
    order: NDArray[np.intp]
    scores: NDArray[np.float32]
    places: Sequence[int]
    title_ids: Sequence[str]
    user_id: str
    page_id: str
    at: datetime
    device: str
    bundle: str
    taken_at: datetime

    def __len__(self) -> int:
        return len(self.matrix)

    @classmethod
    def of(cls, made: MadePage, share: float) -> RankerInput | None:
        """Return what is kept of a page; None where it is not in the sample, or the ranker did not decide."""
        ranked, page = made.assembled.ranked, made.homepage
        if made.matrix is None or ranked.order is None or ranked.scores is None:
            return None
        if not is_sampled(page.page_id, share):
            return None
        return cls(
            made.matrix, made.assembled.merged.rows, ranked.order, ranked.scores, made.assembled.page.places,
            made.query.catalogue.title_ids, page.user_id, page.page_id, page.generated_at,
            made.query.request.device, page.bundle, made.query.catalogue.taken_at,
        )  # fmt: skip


def is_sampled(page_id: str, share: float) -> bool:
    """Say whether a page is in the sample: the same on every worker and at every time.

    BLAKE2b (RFC 7693) of the page's id, read as a number from 0 to 1, lies below ``share``.
    """
    digest = blake2b(page_id.encode(), digest_size=_BYTES, key=_SALT).digest()
    return bool(int.from_bytes(digest, "big") < share * 2.0 ** (8 * _BYTES))


def served_features(inputs: Iterable[RankerInput]) -> pa.Table:
    """Return a row per candidate, as SERVED_FEATURES, page by page in the order of the ranker's input."""
    schema = SERVED_FEATURES.arrow_schema
    return pa.concat_tables([schema.empty_table(), *map(_page, inputs)])


def _page(found: RankerInput) -> pa.Table:
    rows = len(found)
    scores, shown = np.empty(rows, dtype=np.float32), np.zeros(rows, dtype=np.bool_)
    scores[found.order] = found.scores
    shown[found.order[found.places]] = True
    offsets = np.arange(rows + 1, dtype=np.int32) * found.matrix.shape[1]
    columns = {
        s.TITLE_ID: [found.title_ids[row] for row in found.rows.tolist()],
        s.RANKING_SCORE: scores,
        SHOWN: shown,
        FEATURES: pa.ListArray.from_arrays(offsets, pa.array(found.matrix.ravel())),
    }
    same = {
        s.PAGE_ID: found.page_id, s.USER_ID: found.user_id, s.EVENT_TIMESTAMP: found.at,
        s.DEVICE_TYPE: found.device or None, s.BUNDLE: found.bundle, TITLES_TAKEN_AT: found.taken_at,
        COLUMNS_HASH: RANKING_FEATURES_HASH,
    }  # fmt: skip
    columns |= {name: pa.repeat(pa.scalar(value, _type(name)), rows) for name, value in same.items()}
    return pa.table(
        [pa.array(columns[f.name]).cast(f.type) for f in SERVED_FEATURES.arrow_schema],
        schema=SERVED_FEATURES.arrow_schema,
    )


def _type(name: str) -> pa.DataType:
    return SERVED_FEATURES.column(name).type
