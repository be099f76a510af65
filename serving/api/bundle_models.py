"""Parameters and bodies of ``/v1/bundles``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from training.bundle.aliases import CHAMPION, Alias
from training.bundle.manifest import VERSION_PATTERN


class BundleParameters(BaseModel):
    """Which bundle."""

    model_config = ConfigDict(extra="forbid")

    version: str = Field(pattern=VERSION_PATTERN, examples=["20260102T030405Z-0a1b2c3d"])


class Activation(BaseModel):
    """What a bundle is to be."""

    model_config = ConfigDict(extra="forbid")

    alias: Alias = CHAMPION
