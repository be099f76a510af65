"""Where things are: one object read from the environment once, then passed along."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Settings:
    """Locations of all state.

    ``home`` holds Redis, the registry, bundles and reports; ``lake`` is a path or an object-storage
    URL (``s3://bucket/prefix``); ``redis_url`` is None where an embedded server is to be used.
    """

    home: Path
    lake: str
    redis_url: str | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read ``MARQUEE_HOME`` (default ``var/``), ``MARQUEE_LAKE`` and ``REDIS_URL``."""
        env = os.environ if environment is None else environment
        home = Path(env.get("MARQUEE_HOME") or REPOSITORY_ROOT / "var").resolve()
        return cls(home, env.get("MARQUEE_LAKE") or str(home / "lake"), env.get("REDIS_URL") or None)

    @property
    def bundles(self) -> Path:
        """Folder of the model bundles."""
        return self.home / "bundles"

    @property
    def reports(self) -> Path:
        """Folder of the training reports, one per bundle."""
        return self.home / "reports"

    @property
    def registry(self) -> Path:
        """Feast's registry file."""
        return self.home / "registry.db"

    @property
    def redis_directory(self) -> Path:
        """Where the embedded Redis keeps its snapshot and announces its port."""
        return self.home / "redis"

    @property
    def simulation(self) -> Path:
        """The simulated service's hidden truth; never read by training or serving."""
        return self.home / "simulation"
