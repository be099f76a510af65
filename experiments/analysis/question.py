"""An experiment's question, answered by DuckDB from the impression log: who saw which arm, and what came of
it.

What counts:

- Impressions from the start of the experiment until its end (or now) that bear one of its arms. Members held
  out
  of experiments bear none.
- A member is exposed by any tile of a page that bears the arm. Tiles of Continue Watching are left out of the
  metrics: what stands there is what the member began, whichever arm they see, and its many plays would only
  hide what the arms do to the other rows.
- A member who was shown two arms is contaminated: they are counted, and left out of everything else.
- A play, and its watch fraction, belong to the impression, and so to the impression's day.

Members stay in the database; what comes out are sums by arm and day, and one row a member for what needs
them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from experiments.analysis.log_files import show_log
from experiments.analysis.ratio_metric import Moments, Numbers
from experiments.definitions import Experiment, Metric
from feature_repo import schema as s
from feature_repo.log_tables import ARMS

PRE_DAYS: Final = 14
RETURN_DAYS: Final = 7
"""A member came back who watched in the last so many days of the rule's ``retention_days``."""
_DAY_US: Final = 86_400_000_000
_PRODUCTS: Final = ("n", "y", "c", "nn", "yn", "yy", "cy", "cc")
"""Sums by members: impressions n, plays y, completions c, and their products."""
_RATIOS: Final[dict[Metric, tuple[str, str]]] = {"play_rate": ("y", "n"), "completion_rate": ("c", "y")}
_COUNTED: Final = f"{s.ROW_TYPE} <> 'continue_watching'"
_COMPLETED: Final = f"{s.PLAYED} and {s.WATCH_FRACTION} >= {s.COMPLETION_FRACTION}"

