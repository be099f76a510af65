"""What a bundle holds: which array lies in which file, and what makes it fit to serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.candidate_mix import CANDIDATES
from feature_repo.transforms.confidence import Confidence
from feature_repo.transforms.towers import TOWER_SHAPES
from training.bundle.errors import BundleError

RANKER_FILE: Final = "ranker.ubj"
_RETRAIN: Final = "Train and publish a new bundle."


@dataclass(frozen=True, slots=True, eq=False)
class BundleContents:
    """The models as arrays; T titles, U members, S segments, C countries, G candidate generators.

    ``title_factors`` is float32 (T, 128), a zero row for a title without interactions;
    ``user_factors`` float32 (U, 128) warm-starts the next training; ``confidence`` is what they were fitted
    with, by which a vector is folded in (None where the core model knows no such solution).
    ``tower_weights`` are those of :mod:`feature_repo.transforms.towers`, by name; ``tower_title_vectors``
    float32 (T, 256), of unit length; ``content_to_als`` float32 (257, 128) takes such a vector, with a 1
    behind it, to a stand-in for the factors that a title does not have yet. ``ranker`` is XGBoost's raw
    UBJSON, and ``ranker_decides`` whether pages begin with its order or with that of the merged candidates;
    ``popularity`` is float32 (S, T), ``trending`` (C, T) as of the data
    window's end, ``trending_weights`` (C,) the decayed plays that they are shares of; ``segments`` and
    ``countries`` begin with "", which stands for everybody. ``hit_rates`` (G, CANDIDATES) holds,
    for each of ``hit_rate_sources``, the probability that its candidate of each rank is watched next, 0
    beyond its limit.
    """

    title_ids: NDArray[np.str_]
    title_factors: NDArray[np.float32]
    user_ids: NDArray[np.str_]
    user_factors: NDArray[np.float32]
    confidence: Confidence | None
    tower_weights: dict[str, NDArray[np.float32]]
    tower_title_vectors: NDArray[np.float32]
    content_to_als: NDArray[np.float32]
    ranker: bytes
    segments: NDArray[np.str_]
    popularity: NDArray[np.float32]
    countries: NDArray[np.str_]
    trending: NDArray[np.float32]
    trending_weights: NDArray[np.float32]
    hit_rate_sources: NDArray[np.str_]
    hit_rates: NDArray[np.float32]
    ranker_decides: bool = True


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """One ``.npy`` file: the field it holds, its element type and its shape by names or numbers.

    ``key`` names the array where the field is a dictionary of them.
    """

    field: str
    element: type[np.str_] | type[np.float32]
    shape: tuple[str | int, ...]
    key: str | None = None

    def of(self, contents: BundleContents) -> NDArray[Any]:
        """Return the array; raises :class:`BundleError` where a dictionary lacks it."""
        value: Any = getattr(contents, self.field)
        if self.key is None:
            return np.asarray(value)
        if self.key not in value:
            raise BundleError(
                f"{self.field}/{self.key}", "no such array", f"one of {sorted(TOWER_SHAPES)}", _RETRAIN
            )
        return np.asarray(value[self.key])


ARRAY_FILES: Final[dict[str, ArrayFile]] = {
    "title_ids.npy": ArrayFile("title_ids", np.str_, ("titles",)),
    "als/title_factors.npy": ArrayFile("title_factors", np.float32, ("titles", s.ALS_DIMENSIONS)),
    "als/user_ids.npy": ArrayFile("user_ids", np.str_, ("users",)),
    "als/user_factors.npy": ArrayFile("user_factors", np.float32, ("users", s.ALS_DIMENSIONS)),
    "two_tower/title_vectors.npy": ArrayFile(
        "tower_title_vectors", np.float32, ("titles", s.TWO_TOWER_DIMENSIONS)
    ),
    "two_tower/content_to_als.npy": ArrayFile(
        "content_to_als", np.float32, (s.TWO_TOWER_DIMENSIONS + 1, s.ALS_DIMENSIONS)
    ),
    "popularity/segments.npy": ArrayFile("segments", np.str_, ("segments",)),
    "popularity/scores.npy": ArrayFile("popularity", np.float32, ("segments", "titles")),
    "trending/countries.npy": ArrayFile("countries", np.str_, ("countries",)),
    "trending/scores.npy": ArrayFile("trending", np.float32, ("countries", "titles")),
    "trending/weights.npy": ArrayFile("trending_weights", np.float32, ("countries",)),
    "hit_rates/sources.npy": ArrayFile("hit_rate_sources", np.str_, ("sources",)),
    "hit_rates/by_rank.npy": ArrayFile("hit_rates", np.float32, ("sources", CANDIDATES)),
    **{
        f"two_tower/weights/{name}.npy": ArrayFile("tower_weights", np.float32, shape, name)
        for name, shape in TOWER_SHAPES.items()
    },
}
FILES: Final = frozenset((*ARRAY_FILES, RANKER_FILE))
"""Every file of a bundle beside its manifest; names outside this set are never opened."""


def canonical(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array C-contiguous, little-endian, and strings no wider than the widest.

    Equal contents then give equal bytes, and so the same content hash.
    """
    if array.dtype.kind == "U":
        width = int(np.strings.str_len(array).max(initial=1))
        return np.ascontiguousarray(array.astype(f"<U{width}"))
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))


