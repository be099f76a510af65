"""What clients send: a new member, and a title."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from feature_repo import schema as s
from serving.api.instants import Instant
from serving.api.models import NOT_BLANK, Identifier, NewIdentifier

Country = Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]
Language = Annotated[str, StringConstraints(pattern="^[a-z]{2}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=NOT_BLANK)]
_MOST_PICKS = 50


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SignUp(_Body):
    """A new member, with the titles they picked; who picks none gets what is popular around them."""

    user_id: NewIdentifier
    country: Country | None = Field(None, description="ISO 3166-1 alpha-2")
    language: Language | None = Field(None, description="ISO 639-1")
    selected_title_ids: Annotated[list[NewIdentifier], Field(max_length=_MOST_PICKS)] = Field(
        default_factory=list, description="distinct titles of the catalogue; three or more say most"
    )

    @field_validator("selected_title_ids")
    @classmethod
    def _distinct(cls, picks: list[str]) -> list[str]:
        twice = [pick for place, pick in enumerate(picks) if pick in picks[:place]]
        if twice:
            raise ValueError(f"name {twice[0]!r} once")
        return picks


class TitleRecord(_Body):
    """A title's metadata; the table ``titles`` of docs/data.md."""

    name: Name
    release_year: Annotated[int, Field(ge=1870, le=2100)] | None = None
    runtime_minutes: Annotated[float, Field(ge=0, le=1440)] | None = None
    title_type: Literal["movie", "series", "short"] = "movie"
    maturity_level: Annotated[int, Field(ge=0, le=18)] | None = Field(
        None, description="youngest suitable age"
    )
    original_language: Language | None = None
    genres: list[Name] = Field(default_factory=list, description="a subset of the genres of docs/data.md")
    cast: Annotated[list[Name], Field(max_length=500)] = Field(
        default_factory=list, description="in billed order"
    )
    synopsis: Annotated[str, StringConstraints(max_length=20_000)] | None = None
    franchise_id: Annotated[Identifier, StringConstraints(pattern=NOT_BLANK)] | None = None
    countries: Annotated[list[Country], Field(min_length=1)] | None = Field(
        None, description="where it may be shown; null: everywhere"
    )
    available_since: Instant | None = Field(
        None, description="RFC 3339 instant with zone; from now on if left out"
    )

    @field_validator("genres")
    @classmethod
    def _known(cls, genres: list[str]) -> list[str]:
        strange = [genre for genre in genres if genre not in s.GENRES]
        if strange:
            raise ValueError(f"{strange[0]!r} is no genre; use some of {', '.join(s.GENRES)}")
        return genres

    def row(self, title_id: str, known_since: datetime, now: datetime) -> pa.Table:
        """Return the one row of the TITLES table, of the version that became known at ``known_since``.

        A title whose day is left out is available from ``now`` on. Both instants are aware.
        """
        values = self.model_dump() | {s.TITLE_ID: title_id, s.EVENT_TIMESTAMP: known_since}
        values[s.AVAILABLE_SINCE] = self.available_since or now
        columns = {c.name: pa.array([values[c.name]], c.type) for c in s.TITLES.columns}
        return pa.table(columns, schema=s.TITLES.arrow_schema)
