"""How a table of the lake is declared: its columns, each with type, unit and range."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its Arrow type and the values it may hold.

    ``minimum`` and ``maximum`` are inclusive bounds on numbers (on the elements, for lists);
    ``allowed`` lists the only values a string may take; ``length`` fixes the size of a list;
    ``identifier`` marks the ids of members and titles, which ``identifiers`` rules.
    """

    name: str
    type: pa.DataType
    description: str
    unit: str = ""
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = None
    length: int | None = None
    identifier: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the lake, partitioned by the UTC day (or month) of ``event_timestamp``.

    What grows with traffic, events, impressions and sessions, is partitioned by day. The catalogue, profiles
    and the other feature tables, which are read whole, by month: decades would otherwise be thousands of tiny
    files.
    """

    name: str
    description: str
    keys: tuple[str, ...]
    columns: tuple[Column, ...]
    partition: Literal["day", "month"] = "day"
    arrow_schema: pa.Schema = field(init=False, compare=False)

    def __post_init__(self) -> None:
        schema = pa.schema([pa.field(c.name, c.type, c.nullable) for c in self.columns])
        object.__setattr__(self, "arrow_schema", schema)

    def column(self, name: str) -> Column:
        """Return the declaration of a column; raises ``KeyError`` naming the table."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name!r} has no column {name!r}")
