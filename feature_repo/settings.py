"""Where things are: one object read from the environment once, then passed along."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPOSITORY_ROOT = Path(__file__).resolve().parent.parent
PROFILE_VARIABLE: Final = "MARQUEE_PROFILE"


@dataclass(frozen=True, slots=True)
class Settings:
    """Locations of all state.

    ``home`` holds Redis, the registry, bundles and reports; ``lake`` is a path or an object-storage
    URL (``s3://bucket/prefix``); ``redis_url`` is None where an embedded server is to be used.
    ``profile`` says which stores Feast works with: a name in ``feature_repo/profiles``, the path of a file,
    or None for those of one machine.
    """

    home: Path
    lake: str
    redis_url: str | None
    profile: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read ``MARQUEE_HOME`` (default ``var/``), ``_LAKE`` and ``_PROFILE``, and ``REDIS_URL``."""
        env = os.environ if environment is None else environment
        home = Path(env.get("MARQUEE_HOME") or REPOSITORY_ROOT / "var").resolve()
        profile = env.get(PROFILE_VARIABLE) or None
        if profile is not None and names_a_file(profile):
            profile = str(Path(profile).resolve())
        lake = env.get("MARQUEE_LAKE") or str(home / "lake")
        return cls(home, lake, env.get("REDIS_URL") or None, profile)

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


def names_a_file(profile: str) -> bool:
    """Say whether a profile is given as the path of a file, not as a name."""
    return os.sep in profile or profile.endswith((".yaml", ".yml"))
