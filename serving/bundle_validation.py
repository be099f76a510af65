"""Whether the models of a bundle may serve: what their checksums cannot tell, seen beside the champion.

That every array has its type and shape and only finite numbers is checked where bundles are read
(:mod:`training.bundle`). Here are the checks that need indexes and a champion; those that need whole pages
are in :mod:`serving.bundle_canary`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from serving.models import Models
from serving.settings import BundleSettings
from training.bundle import BundleError, OtherSchemaError

RefusalKind = Literal["files", "schema", "models", "norms", "sizes", "retrieval", "ranker", "canary"]
_LONGEST: Final = 1e4
"""No training yields longer vectors; squares of much longer ones leave float32."""
_UNIT_TOLERANCE: Final = 1e-3
_PROBES: Final = 32
_INSTANT: Final = len("YYYYMMDDTHHMMSSZ")


class BundleRefusedError(ValueError):
    """A bundle must not serve: ``kind`` names the check that refused it, the message says why."""

    def __init__(self, kind: RefusalKind, reason: str) -> None:
        super().__init__(reason)
        self.kind: Final = kind


def refusal_kind(error: ValueError) -> RefusalKind:
    """Return by which check a bundle was refused."""
    if isinstance(error, BundleRefusedError):
        return error.kind
    if isinstance(error, OtherSchemaError):
        return "schema"
    return "files" if isinstance(error, BundleError) else "models"


def check_models(
    models: Models, title_ids: Collection[str], champion: Models | None, settings: BundleSettings
) -> None:
    """Raise :class:`BundleRefusedError` unless models of a bundle with ``title_ids`` may serve.

    They are compared with the ``champion`` unless that is newer: an older bundle served before, and must be
    free to come back whatever was added since.
    """
    _check_norms(models)
    if champion is not None and not older(models.version, champion.version):
        _compare_norms(models, champion, settings)
        _compare_sizes(models, champion, settings)
    _check_retrieval(models, title_ids)


def older(version: str, than: str) -> bool:
    """Say whether a version was created before another."""
    return version[:_INSTANT] < than[:_INSTANT]


def _check_norms(models: Models) -> None:
    towers = _norms(models.tower_vectors)
    wrong = np.abs(towers - 1) > _UNIT_TOLERANCE
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BundleRefusedError(
            "norms",
            f"two_tower/title_vectors.npy: {int(wrong.sum())} vectors are not of unit length, the first is "
            f"row {row} with {towers[row]:.6g}; normalise them and publish again",
        )
    for name, vectors in _factors(models).items():
        longest = float(_norms(vectors).max(initial=0.0))
        if longest > _LONGEST:
            raise BundleRefusedError(
                "norms",
                f"{name}: a vector of length {longest:.6g}, expected {_LONGEST:g} at most; "
                "the training diverged: train again",
            )


def _compare_norms(models: Models, champion: Models, settings: BundleSettings) -> None:
    ours, theirs = _factors(models), _factors(champion)
    for name in ours:
        _compare_known(name, ours[name], theirs[name], settings.lost_share)
        before, after = _typical(theirs[name]), _typical(ours[name])
        if before and after and not 1 / settings.norm_growth <= after / before <= settings.norm_growth:
            raise BundleRefusedError(
                "norms",
                f"{name}: vectors are {after / before:.3g} times as long as the champion's (median "
                f"{after:.3g} after {before:.3g}), expected at most {settings.norm_growth:g} times longer or "
                "shorter; train again, or set bundles.norm_growth higher",
            )


def _compare_known(
    name: str, ours: NDArray[np.float32], theirs: NDArray[np.float32], lost_share: float
) -> None:
    """Compare the shares of rows that are not zero."""
    known, before = _known_share(ours), _known_share(theirs)
    if known < (1 - lost_share) * before:
        raise BundleRefusedError(
            "norms",
            f"{name}: {1 - known:.1%} of the vectors are zero, {1 - before:.1%} of the champion's are; "
            "train on complete data, or set bundles.lost_share higher",
        )


def _compare_sizes(models: Models, champion: Models, settings: BundleSettings) -> None:
    sizes = (
        ("titles", len(models.title_factors), len(champion.title_factors)),
        ("members", len(models.vectors.users), len(champion.vectors.users)),
    )
    for what, after, before in sizes:
        if after < (1 - settings.lost_share) * before:
            raise BundleRefusedError(
                "sizes",
                f"{after:,} {what}, the champion has {before:,}: {1 - after / before:.1%} are lost, "
                f"expected {settings.lost_share:.0%} at most; train on complete data, or set "
                "bundles.lost_share higher",
            )


def _check_retrieval(models: Models, title_ids: Collection[str]) -> None:
    """Ask both indexes; a title's own tower vector must find a title as near as itself."""
    users = models.vectors.users[np.isfinite(models.vectors.users).all(axis=1)]
    for user in users[:: max(1, len(users) // _PROBES)]:
        rows, scores = models.als_index.search(user, 10)
        if len(rows) == 0 or not np.isfinite(scores).all():
            raise BundleRefusedError(
                "retrieval",
                f"als: {len(rows)} titles found for a member's own vector, expected 10 with finite scores; "
                "train a new bundle",
            )
    for row in range(0, len(title_ids), max(1, len(title_ids) // _PROBES)):
        rows, scores = models.tower_index.search(models.tower_vectors[row], 1)
        if len(rows) == 0 or not abs(float(scores[0]) - 1) <= 2 * _UNIT_TOLERANCE:
            raise BundleRefusedError(
                "retrieval",
                f"two_tower: title row {row} does not find itself in the index; train a new bundle",
            )


def _factors(models: Models) -> dict[str, NDArray[np.float32]]:
    """Return the collaborative vectors by file; rows that mean "none" are zero."""
    return {
        "als/title_factors.npy": models.title_factors,
        "als/user_factors.npy": np.nan_to_num(models.vectors.users),
    }


def _norms(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    norms: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return norms


def _typical(vectors: NDArray[np.float32]) -> float:
    norms = _norms(vectors)
    return float(np.median(norms[norms > 0])) if norms.any() else 0.0


def _known_share(vectors: NDArray[np.float32]) -> float:
    return float(vectors.any(axis=1).mean()) if len(vectors) else 0.0
