"""The bundle in service, and what the next training takes over from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from feature_repo.settings import Settings
from training.bundle import CHAMPION, Bundle, BundleAliases, BundleContents, BundleError, load_bundle
from training.config import TrainingConfig
from training.factors import Factors


@dataclass(frozen=True, slots=True)
class WarmStart:
    """Factors to begin with, which know everything before ``known_until``."""

    factors: Factors
    known_until: datetime

    def as_of(self, instant: datetime) -> Factors | None:
        """Return the factors where they know nothing that came after ``instant``, else None.

        A model to be judged on what came later must not begin with factors that have seen it.
        """
        return self.factors if self.known_until <= instant else None


def champion_bundle(settings: Settings) -> Bundle | None:
    """Return the bundle in service, None where there is none; raises ``BundleError`` for a damaged one."""
    version = BundleAliases(settings.bundles).get(CHAMPION)
    return None if version is None else load_bundle(settings.bundles / version)


def champion_of(settings: Settings) -> BundleContents:
    """Return the champion's contents; raises ``BundleError`` where there is none."""
    bundle = champion_bundle(settings)
    if bundle is None:
        raise BundleError(settings.bundles, "no champion", "a bundle in service", "Run a training first.")
    return bundle.contents


def hit_rates_of(contents: BundleContents) -> dict[str, NDArray[np.float32]]:
    """Return the hit rates of a bundle, by generator, without the zeros that fill them up."""
    return {
        name: curve[curve > 0]
        for name, curve in zip(contents.hit_rate_sources.tolist(), contents.hit_rates, strict=True)
    }


def warm_start_of(bundle: Bundle, config: TrainingConfig) -> WarmStart | None:
    """Return what ``config``'s core model can begin with; None for factors of another model or length."""
    contents = bundle.contents
    folds_in = contents.confidence is not None
    if folds_in != (config.core_model == "als"):
        return None
    dimensions = config.als.dimensions if folds_in else config.bpr.dimensions
    if contents.title_factors.shape[1] != dimensions:
        return None
    factors = Factors(
        contents.user_ids, contents.title_ids, contents.user_factors, contents.title_factors,
        contents.confidence,
    )  # fmt: skip
    return WarmStart(factors, bundle.manifest.data_window.end)
