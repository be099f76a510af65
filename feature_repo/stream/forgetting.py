"""What the stream keeps of one member, removed: state, thumbs, open hour, rows for the lake, dead letters."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import redis

from feature_repo import schema as s
from feature_repo.stream.event_log import partition_of
from feature_repo.stream.event_record import is_about
from feature_repo.stream.state_store import (
    DEAD_LETTERS,
    OUTBOX,
    member_key,
    open_hours_key,
    outbox_rows,
    outbox_value,
    thumbs_key,
)

_AT_ONCE: Final = 1_000


def forget_member(client: Any, user_id: str, partitions: int) -> int:
    """Remove what the stream's part of Redis holds of a member; return how many things went.

    ``partitions`` is how many the event log has. Their tombstone has to stand already: it keeps a processor
    that is at work on them from writing its batch.
    """
    hours = open_hours_key(partition_of(user_id, partitions))
    with client.pipeline(transaction=True) as transaction:
        transaction.delete(member_key(user_id), thumbs_key(user_id))
        transaction.zrem(hours, user_id)
        gone = sum(transaction.execute())
    return int(gone) + _forget_outbox(client, user_id) + _forget_dead_letters(client, user_id)


def _forget_outbox(client: Any, user_id: str) -> int:
    while True:
        with client.pipeline(transaction=True) as transaction:
            try:
                transaction.watch(OUTBOX)
                changed = _without(transaction.lrange(OUTBOX, 0, -1), user_id)
                transaction.multi()
                for place, value in changed.items():
                    # The value stays in its place: whoever flushes counts them.
                    transaction.lset(OUTBOX, place, value)
                transaction.execute()
                return len(changed)
            except redis.WatchError:
                continue  # the stream has put rows there meanwhile


def _without(values: list[bytes], user_id: str) -> dict[int, bytes]:
    """Return those values that hold rows of the member, by place, without these rows."""
    changed = {}
    for place, (name, rows) in enumerate(map(outbox_rows, values)):
        if s.USER_ID not in rows.column_names:
            continue
        others = rows.filter(pc.not_equal(rows[s.USER_ID], user_id))
        if len(others) < len(rows):
            changed[place] = outbox_value(name, _one_batch(others))
    return changed


def _one_batch(rows: pa.Table) -> pa.RecordBatch:
    batches = rows.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=rows.schema)


def _forget_dead_letters(client: Any, user_id: str) -> int:
    gone, after = 0, "-"
    while entries := client.xrange(DEAD_LETTERS, min=after, count=_AT_ONCE):
        about = [entry for entry, fields in entries if is_about(fields.get(b"value", b""), user_id)]
        gone += client.xdel(DEAD_LETTERS, *about) if about else 0
        after = f"({entries[-1][0].decode()}"
    return gone
