"""Feast's online answers as encoded arrays, with rows older than their view's time-to-live left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

from feature_repo import schema as s
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
        oldest = now.timestamp() - ttl_seconds[table.name] if table.name in ttl_seconds else None
        for column in table.columns:
            if column.name in place and column.name not in table.keys:
                vector = answer.proto.results[place[column.name]]
                arrays[column.name] = encode_column(column, _values(vector, oldest))
    return arrays


def _values(vector: Any, oldest: float | None) -> list[Any]:
    return [
        _python_value(value) if status == FieldStatus.PRESENT and _fresh(stamp, oldest) else None
        for value, status, stamp in zip(vector.values, vector.statuses, vector.event_timestamps, strict=True)
    ]


def _fresh(stamp: Any, oldest: float | None) -> bool:
    return oldest is None or stamp.seconds + stamp.nanos * 1e-9 >= oldest


def _python_value(value: Any) -> Any:
    kind = value.WhichOneof("val")
    if kind is None:
        return None
    content = getattr(value, kind)
    return content.val if kind.endswith("_list_val") else content
