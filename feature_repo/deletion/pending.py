"""Deletions that are still to be carried out, in Redis: a record of each, and their ids in their order."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from feature_repo.deletion.kept import KeptDeletion
from feature_repo.deletion.tombstones import digest

PENDING: Final = "marquee:deletions_pending"
_RECORD: Final = "marquee:deletion:{deletion_id}"


def record_key(deletion_id: str) -> str:
    """Return where the record of a deletion lies."""
    return _RECORD.format(deletion_id=deletion_id)


def put_pending(transaction: Any, deletion: KeptDeletion) -> None:
    """Queue on a pipeline what has a deletion carried out; it must name its member."""
    record = {
        "requested_at": deletion.requested_at.isoformat(),
        "user_id": deletion.user_id,
        "deleted_ms": deletion.deleted_ms,
    }
    transaction.hset(record_key(deletion.deletion_id), mapping=record)
    transaction.zadd(PENDING, {deletion.deletion_id: deletion.requested_at.timestamp()})


def read_pending(client: Any, deletion_id: str) -> KeptDeletion:
    """Return a deletion that is still to be carried out."""
    names = ("requested_at", "user_id", "deleted_ms")
    requested_at, user_id, deleted_ms = (v.decode() for v in client.hmget(record_key(deletion_id), names))
    return KeptDeletion(
        deletion_id=deletion_id, requested_at=datetime.fromisoformat(requested_at),
        deleted_ms=int(deleted_ms), digest=digest(user_id), user_id=user_id,
    )  # fmt: skip
