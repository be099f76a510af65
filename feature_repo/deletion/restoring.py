"""What the lake keeps of deletions, taken back into a Redis that has lost it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

import structlog

from feature_repo.deletion.kept import KeptDeletion, KeptDeletions
from feature_repo.deletion.pending import put_pending, record_key
from feature_repo.deletion.tombstones import KEEP, TOMBSTONES, VERSION, now_ms

RESTORED: Final = TOMBSTONES + ":restored"
"""Is there while Redis holds all that the lake keeps, and lost with it."""

_log = structlog.get_logger(__name__)


def restore_if_lost(client: Any, kept: KeptDeletions) -> int:
    """Do what :func:`restore` does, if Redis has lost its data since; else it costs one question to Redis."""
    return 0 if client.exists(RESTORED) else restore(client, kept)


def restore(client: Any, kept: KeptDeletions) -> int:
    """Put up the tombstones that Redis lacks, and have carried out what was not; return how many deletions.

    That covers what was kept when a worker was killed before it told Redis. Several may do it at once. What
    is older than a tombstone lives is removed from the lake. Raises ``RedisError``, and ``OSError`` where the
    lake cannot be read.
    """
    now, lost = now_ms(client), not client.exists(RESTORED)
    deletions = list(_in_force(kept, now))
    unknown = [one for one in deletions if one.user_id is not None and not _is_known(client, one)]
    if not lost and not unknown:
        return 0
    with client.pipeline(transaction=True) as transaction:
        for one in deletions:
            transaction.zadd(TOMBSTONES, {one.digest: one.deleted_ms}, gt=True)
        for one in unknown:
            put_pending(transaction, one)
        # Above every version before the loss: whoever remembers one has to look again.
        transaction.set(VERSION, now)
        transaction.set(RESTORED, 1)
        transaction.execute()
    if deletions:
        _log.warning("deletions taken in from the lake", deletions=len(deletions), pending=len(unknown))
    return len(deletions)


def carry_out_again(client: Any, deletions: Iterable[KeptDeletion]) -> None:
    """Have deletions, which must name their members, carried out whether or not they were meanwhile."""
    with client.pipeline(transaction=True) as transaction:
        for one in deletions:
            put_pending(transaction, one)
        transaction.execute()


def _in_force(kept: KeptDeletions, now: int) -> Iterator[KeptDeletion]:
    for one in kept.all():
        if one.user_id is None and one.deleted_ms < now - KEEP // timedelta(milliseconds=1):
            kept.remove(one)
        else:
            yield one


def _is_known(client: Any, deletion: KeptDeletion) -> bool:
    return bool(client.exists(record_key(deletion.deletion_id)))
