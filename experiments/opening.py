"""Where a home keeps its experiments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from experiments.store import ExperimentStore
from feature_repo.settings import Settings

STORE_VARIABLE: Final = "MARQUEE_EXPERIMENTS"


def store_url(settings: Settings, environment: Mapping[str, str] | None = None) -> str:
    """Return what ``MARQUEE_EXPERIMENTS`` says, else the SQLite file ``experiments.db`` in the home."""
    env = os.environ if environment is None else environment
    return env.get(STORE_VARIABLE) or f"sqlite:///{settings.home / 'experiments.db'}"


def open_store(settings: Settings, environment: Mapping[str, str] | None = None) -> ExperimentStore:
    """Open the store of a home; raises as :meth:`ExperimentStore.open` does."""
    return ExperimentStore.open(store_url(settings, environment))


def decisions_folder(settings: Settings) -> Path:
    """Return the folder of the decisions' files."""
    return settings.home / "experiments" / "decisions"
