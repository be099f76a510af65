"""Parameters and answers about titles and members that a client shows to people."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from serving.api.models import Identifier

MOST_TITLES = 100
"""In one request: more than the longest page holds."""
_LONGEST_LIST = MOST_TITLES * 129


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class TitleFacts(_Answer):
    """What a title is, as far as a tile shows it; null where unknown."""

    title_id: str
    name: str
    release_year: int | None
    runtime_minutes: float | None
    title_type: Literal["movie", "series", "short"] | None
    maturity_level: int | None = Field(description="youngest suitable age")
    original_language: str | None = Field(description="ISO 639-1")
    genres: list[str]
    available_since: AwareDatetime | None


class TitleList(_Answer):
    """Titles in the order asked for; ``unknown`` are those that the catalogue does not hold."""

    titles: list[TitleFacts]
    unknown: list[str]


class TitleDetails(TitleFacts):
    """A title with what is written of it."""

    cast: list[str] = Field(description="in billed order")
    synopsis: str | None


class TitlesToPick(_Answer):
    """Titles to choose from at sign-up: popular ones of many genres, the most popular first."""

    titles: list[TitleFacts]


class KnownMember(_Answer):
    """A member that the bundle in service was trained on."""

    user_id: str
    country: str | None = Field(description="ISO 3166-1 alpha-2")
    language: str | None = Field(description="ISO 639-1")
    watch_count: Annotated[int, Field(ge=0, description="viewings started")]
    genres: list[str] = Field(description="up to three favourite genres, the favourite first")


class MemberList(_Answer):
    """Some members, evenly spread over those the bundle knows."""

    bundle: str
    members: list[KnownMember]


class TitlesParameters(BaseModel):
    """Which titles."""

    ids: Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST_LIST)] = Field(
        description=f"1 to {MOST_TITLES} title ids with commas between"
    )

    @field_validator("ids")
    @classmethod
    def _not_too_many(cls, ids: str) -> str:
        if ids.count(",") >= MOST_TITLES:
            raise ValueError(f"name at most {MOST_TITLES} titles at once")
        return ids

    @property
    def title_ids(self) -> list[str]:
        """The ids, each once, in order."""
        return list(dict.fromkeys(ids for ids in self.ids.split(",") if ids))


class OneTitleParameters(BaseModel):
    """Which title."""

    title_id: Identifier


class PicksParameters(BaseModel):
    """Where somebody signs up, and how many titles they may choose from."""

    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] | None = Field(
        None, description="ISO 3166-1 alpha-2; titles not offered there are left out"
    )
    language: Annotated[str, StringConstraints(pattern="^[a-z]{2}$")] | None = Field(
        None, description="ISO 639-1; what is popular among its speakers comes first"
    )
    limit: Annotated[int, Field(ge=1, le=MOST_TITLES)] = 24


class MembersParameters(BaseModel):
    """How many members."""

    limit: Annotated[int, Field(ge=1, le=50)] = 12
