"""What the stream remembers of each member: a settled state, and the events since that may still change.

Events arrive late, twice and out of order. A member's latest events are therefore kept as they are, and a
state is always the settled one advanced by all of them in the order in which history would be folded.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.transforms.calendar import Instants
from feature_repo.transforms.user_state import UserState, empty_state

EVENT: Final = np.dtype(
    [
        ("timestamp", "<i8"), ("title", "<i4"), ("play", "?"), ("device", "i1"), ("fraction", "<f4"),
        ("minutes", "<f4"),
    ]
)  # fmt: skip
"""A watch event; ``title`` is a code of :mod:`title_codes`, the rest as in ``transforms.watch_log``."""
_STATE: Final = np.dtype(
    [
        (f.name, getattr(empty_state(1), f.name).dtype, getattr(empty_state(1), f.name).shape[1:])
        for f in fields(UserState)
    ]
)
_HEADER: Final = struct.Struct("<IqHH")
"""Layout's checksum, settled_until, number of events, length of an event id."""
_LAYOUT: Final = zlib.crc32(repr((_STATE, EVENT)).encode())
NEVER: Final = np.iinfo(np.int64).min


class StateLayoutError(ValueError):
    """Stored states that this version cannot read; they are made anew from history by ``--reseed``."""


@dataclass(frozen=True, slots=True)
class MemberStates:
    """n members. Events are ordered by (member, timestamp, event id), each id once.

    ``settled`` (n) has been advanced by all events before ``settled_until`` (n,), microseconds since 1970
    UTC; ``events`` (m,) and their ``ids`` (m,) are those from then on, ``owners`` (m,) the member of each.
    """

    settled: UserState
    settled_until: Instants
    owners: NDArray[np.int32]
    events: NDArray[np.void]
    ids: NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.settled_until)


def no_states(members: int) -> MemberStates:
    """Return the states of members of whom nothing is known."""
    return MemberStates(
        empty_state(members), np.full(members, NEVER), np.empty(0, np.int32), np.empty(0, EVENT),
        np.empty(0, "S1"),
    )  # fmt: skip


def packed(states: MemberStates) -> list[bytes]:
    """Return one value per member, as they are stored."""
    edges = np.searchsorted(states.owners, np.arange(len(states) + 1)).tolist()
    events, until = states.events.tobytes(), states.settled_until.tolist()
    lengths = np.char.str_len(states.ids)
    values, state, one = [], _records_of(states.settled).tobytes(), _STATE.itemsize
    for row, (first, end) in enumerate(pairwise(edges)):
        # Each member's ids are as wide as their longest: one long id in the batch is not paid for by all.
        width = max(1, int(lengths[first:end].max(initial=0)))
        header = _HEADER.pack(_LAYOUT, until[row], end - first, width)
        values.append(
            header
            + state[row * one : (row + 1) * one]
            + events[first * EVENT.itemsize : end * EVENT.itemsize]
            + states.ids[first:end].astype(f"S{width}").tobytes()
        )
    return values


def unpacked(values: Sequence[bytes | None]) -> MemberStates:
    """Read what :func:`packed` wrote; None is a member of whom nothing is known.

    Raises :class:`StateLayoutError` for values of another layout.
    """
    states, events, ids = [], [], []
    until, counts = np.full(len(values), NEVER), np.zeros(len(values), np.int64)
    empty = _records_of(empty_state(1)).tobytes()
    for row, value in enumerate(values):
        if value is None:
            states.append(empty)
            continue
        layout, until[row], counts[row], width = _HEADER.unpack_from(value)
        if layout != _LAYOUT:
            raise StateLayoutError(
                "the stored member states have another layout than this version's: "
                "make them anew with `python -m feature_repo stream --reseed`"
            )
        begin = _HEADER.size + _STATE.itemsize
        middle = begin + int(counts[row]) * EVENT.itemsize
        states.append(value[_HEADER.size : begin])
        events.append(value[begin:middle])
        if counts[row]:
            ids.append(np.frombuffer(value, f"S{width}", offset=middle))
    records = np.frombuffer(b"".join(states), _STATE)
    return MemberStates(
        UserState(*(records[f.name].copy() for f in fields(UserState))),
        until,
        np.repeat(np.arange(len(values), dtype=np.int32), counts),
        np.frombuffer(b"".join(events), EVENT),
        np.concatenate(ids) if ids else np.empty(0, "S1"),
    )


def _records_of(state: UserState) -> NDArray[np.void]:
    records = np.empty(len(state), _STATE)
    for f in fields(UserState):
        records[f.name] = getattr(state, f.name)
    return records
