"""Which stores Feast works with: ``feature_store.yaml``, or the profile that ``MARQUEE_PROFILE`` names."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

from feast.repo_config import load_repo_config

from feature_repo.settings import PROFILE_VARIABLE, REPOSITORY_ROOT, names_a_file

FEATURE_REPOSITORY: Final = REPOSITORY_ROOT / "feature_repo"
DEFAULT: Final = FEATURE_REPOSITORY / "feature_store.yaml"
PROFILES: Final = FEATURE_REPOSITORY / "profiles"
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
_FILLED_IN_BY_THE_GATEWAY: Final = frozenset({"MARQUEE_HOME"})


class ProfileError(ValueError):
    """The profile is not there, or cannot be used; the message says what to do."""


def load_profile(profile: str | None) -> Any:
    """Return Feast's configuration: that of ``feature_store.yaml`` for None, else of the profile.

    ``profile`` is a name in the folder ``profiles``, or a path. Raises :class:`ProfileError` where there is
    no such file, it needs an environment variable that is not set, or Feast cannot use it.
    """
    if profile is None:
        return load_repo_config(FEATURE_REPOSITORY, DEFAULT)
    file = Path(profile) if names_a_file(profile) else PROFILES / f"{profile}.yaml"
    told = f"{PROFILE_VARIABLE}={profile!r}"
    if not file.is_file():
        raise ProfileError(
            f"{told}: there is no {file}; use one of {', '.join(profile_names())}, the path of your "
            "own file, or leave it unset for one machine"
        )
    unset = set(_VARIABLE.findall(file.read_text("utf-8"))) - os.environ.keys() - _FILLED_IN_BY_THE_GATEWAY
    if unset:
        raise ProfileError(f"{told}: {file} needs {', '.join(sorted(unset))}, which is not set")
    try:
        return load_repo_config(FEATURE_REPOSITORY, file)
    except Exception as error:  # YAML's, Feast's, and those of modules that the file names
        why = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        raise ProfileError(f"{told}: Feast cannot use {file}: {why}") from error


def profile_names() -> list[str]:
    """Return the names of the profiles that come with the feature repository, in their order."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))
