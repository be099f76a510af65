"""Feast's online answers as encoded arrays, with rows older than their view's time-to-live left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

from feature_repo import schema as s
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.decay import MICROSECONDS_PER_SECOND
from feature_repo.transforms.encoding import Arrays, encode_column


def decode_answer(
    answer: Any, tables: Sequence[s.Table], ttl_seconds: Mapping[str, float], now: datetime
) -> Arrays:
    """Encode the columns of ``tables`` that Feast answered, one array per column, in entity order.

    Feast does not apply a view's time-to-live online: values whose event timestamp is more than
    ``ttl_seconds[view]`` before ``now`` are nulls here, as they are in historical retrieval.
    """
    place = {name: i for i, name in enumerate(answer.proto.metadata.feature_names.val)}
    arrays: Arrays = {}
    for table in tables:
        oldest = _oldest(now, ttl_seconds[table.name]) if table.name in ttl_seconds else None
        for column in table.columns:
            if column.name in place and column.name not in table.keys:
                vector = answer.proto.results[place[column.name]]
                arrays[column.name] = encode_column(column, _values(vector, oldest))
    return arrays


def _oldest(now: datetime, ttl_seconds: float) -> int:
    """Return the earliest instant that is still fresh, in nanoseconds since 1970 UTC.

    Whole numbers, since a session expires to the microsecond offline, which a float of seconds rounds.
    """
    return (epoch_microseconds(now) - round(ttl_seconds * MICROSECONDS_PER_SECOND)) * 1_000


def _values(vector: Any, oldest: int | None) -> list[Any]:
    return [
        _python_value(value) if status == FieldStatus.PRESENT and _fresh(stamp, oldest) else None
        for value, status, stamp in zip(vector.values, vector.statuses, vector.event_timestamps, strict=True)
    ]


def _fresh(stamp: Any, oldest: int | None) -> bool:
    return oldest is None or stamp.ToNanoseconds() >= oldest


def _python_value(value: Any) -> Any:
    kind = value.WhichOneof("val")
    if kind is None:
        return None
    content = getattr(value, kind)
    return content.val if kind.endswith("_list_val") else content
