"""What an operator may set: candidate generators, the rules of the page, the impression log, and limits."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from feature_repo.page.rules import PageRules
from feature_repo.transforms.candidate_mix import LIMITS


class GeneratorSettings(BaseModel):
    """One candidate generator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    limit: int = Field(ge=1, le=500, description="titles it proposes at most")


class ImpressionSettings(BaseModel):
    """The impression log of one worker; see docs/impressions.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    queue_tiles: int = Field(
        50_000, ge=80, description="tiles in memory at most; pages beyond it are dropped and counted"
    )
    flush_tiles: int = Field(10_000, ge=1, description="tiles from which on a file is written early")
    flush_seconds: float = Field(5.0, gt=0, le=600, description="how long a page waits to be written")
    stop_seconds: float = Field(5.0, gt=0, le=60, description="how long a stop waits for the last file")


class LimitSettings(BaseModel):
    """What a worker does at most, and how long it waits; see docs/faults.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    page_ms: float = Field(500, gt=0, description="from then on a page leaves out its costly stages")
    full_pages: int = Field(16, ge=1, description="wanted at once; above it pages are lean")
    most_pages: int = Field(64, ge=1, description="wanted at once; above it the answer is 503")
    kept_members: int = Field(5_000, ge=1, description="members whose last features are kept")
    kept_seconds: float = Field(3600, gt=0, le=3600, description="for how long, at most")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.most_pages < self.full_pages:
            raise ValueError(f"most_pages = {self.most_pages}: give at least full_pages, {self.full_pages}")
        return self


class ServingSettings(BaseModel):
    """Settings of a server; what a file leaves out keeps its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generators: dict[str, GeneratorSettings] = Field(default_factory=dict)
    page: PageRules = PageRules()
    impressions: ImpressionSettings = ImpressionSettings()
    limits: LimitSettings = LimitSettings()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        strange = sorted(set(self.generators) - set(LIMITS))
        if strange:
            raise ValueError(f"no candidate generator {strange[0]!r}; there are {', '.join(LIMITS)}")
        given = {name: GeneratorSettings(limit=limit) for name, limit in LIMITS.items()} | self.generators
        object.__setattr__(self, "generators", given)
        return self

    @classmethod
    def load(cls, path: Path) -> ServingSettings:
        """Read a JSON file; raises ``ValueError`` naming the file, the field, the value and the rule."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ValueError(f"{path}: {error}") from error