def check_contents(contents: BundleContents) -> None:
    """Raise :class:`BundleError`, naming the file, unless every array is fit to serve."""
    sizes: dict[str, int] = {}
    for name, declared in ARRAY_FILES.items():
        array = declared.of(contents)
        _check_type(name, array, declared)
        _check_shape(name, array, declared, sizes)
        if declared.element is np.float32:
            _check_finite(name, array)
        else:
            _check_names(name, array)
    _check_first("popularity/segments.npy", contents.segments)
    _check_first("trending/countries.npy", contents.countries)
    if not contents.ranker.startswith(b"{"):
        found = f"{len(contents.ranker)} bytes that begin with {contents.ranker[:4]!r}"
        raise BundleError(RANKER_FILE, found, "XGBoost's UBJSON, which begins with b'{'", _RETRAIN)


def _check_type(name: str, array: NDArray[Any], declared: ArrayFile) -> None:
    fits = array.dtype.kind == "U" if declared.element is np.str_ else array.dtype == np.float32
    if not fits:
        expected = "unicode strings" if declared.element is np.str_ else "float32"
        raise BundleError(name, f"dtype {array.dtype}", expected, "Convert the array before publishing.")


def _check_shape(name: str, array: NDArray[Any], declared: ArrayFile, sizes: dict[str, int]) -> None:
    """Compare with the declared shape; the first array with a named size defines that size."""
    expected = tuple(
        size if isinstance(size, int) else sizes.get(size, array.shape[axis] if axis < array.ndim else -1)
        for axis, size in enumerate(declared.shape)
    )
    if array.shape != expected:
        meaning = " × ".join(map(str, declared.shape))
        remedy = "Build all arrays from the same titles, members and countries."
        raise BundleError(name, f"shape {array.shape}", f"{expected} ({meaning})", remedy)
    sizes.update({n: have for n, have in zip(declared.shape, array.shape, strict=True) if isinstance(n, str)})


def _check_finite(name: str, array: NDArray[np.float32]) -> None:
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        row, column = (int(place) for place in wrong[0])
        found = f"{array[row, column]} at [{row}, {column}], {len(wrong)} values in all not finite"
        raise BundleError(name, found, "finite numbers only", "Retrain: the model diverged.")


def _check_names(name: str, array: NDArray[np.str_]) -> None:
    distinct, counts = np.unique(array, return_counts=True)
    if len(distinct) < len(array):
        twice = str(distinct[counts > 1][0])
        raise BundleError(name, f"{twice!r} more than once", "distinct names", "Drop the duplicates.")
    if len(array) == 0 and name == "title_ids.npy":
        raise BundleError(name, "no titles", "at least one", "Ingest a catalogue before training.")


def _check_first(name: str, segments: NDArray[np.str_]) -> None:
    if len(segments) == 0 or segments[0] != "":
        found = "nothing" if len(segments) == 0 else f"{str(segments[0])!r} first"
        raise BundleError(name, found, "'' (everybody) first", "Put the row of everybody first.")