_MEMBER_DAY: Final = f"""
create temp table member_day as
select {s.USER_ID} as member, day, {{arm}} as arm, epoch_us(min({s.EVENT_TIMESTAMP})) as first_us,
    count(*) filter ({_COUNTED})::double as n,
    count(*) filter ({_COUNTED} and {s.PLAYED})::double as y,
    count(*) filter ({_COUNTED} and {_COMPLETED})::double as c
from shown
where {{arm}} in ({{labels}}) and {s.HOLDOUT} is not true
    and {s.EVENT_TIMESTAMP} >= '{{start}}' and {s.EVENT_TIMESTAMP} < '{{end}}'
group by all
"""
_MEMBER: Final = """
create temp table member as
select member, min(arm) as arm, min(arm) <> max(arm) as contaminated, min(first_us) as first_us,
    min(day) as first_day, sum(n) as n, sum(y) as y, sum(c) as c
from member_day group by member
"""
_CLEAN: Final = "select * from member where not contaminated"
_COURSE: Final = f"""
with clean as ({_CLEAN}),
grown as (
    select d.arm, d.day, d.n, d.y, d.c, d.day = first_day as is_new, coalesce(sum(d.n) over past, 0) as pn,
        coalesce(sum(d.y) over past, 0) as py, coalesce(sum(d.c) over past, 0) as pc
    from member_day d join clean using (member)
    window past as (partition by member order by d.day rows between unbounded preceding and 1 preceding)
)
select arm, day, count(*) filter (is_new)::double as members, sum(n) as n, sum(y) as y, sum(c) as c,
    sum(n * (2 * pn + n)) as nn, sum(y * pn + py * n + y * n) as yn, sum(y * (2 * py + y)) as yy,
    sum(c * py + pc * y + c * y) as cy, sum(c * (2 * pc + c)) as cc
from grown group by arm, day
"""
_BY_AGE: Final = f"""
select d.arm, d.day - first_day as age, count(*)::double as members, sum(d.n) as n, sum(d.y) as y, sum(d.c) as
c,
    sum(d.n * d.n) as nn, sum(d.y * d.n) as yn, sum(d.y * d.y) as yy, sum(d.c * d.y) as cy, sum(d.c * d.c) as
    cc
from member_day d join ({_CLEAN}) using (member) group by all
"""
_SQUARED_MOVES: Final = f"""
with moves as (
    select sum(wy * d.{{numerator}} + wn * d.{{denominator}}) as move
    from member_day d join ({_CLEAN}) using (member) join weights on age = d.day - first_day
    where d.arm = '{{arm}}' group by member
)
select coalesce(sum(move * move), 0) from moves
"""
_MEMBERS: Final = f"""
with clean as ({_CLEAN}),
before as (
    select {s.USER_ID} as member, count(*)::double as pre_n, count(*) filter ({s.PLAYED})::double as pre_y,
        count(*) filter ({_COMPLETED})::double as pre_c
    from shown_before semi join clean on clean.member = {s.USER_ID}
    where {_COUNTED} and {s.EVENT_TIMESTAMP} >= '{{pre_start}}' and {s.EVENT_TIMESTAMP} < '{{start}}'
    group by all
),
back as (
    select distinct member
    from watched join clean on clean.member = watched.{s.USER_ID}
    where {s.EVENT_TYPE} in ({", ".join(f"'{kind}'" for kind in s.WATCH_EVENT_TYPES)})
        and first_us <= {{matured_us}}
        and epoch_us({s.EVENT_TIMESTAMP}) >= first_us + {{window_us}} - {RETURN_DAYS * _DAY_US}
        and epoch_us({s.EVENT_TIMESTAMP}) < first_us + {{window_us}}
)
select clean.member as user_id, arm, first_us, clean.n as impressions, y as plays, c as completions,
    coalesce(pre_n, 0) as pre_impressions, coalesce(pre_y, 0) as pre_plays, coalesce(pre_c, 0) as
    pre_completions, pre_n is not null as has_pre_period, first_us <= {{matured_us}} as matured, back.member
    is not null as retained
from clean left join before using (member) left join back using (member)
order by user_id
"""
_JOINT: Final = f"""
with sums as (
    select {s.USER_ID} as member, {{other}} as theirs, clean.arm, count(*)::double as n,
        count(*) filter ({s.PLAYED})::double as y, count(*) filter ({_COMPLETED})::double as c
    from shown join ({_CLEAN}) clean on clean.member = {s.USER_ID} and clean.arm = {{arm}}
    where {{other}} in ({{labels}}) and {_COUNTED}
        and {s.EVENT_TIMESTAMP} >= '{{start}}' and {s.EVENT_TIMESTAMP} < '{{end}}'
    group by all
)
select arm, theirs, count(*)::double as members, sum(n) as n, sum(y) as y, sum(c) as c, sum(n * n) as nn,
    sum(y * n) as yn, sum(y * y) as yy, sum(c * y) as cy, sum(c * c) as cc
from sums group by all
"""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums over members by name (``members`` and those of ``n, y, c, nn, yn, yy, cy, cc``), of one shape."""

    by_name: dict[str, Numbers]

    def moments(self, metric: Metric) -> Moments:
        """Return what a metric is made of: plays per impression, or completions per play."""
        y, n = _RATIOS[metric]
        names = (y, n, y + y, y + n, n + n)
        return Moments(self.by_name["members"], *(self.by_name[name] for name in names))

    def __getitem__(self, place: Any) -> Sums:
        return Sums({name: values[place] for name, values in self.by_name.items()})


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """By arm (in the definition's order) and day: sums up to that day, and of the day alone."""

    days: tuple[date, ...]
    so_far: Sums
    """(arms, days)."""
    of_the_day: Sums
    """(arms, days): counts of members are of new ones; products are not the day's alone."""


class Question:
    """One experiment's log, scanned once; each method answers a part. Made by :func:`asked`."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, lake_root: str, experiment: Experiment, now: datetime
    ) -> None:
        if experiment.started_at is None:
            raise ValueError(f"{experiment.name} was never started: there is nothing to analyse")
        self._connection, self._root, self._experiment = connection, lake_root, experiment
        self.start, self.now = experiment.started_at.astimezone(UTC), now.astimezone(UTC)
        self.end = max(self.start, min(experiment.ran_until(now), now).astimezone(UTC))
        self._values = {
            "arm": ARMS[experiment.definition.layer], "labels": _labels(experiment),
            "start": self.start.isoformat(), "end": self.end.isoformat(),
        }  # fmt: skip
        self._show("shown", s.IMPRESSIONS, self.start, self.end)
        connection.execute(_MEMBER_DAY.format(**self._values))
        connection.execute(_MEMBER)

    @property
    def contaminated(self) -> int:
        """Members who were shown two arms."""
        return int(self._rows("select count(*) from member where contaminated")[0][0])

    def course(self) -> Course:
        """Return the sums of each arm day by day, from the first day to the last that there is time of."""
        last = (self.end - timedelta(microseconds=1)).date()
        count = max(0, (last - self.start.date()).days) + 1
        days = tuple(self.start.date() + timedelta(days=n) for n in range(count))
        rows = self._rows(_COURSE)
        arms = _places(self._experiment)
        day = _placed(rows, (len(arms), count), arms, lambda value: (value - days[0]).days)
        return Course(days, Sums({k: np.cumsum(v, axis=1) for k, v in day.by_name.items()}), day)

    def by_age(self) -> Sums:
        """Return the sums of members by arm and day since their own first one, (arms, days)."""
        rows = self._rows(_BY_AGE)
        arms = _places(self._experiment)
        ages = 1 + max((row[1] for row in rows), default=0)
        return _placed(rows, (len(arms), ages), arms, int)

    def squared_moves(self, arm: int, y: Numbers, n: Numbers, metric: Metric) -> float:
        """Return, over an arm's members, the sum of squares of what their days add up to.

        A day counts ``y`` times its numerator plus ``n`` times its denominator, by day since the first one.
        """
        numerator, denominator = _RATIOS[metric]
        weights = pa.table({"age": np.arange(len(y)), "wy": y, "wn": n})
        self._connection.register("weights", weights)
        query = _SQUARED_MOVES.format(
            numerator=numerator, denominator=denominator, arm=list(_places(self._experiment))[arm]
        )
        return float(self._rows(query)[0][0])

    def members(self, pre_days: int = PRE_DAYS) -> pa.Table:
        """Return a row for each member: arm, first exposure, sums, pre-period, and whether they came back.

        ``first_us`` is in microseconds since 1970. ``retained`` says something of ``matured`` members only.
        The pre-period, where a member has one, is that of the ``pre_days`` days before the experiment began.
        """
        window = timedelta(days=self._experiment.definition.rule.retention_days)
        before = self.start - timedelta(days=pre_days)
        self._show("shown_before", s.IMPRESSIONS, before, self.start)
        self._show("watched", s.EVENTS, self.start, self.now)
        query = _MEMBERS.format(
            **self._values, pre_start=before.isoformat(), window_us=window // timedelta(microseconds=1),
            matured_us=_micros(self.now - window),
        )  # fmt: skip
        return self._connection.execute(query).fetch_arrow_table()

    def joint(self, other: Experiment) -> Sums:
        """Return the sums of members in both experiments while both ran, (our arms, their arms)."""
        theirs = ARMS[other.definition.layer]
        query = _JOINT.format(**{**self._values, "labels": _labels(other)}, other=theirs)
        ours, others = _places(self._experiment), _places(other)
        return _placed(self._rows(query), (len(ours), len(others)), ours, others.__getitem__)

    def _show(self, name: str, table: s.Table, start: datetime, end: datetime) -> None:
        show_log(self._connection, name, self._root, table, start.date(), end.date())

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(query).fetchall())


@contextmanager
def asked(
    lake_root: str, experiment: Experiment, now: datetime, threads: int | None = None
) -> Iterator[Question]:
    """Scan an experiment's impressions and answer questions of them until the context ends.

    ``threads``: as many as there are cores where None. Raises ``ValueError`` for an experiment that was never
    started.
    """
    with tempfile.TemporaryDirectory() as spill, duckdb.connect() as connection:
        connection.execute(f"set temp_directory = '{spill}'")
        connection.execute("set preserve_insertion_order = false")
        if threads is not None:
            connection.execute(f"set threads = {threads}")
        yield Question(connection, lake_root, experiment, now)


def _placed(
    rows: Sequence[tuple[Any, ...]],
    shape: tuple[int, int],
    arms: Mapping[str, int],
    column: Callable[[Any], int],
) -> Sums:
    """Lay rows (arm, key of the column, members, products ...) out as arrays; what is not there is 0."""
    sums = {name: np.zeros(shape) for name in ("members", *_PRODUCTS)}
    for arm, key, *values in rows:
        for name, value in zip(sums, values, strict=True):
            sums[name][arms[arm], column(key)] = value
    return Sums(sums)


def _places(experiment: Experiment) -> dict[str, int]:
    """Arm, as impressions bear it, to its place in the definition."""
    return {f"{experiment.name}/{arm.name}": n for n, arm in enumerate(experiment.definition.arms)}


def _labels(experiment: Experiment) -> str:
    """Slugs need no quoting."""
    return ", ".join(f"'{label}'" for label in _places(experiment))


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
