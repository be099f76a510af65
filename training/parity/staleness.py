"""Which served values are those of an earlier instant: what a late materialization or a slow stream leaves.

A value that differs is looked for among the values as of a ladder of earlier instants, table by table, as
tables come online apart. A table as of an earlier instant explains a row only if it contradicts
nothing: whatever was equal at the present instant must be equal then, too. So a flag that was the same a week
ago by chance does not pass for old.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.ranking import PLACE_FEATURES, RANKING_FEATURES
from training.parity.comparison import Compared, Verdict, agree
from training.parity.replay import MEMBER_SOURCES, TITLE_SOURCES, Inputs, Replay, inputs_as_of

LADDER: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        1, 10, 60, 300, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 259_200, 604_800,
    )
)  # fmt: skip
"""How long before the page values are looked for: a second to a week."""
_SOURCES: Final = (*MEMBER_SOURCES, *TITLE_SOURCES)
_TOGETHER: Final = (
    *((table,) for table in _SOURCES),
    MEMBER_SOURCES, TITLE_SOURCES, _SOURCES,
)  # fmt: skip
"""Tables that may be old together."""
OF_THE_REQUEST: Final = ("request_hour", "request_weekday", "device_code", *PLACE_FEATURES)
"""Features that read no table, and so are never old."""
_SECOND: Final = timedelta(seconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)


def with_stale(
    found: Compared, replay: Replay, oldest: timedelta, ladder: Sequence[timedelta] = LADDER
) -> Compared:
    """Return the comparison with those values called stale that are those of an earlier instant.

    The youngest instant counts. The server's own title snapshot, whose instant the log tells, is tried
    first: titles are as old as it says by design. A value that is served as unknown, because it was not known
    then, is stale up to ``oldest`` and missing beyond.
    """
    verdicts, ages = found.verdicts.copy(), found.ages.copy()
    stored = ~np.isin(RANKING_FEATURES, OF_THE_REQUEST)
    open_rows = np.asarray((verdicts[:, stored] >= Verdict.MISSING).any(axis=1))
    for part, tables, seconds, inputs in _earlier(replay, open_rows, ladder):
        rows = np.flatnonzero(open_rows)
        served, then = found.served[rows], part.matrix(part.present.with_tables(inputs, tables))
        same, now = agree(served, then), found.verdicts[rows] <= Verdict.CLOSE
        consistent = ~(now & ~same).any(axis=1, keepdims=True)
        young = (seconds <= oldest.total_seconds())[:, None]
        explained = ~now & same & consistent & (verdicts[rows] >= Verdict.MISSING)
        explained &= young | ~np.isnan(served)
        verdicts[rows] = np.where(explained, Verdict.STALE, verdicts[rows])
        ages[rows] = np.where(explained, seconds[:, None], ages[rows])
    return replace(found, verdicts=verdicts, ages=ages)


def _earlier(
    replay: Replay, open_rows: NDArray[np.bool_], ladder: Sequence[timedelta]
) -> Iterator[tuple[Replay, Sequence[s.Table], NDArray[np.float64], Inputs]]:
    """Yield what to try on the open rows: tables that are old together, how old (rows,), and their values."""
    if not open_rows.any():
        return
    part = replay.take(open_rows)
    of_snapshot = np.maximum(part.served.instants - part.served.taken_at, 0)
    inputs = inputs_as_of(part.gateway, part.served, of_snapshot)
    yield part, TITLE_SOURCES, (of_snapshot * (_MICROSECOND / _SECOND))[part.served.page_of], inputs
    for age in ladder:
        inputs = inputs_as_of(part.gateway, part.served, age // _MICROSECOND)
        seconds = np.full(len(part.served), age.total_seconds())
        changed = [table for table in _SOURCES if _changed(part.present, inputs, table)]
        together = {tuple(table for table in tables if table in changed) for tables in _TOGETHER}
        for tables in sorted(together - {()}, key=len):
            yield part, tables, seconds, inputs


def _changed(present: Inputs, then: Inputs, table: s.Table) -> bool:
    """Say whether a table was another at that time for any page or candidate."""
    now, before = present.of_table(table), then.of_table(table)
    return any(not _same(now[name], before[name]) for name in now)


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
