"""Explored slots as they were logged, each with the titles it was drawn from and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.log_tables import EXPLORED_SLOTS, STRATUM_PROPENSITIES, STRATUM_TITLE_IDS
from training.datasets import text


@dataclass(frozen=True, slots=True, eq=False)
class ExploredSlots:
    """n slots and the m titles that they were drawn from, slot after slot.

    Per slot: ``user_ids``, ``instants`` (int64, microseconds since 1970 UTC), ``device_types``,
    ``row_indices`` and ``positions`` (from 1), ``played`` (bool), and ``drawn``, the place of the title shown
    among the m. Slot i was drawn from places ``offsets[i]`` to ``offsets[i + 1]`` of ``title_ids``, with
    ``propensities``.
    """

    user_ids: NDArray[np.str_]
    instants: NDArray[np.int64]
    device_types: NDArray[np.str_]
    row_indices: NDArray[np.float32]
    positions: NDArray[np.float32]
    played: NDArray[np.bool_]
    drawn: NDArray[np.int64]
    offsets: NDArray[np.int64]
    title_ids: NDArray[np.str_]
    propensities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.user_ids)

    @property
    def slot_of(self) -> NDArray[np.int64]:
        """The slot of each of the m titles."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def offered_in(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places of the titles that some slots offered, slot after slot."""
        sizes = np.diff(self.offsets)[slots]
        moved = self.offsets[:-1][slots] - (np.cumsum(sizes) - sizes)
        return np.repeat(moved, sizes) + np.arange(sizes.sum())

    def take(self, slots: NDArray[np.int64]) -> ExploredSlots:
        """Return some of the slots, with the titles they offered."""
        offered = self.offered_in(slots)
        offsets = np.concatenate([[0], np.cumsum(np.diff(self.offsets)[slots])])
        return ExploredSlots(
            self.user_ids[slots], self.instants[slots], self.device_types[slots],
            self.row_indices[slots], self.positions[slots], self.played[slots],
            self.drawn[slots] - self.offsets[:-1][slots] + offsets[:-1], offsets,
            self.title_ids[offered], self.propensities[offered],
        )  # fmt: skip


def read_explored_slots(
    lake: Lake, start: datetime, end: datetime, *, most_slots: int, seed: int
) -> ExploredSlots:
    """Read the slots of [start, end) whose outcome is known; of more than ``most_slots``, whole members.

    The outcome is that of the impression of the same page and title; slots without one were not shown, or are
    not known of yet. Raises :class:`LakeError` where nothing was ever explored, and ``ValueError`` naming the
    page of a slot whose title is not among those it was drawn from, or that was drawn with probability 0.
    """
    columns = [
        s.PAGE_ID, s.TITLE_ID, s.USER_ID, s.EVENT_TIMESTAMP, s.DEVICE_TYPE, s.ROW_INDEX, s.POSITION,
        STRATUM_TITLE_IDS, STRATUM_PROPENSITIES,
    ]  # fmt: skip
    table = lake.read(EXPLORED_SLOTS, columns=columns, start=start, end=end)
    table = _of_some_members(_with_outcome(table, _outcomes(lake, table, start, end)), most_slots, seed)
    return _slots(table.sort_by([(n, "ascending") for n in (s.EVENT_TIMESTAMP, s.PAGE_ID, s.TITLE_ID)]))


def _with_outcome(slots: pa.Table, outcomes: pa.Table) -> pa.Table:
    """Add the column ``played``; slots whose outcome is not known go."""
    # Arrow joins no tables with lists in them: join the keys, then take the rows.
    keys = slots.select([s.PAGE_ID, s.TITLE_ID]).append_column("row", pa.array(np.arange(len(slots))))
    joined = keys.join(outcomes, [s.PAGE_ID, s.TITLE_ID], join_type="inner")
    return slots.take(joined.column("row")).append_column(s.PLAYED, joined.column(s.PLAYED))


