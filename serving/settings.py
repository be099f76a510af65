"""What an operator may set: generators, the rules of the page, limits, and what happens beside pages."""

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
    parity_share: float = Field(
        0.01, ge=0, le=1, description="share of pages whose whole ranker input is kept, for the parity proof"
    )


class BundleSettings(BaseModel):
    """When a bundle is refused, and what it is warmed up with; see docs/bundles.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lost_share: float = Field(
        0.2, ge=0, le=1, description="titles, members and vectors of the champion that a newer one may lack"
    )
    norm_growth: float = Field(
        10.0, gt=1, description="how much longer or shorter than the champion's its vectors may be"
    )
    canary_members: int = Field(20, ge=0, le=1000, description="members whose pages are tried")
    recent_requests: int = Field(
        200, ge=0, le=100_000, description="latest requests that a worker remembers to warm up with"
    )


class ShadowSettings(BaseModel):
    """Pages made once more from the challenger, seen by nobody; see docs/bundles.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(0.05, ge=0, le=1, description="share of the pages; 0 holds no challenger")
    queue_pages: int = Field(20, ge=1, le=10_000, description="pages that wait at most; others are shed")
    request_budget_ms: float = Field(
        50.0, gt=0, description="a page that took longer is not made again: the server is busy"
    )
    records_a_day: int = Field(20_000, ge=1, description="records of a worker and day at most")
    keep_days: int = Field(14, ge=1, le=365, description="days whose records are kept")


class LimitSettings(BaseModel):
    """What a worker does at most, and how long it waits; see docs/faults.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    read_ms: float = Field(
        100,
        gt=0,
        description="a page waits so long for its member's features; a healthy store takes a hundredth",
    )
    stage_ms: float = Field(250, gt=0, description="a stage that takes longer is given up at its next step")
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
    bundles: BundleSettings = BundleSettings()
    shadow: ShadowSettings = ShadowSettings()
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
