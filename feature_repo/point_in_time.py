"""Historical retrieval through Feast that keeps every entity row and its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from feature_repo import schema as s
from feature_repo.progress import Progress

_ROW: Final = "entity_row_number"
ROWS_AT_ONCE: Final = 200_000
"""Entities per Feast call: its join holds every (entity, feature row) pair before it keeps the newest."""


def historical_features(
    store: Any,
    service: Any,
    entities: pa.Table,
    *,
    known_by_then: bool,
    progress: Progress | None,
    rows_at_once: int = ROWS_AT_ONCE,
) -> pa.Table:
    """See :meth:`feature_repo.store.FeatureGateway.historical`.

    Feast is asked once per distinct (keys, timestamp), in slices of time; its answers, which come in any
    order, are brought back to their rows by number.
    """
    keys = _join_keys(store, service)
    asked = _checked(entities, keys)
    distinct, row_of = _distinct(asked.select([*keys, s.EVENT_TIMESTAMP]))
    slices = range(0, len(distinct), rows_at_once)
    answers = []
    for done, offset in enumerate(slices):
        part = distinct.slice(offset, rows_at_once)
        answers.append(_ask(store, service, part, known_by_then))
        if progress is not None:
            progress(service.name, done + 1, len(slices))
    features = pa.concat_tables(answers).take(row_of)
    for name in features.column_names:
        asked = asked.append_column(name, features.column(name))
    return asked


def _join_keys(store: Any, service: Any) -> list[str]:
    keys: list[str] = []
    for projection in service.feature_view_projections:
        view = store.get_feature_view(projection.name)
        keys += [k for k in view.join_keys if k not in keys]
    return keys


def _checked(entities: pa.Table, keys: Sequence[str]) -> pa.Table:
    for name in (*keys, s.EVENT_TIMESTAMP):
        if name not in entities.column_names:
            raise ValueError(f"entities lack column {name!r}; they have {entities.column_names}")
        if entities.column(name).null_count:
            raise ValueError(f"entities: column {name!r} holds nulls; drop or fill those rows")
    place = entities.schema.get_field_index(s.EVENT_TIMESTAMP)
    stamp = entities.schema.field(place).type
    if not pa.types.is_timestamp(stamp) or stamp.tz is None:
        raise ValueError(f"entities: {s.EVENT_TIMESTAMP!r} is {stamp}; expected a timestamp with a time zone")
    utc = entities.column(place).cast(pa.timestamp("us", tz="UTC"))
    return entities.set_column(place, s.EVENT_TIMESTAMP, utc)


def _distinct(entities: pa.Table) -> tuple[pa.Table, pa.Array]:
    """Return the distinct rows ordered by time, and for each row given the place of its distinct one."""
    keys = entities.column_names
    numbered = entities.append_column(_ROW, pa.array(range(len(entities)), pa.int64()))
    groups = numbered.group_by(keys).aggregate([(_ROW, "min")])
    groups = groups.sort_by([(s.EVENT_TIMESTAMP, "ascending"), (f"{_ROW}_min", "ascending")])
    distinct = groups.select(keys).append_column(_ROW, pa.array(range(len(groups)), pa.int64()))
    placed = numbered.join(
        distinct.rename_columns([*keys, "place"]), keys=keys, join_type="left outer"
    ).sort_by(_ROW)
    return distinct, placed.column("place")


def _ask(store: Any, service: Any, part: pa.Table, known_by_then: bool) -> pa.Table:
    job = store.get_historical_features(
        entity_df=part.to_pandas(),
        features=service,
        full_feature_names=False,
        **_created_filter(known_by_then),
    )
    answer = job.to_arrow().sort_by(_ROW)
    expected = part.column(_ROW)
    if len(answer) != len(part) or not pc.all(pc.equal(answer.column(_ROW), expected)).as_py():
        raise RuntimeError(
            f"Feast answered {len(answer)} rows for {len(part)} entities of service {service.name!r}"
        )
    return answer.drop_columns(part.column_names)


def _created_filter(known_by_then: bool) -> dict[str, bool]:
    return {"filter_by_created_timestamp": True} if known_by_then else {}
