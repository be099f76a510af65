"""Bringing features online, view by view, and checking that they arrived."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from feature_repo import schema as s
from feature_repo.progress import Progress

_CHECK_ROWS: Final = 2_000
_SHOWN: Final = 5


class MaterializationError(RuntimeError):
    """Rows that were to be materialized did not arrive online; the message counts and names them."""


def materialize_views(
    store: Any,
    views: Sequence[Any],
    start: datetime,
    end: datetime,
    progress: Progress | None,
) -> dict[str, int]:
    """See :meth:`feature_repo.store.FeatureGateway.materialize`."""
    # Servers tell by the titles' names whether the store has been filled: they come when all else is there.
    filled = sorted(filter(_has_files, views), key=lambda view: view.name == s.TITLE_METADATA.name)
    if not filled:
        raise MaterializationError(
            "the lake holds no feature tables, or the definitions are not applied: run "
            "`python -m feature_repo build-features` and `python -m feature_repo apply` first"
        )
    arrived = {view.name: 0 for view in views}
    for done, view in enumerate(filled):
        # Feast prints; whoever called us shows progress.
        with redirect_stdout(io.StringIO()):
            store.materialize(start, end, feature_views=[view.name])
        arrived[view.name] = _check_arrival(store, view, start, end)
        if progress is not None:
            progress(view.name, done + 1, len(filled))
    return arrived


def _has_files(view: Any) -> bool:
    try:
        return bool(ds.dataset(view.batch_source.path, format="parquet").files)
    except FileNotFoundError:
        return False


def _check_arrival(store: Any, view: Any, start: datetime, end: datetime) -> int:
    entities = _entities_of(view, start, end)
    # A string or number is enough to see that a row is there; vectors would be slow to read back.
    feature = min(view.features, key=lambda f: str(f.dtype).startswith("Array")).name
    missing: list[str] = []
    for offset in range(0, len(entities), _CHECK_ROWS):
        keys = entities.slice(offset, _CHECK_ROWS).to_pydict()
        answer = store.get_online_features([f"{view.name}:{feature}"], keys).proto
        place = list(answer.metadata.feature_names.val).index(feature)
        # Feast reports a missing row's values as present and empty; only its timestamp is not there.
        missing += [
            str({k: v[i] for k, v in keys.items()})
            for i, stamp in enumerate(answer.results[place].event_timestamps)
            if stamp.seconds == 0
        ]
    if missing:
        raise MaterializationError(
            f"{len(missing)} of {len(entities)} entities of view {view.name!r} are not online, such as "
            f"{', '.join(missing[:_SHOWN])}; is Redis out of memory?"
        )
    return len(entities)


def _entities_of(view: Any, start: datetime, end: datetime) -> pa.Table:
    table = ds.dataset(view.batch_source.path, format="parquet", partitioning="hive")
    stamp = pc.field(s.EVENT_TIMESTAMP)
    within = (stamp >= pa.scalar(start, pa.timestamp("us", tz="UTC"))) & (
        stamp <= pa.scalar(end, pa.timestamp("us", tz="UTC"))
    )
    keys = list(view.join_keys)
    return table.to_table(columns=keys, filter=within).group_by(keys).aggregate([])