def _outcomes(lake: Lake, slots: pa.Table, start: datetime, end: datetime) -> pa.Table:
    """Return page, title and whether it was played, of the pages with explored slots."""
    pages = slots.column(s.PAGE_ID).combine_chunks().unique()
    found = [pa.table({s.PAGE_ID: pa.array([], pa.string()), s.TITLE_ID: pa.array([], pa.string()),
                       s.PLAYED: pa.array([], pa.bool_())})]  # fmt: skip
    if lake.exists(s.IMPRESSIONS):
        names = [s.PAGE_ID, s.TITLE_ID, s.PLAYED]
        for batch in lake.scan(s.IMPRESSIONS, columns=names, start=start, end=end):
            kept = batch.filter(pc.is_in(batch.column(s.PAGE_ID), pages))
            found.append(pa.Table.from_batches([kept]).cast(found[0].schema))
    # A tile whose play came late may be written twice: a play is a play.
    once = pa.concat_tables(found).group_by([s.PAGE_ID, s.TITLE_ID]).aggregate([(s.PLAYED, "max")])
    return once.rename_columns([s.PAGE_ID, s.TITLE_ID, s.PLAYED])


def _of_some_members(table: pa.Table, most_slots: int, seed: int) -> pa.Table:
    if len(table) <= most_slots:
        return table
    members = pc.unique(table.column(s.USER_ID)).to_numpy(zero_copy_only=False)
    kept = np.random.default_rng(seed).random(len(members)) < most_slots / len(table)
    return table.filter(pc.is_in(table.column(s.USER_ID), pa.array(np.sort(members)[kept], pa.string())))


def _slots(table: pa.Table) -> ExploredSlots:
    lists = table.column(STRATUM_TITLE_IDS).combine_chunks()
    titles = text(pa.table({s.TITLE_ID: lists.flatten()}), s.TITLE_ID)
    offsets = np.concatenate([[0], np.cumsum(lists.value_lengths().to_numpy())]).astype(np.int64)
    propensities = table.column(STRATUM_PROPENSITIES).combine_chunks().flatten().to_numpy()
    return ExploredSlots(
        text(table, s.USER_ID),
        table.column(s.EVENT_TIMESTAMP).cast(pa.int64()).to_numpy(),
        text(table, s.DEVICE_TYPE),
        table.column(s.ROW_INDEX).to_numpy().astype(np.float32),
        table.column(s.POSITION).to_numpy().astype(np.float32),
        table.column(s.PLAYED).to_numpy(),
        _drawn(table, titles, offsets, propensities),
        offsets,
        titles,
        propensities.astype(np.float64),
    )


def _drawn(
    table: pa.Table, titles: NDArray[np.str_], offsets: NDArray[np.int64], propensities: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Return the place of each slot's shown title among those it was drawn from."""
    slot_of = np.repeat(np.arange(len(table)), np.diff(offsets))
    shown = text(table, s.TITLE_ID)
    matches = np.flatnonzero(shown[slot_of] == titles)
    found, first = np.unique(slot_of[matches], return_index=True)
    pages = table.column(s.PAGE_ID)
    if len(found) < len(table):
        slot = int(np.setdiff1d(np.arange(len(table)), found)[0])
        raise ValueError(
            f"page {pages[slot]}: {s.TITLE_ID} {str(shown[slot])!r} is not in its {STRATUM_TITLE_IDS}; "
            "its log is damaged, leave the page out"
        )
    drawn = matches[first]
    impossible = np.flatnonzero(~(propensities[drawn] > 0))
    if len(impossible):
        slot = int(impossible[0])
        raise ValueError(
            f"page {pages[slot]}: {s.TITLE_ID} {str(shown[slot])!r} has {STRATUM_PROPENSITIES} "
            f"{propensities[drawn[slot]]}; a title that was shown had a probability above 0"
        )
    return drawn
