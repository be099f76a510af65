"""What the towers learn from: what a member watched next, with their history as it stood before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.store import FeatureGateway
from feature_repo.transforms.arrow_columns import codes_of
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.decay import MICROSECONDS_PER_SECOND
from feature_repo.transforms.latest_titles import latest_codes
from feature_repo.transforms.towers import context_inputs, history_weights
from training.datasets import INSTANT, WatchEvents
from training.interactions import rows_of

_ASKED_AT_ONCE = 100_000
HISTORY_STEP: Final = 10 * 60 * MICROSECONDS_PER_SECOND
"""Ten minutes. One question per member and step instead of one per event: the towers' million examples then
take the feature store a tenth of the time."""


@dataclass(frozen=True, slots=True)
class TowerExamples:
    """n positives in order of time.

    ``titles`` int32 (n,): rows of the catalogue. ``instants`` int64 (n,), microseconds since 1970 UTC.
    ``context`` float32 (n, CONTEXT_INPUT_DIMENSIONS). ``moments`` int32 (n,): the row of ``history``, int32
    (m, 50), and ``mask``, float32 (m, 50), that says what the member had watched; positives of one member
    that were begun at one instant share one.
    """

    titles: NDArray[np.int32]
    instants: NDArray[np.int64]
    context: NDArray[np.float32]
    moments: NDArray[np.int32]
    history: NDArray[np.int32]
    mask: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.titles)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> TowerExamples:
        """Return some of the positives."""
        return TowerExamples(
            self.titles[rows], self.instants[rows], self.context[rows], self.moments[rows],
            self.history, self.mask,
        )  # fmt: skip


def tower_examples(
    gateway: FeatureGateway,
    events: WatchEvents,
    title_ids: NDArray[np.str_],
    *,
    start: datetime,
    end: datetime,
    minimum_fraction: float,
    empty_share: float,
    seed: int,
) -> TowerExamples:
    """Return the positives in [start, end): each member's first event that took them to ``minimum_fraction``.

    A history is what the feature store knew at the member's first event of the title, or up to HISTORY_STEP
    before: a moment later it holds the title itself, and the towers would learn to answer with what was
    watched last. Of the positives without any history only ``empty_share`` (0 to 1) of those
    with one are kept, drawn with ``seed``: enough to learn what to offer strangers, too few to make everybody
    one.
    """
    within = (events.timestamps >= epoch_microseconds(start)) & (events.timestamps < epoch_microseconds(end))
    within &= np.nan_to_num(events.watch_fractions) >= minimum_fraction
    liked, begun = events.take(within), _first_met(events)[within]
    _, first = np.unique(np.char.add(np.char.add(liked.user_ids, "\x00"), liked.title_ids), return_index=True)
    kept = np.zeros(len(liked.timestamps), dtype=bool)
    kept[first] = True
    liked, begun = liked.take(kept), begun[kept]
    begun = begun // HISTORY_STEP * HISTORY_STEP
    users, user_codes = np.unique(liked.user_ids, return_inverse=True)
    moments, moment_of = np.unique(np.stack([user_codes, begun]), axis=1, return_inverse=True)
    history, mask = member_histories(gateway, users[moments[0]], moments[1], title_ids)
    examples = TowerExamples(
        rows_of(liked.title_ids, title_ids).astype(np.int32),
        liked.timestamps,
        context_inputs(liked.timestamps.astype(np.float64), liked.device_types),
        moment_of.ravel().astype(np.int32),
        history,
        mask,
    )
    return _thin_empty(examples, empty_share, seed)


def member_histories(
    gateway: FeatureGateway,
    user_ids: NDArray[np.str_],
    instants: NDArray[np.int64],
    title_ids: NDArray[np.str_],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the latest titles of members (n,) as the feature store knew them at ``instants`` (µs).

    Rows of ``title_ids``, latest first, int32 (n, 50), and how much each counts, float32 (n, 50), 0 in empty
    places, which hold row 0, and for titles that are not among ``title_ids``.
    """
    history = np.zeros((len(user_ids), s.RECENT_TITLES), dtype=np.int32)
    mask = np.zeros((len(user_ids), s.RECENT_TITLES), dtype=np.float32)
    vocabulary = pa.array(title_ids.tolist(), pa.string())
    for begin in range(0, len(user_ids), _ASKED_AT_ONCE):
        part = slice(begin, begin + _ASKED_AT_ONCE)
        entities = pa.table(
            {s.USER_ID: user_ids[part], s.EVENT_TIMESTAMP: pa.array(instants[part]).cast(INSTANT)}
        )
        answer = gateway.historical("two_tower_members", entities)
        codes, fractions = latest_watched(answer, vocabulary)
        history[part] = np.maximum(codes, 0)
        mask[part] = np.where(codes >= 0, history_weights(fractions), 0)
    return history, mask


def latest_watched(
    answer: pa.Table, vocabulary: pa.StringArray
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the latest titles of each row as places in ``vocabulary``, and how far each was watched.

    Both are (n, RECENT_TITLES), latest first, with the code -1 in free places and for titles that are not in
    the vocabulary. ``answer`` has the columns of the service "two_tower_members".
    """
    return latest_codes(
        _places(answer, s.SESSION_TITLE_IDS, s.SESSION_WATCH_FRACTIONS, vocabulary),
        _places(answer, s.RECENT_TITLE_IDS, s.RECENT_WATCH_FRACTIONS, vocabulary),
    )


def _first_met(events: WatchEvents) -> NDArray[np.int64]:
    """Return for each event when its member had their first event of its title, microseconds since 1970."""
    met = pd.DataFrame({"user": events.user_ids, "title": events.title_ids, "at": events.timestamps})
    return met.groupby(["user", "title"], sort=False)["at"].transform("min").to_numpy(np.int64)


def _places(
    answer: pa.Table, titles: str, fractions: str, vocabulary: pa.StringArray
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return two list columns as (n, RECENT_TITLES); titles outside the vocabulary are left out."""
    lists, watched = (answer.column(name).combine_chunks() for name in (titles, fractions))
    lengths = lists.value_lengths().fill_null(0).to_numpy()
    rows = np.repeat(np.arange(len(lengths)), lengths)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    codes = np.full((len(lengths), s.RECENT_TITLES), -1, dtype=np.int32)
    values = np.zeros((len(lengths), s.RECENT_TITLES), dtype=np.float32)
    codes[rows, places] = codes_of(pa.chunked_array([lists.flatten()]), vocabulary)
    values[rows, places] = watched.flatten().to_numpy()
    return codes, values


def _thin_empty(examples: TowerExamples, share: float, seed: int) -> TowerExamples:
    filled: NDArray[np.bool_] = np.asarray(examples.mask.any(axis=1))
    empty = ~filled[examples.moments]
    wanted = min(int(empty.sum()), round(share * int((~empty).sum())))
    kept = ~empty
    kept[np.random.default_rng(seed).permutation(np.flatnonzero(empty))[:wanted]] = True
    return examples.take(kept)
