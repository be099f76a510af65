"""What a page must look like, and in which order its rules give way where titles are too few."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

LANGUAGE_VARIETY: Final = "language_variety"
GENRES_IN_VIEW: Final = "genres_in_view"
GENRE_CAP: Final = "genre_cap"
FRANCHISE_CAP: Final = "franchise_cap"
FRANCHISE_FRONT: Final = "franchise_front"
FEWEST_TILES: Final = "fewest_tiles"
RELAXATION: Final = (
    LANGUAGE_VARIETY, GENRES_IN_VIEW, GENRE_CAP, FRANCHISE_CAP, FRANCHISE_FRONT, FEWEST_TILES,
)  # fmt: skip
"""The rules that may give way, the first to go first.

Variety in view never costs a tile nor breaks a cap; caps give way where the page would else be shorter than
its fewest tiles, and the page is shorter only where the candidates are used up. That no title stands twice,
and that no title stands where a filter forbids it, never gives way.
"""


class PageRules(BaseModel):
    """Tiles per row and page, caps, variety and exploration; frozen.

    The rows' lengths are upper bounds. A row that cannot fill ``shortest_row`` is left out and its titles are
    free for others. Raises ``pydantic.ValidationError`` naming a field out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ranked: int = Field(75, ge=1, le=500, description="best candidates that personal rows choose from")
    continue_watching: int = Field(10, ge=0, le=40)
    top_picks: int = Field(12, ge=1, le=40, description="explored tiles among them")
    because_you_watched: int = Field(8, ge=0, le=40)
    trending_now: int = Field(10, ge=0, le=40)
    new_releases: int = Field(10, ge=0, le=40)
    genre: int = Field(8, ge=0, le=40)
    genre_rows: int = Field(3, ge=0, le=10)
    shortest_row: int = Field(4, ge=1, le=40)
    fewest_tiles: int = Field(40, ge=0, le=80)
    most_tiles: int = Field(80, ge=1, le=80)
    franchise_free_tiles: int = Field(
        5, ge=0, le=40, description="first tiles of a row among which no franchise repeats"
    )
    per_franchise: int = Field(4, ge=1, le=80, description="titles of a franchise on a page")
    per_genre: int = Field(40, ge=1, le=80, description="titles of a genre on a page")
    genres_in_view: int = Field(4, ge=0, le=30, description="genres among the first tiles_in_view")
    tiles_in_view: int = Field(40, ge=1, le=80)
    household_share: float = Field(
        0.2, gt=0, le=1, description="share of the latest titles that makes a language the household's"
    )
    per_language: int = Field(
        2, ge=0, le=20, description="titles in view of each language of a household that watches in several"
    )
    variety: Literal["none", "mmr", "dpp"] = Field("mmr", description="how relevance gives way to variety")
    variety_weight: float = Field(0.2, ge=0, lt=1, description="0: relevance alone")
    similar_from: float = Field(0.7, gt=0, le=1, description="cosine from which two titles are similar")
    crowd: int = Field(3, ge=1, description="similar titles on the page from which on another is penalised")
    crowding_penalty: float = Field(0.2, ge=0, description="in units of relevance, which spans 0 to 1")
    exploration_share: float = Field(0.05, ge=0, le=0.5, description="tiles drawn from outside the best")
    exploration_pool: int = Field(150, ge=1, le=425, description="candidates after the best to draw from")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.fewest_tiles > self.most_tiles:
            raise ValueError(
                f"fewest_tiles = {self.fewest_tiles} is above most_tiles = {self.most_tiles}: lower it"
            )
        return self

    @property
    def most_explored(self) -> int:
        """Explored tiles on the longest page."""
        return round(self.exploration_share * self.most_tiles)
