"""Metrics of whole pages, which rank models otherwise than one list does.

A page is its rows from the top, each an array of title rows from the left. A title that stands on it more
than once counts where it stands first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feature_repo.page.attention import attention

Floats = NDArray[np.float64]
PageRows = Sequence[NDArray[np.int64]]


def seen_titles(page: PageRows) -> tuple[NDArray[np.int64], Floats]:
    """Return a page's distinct titles, (n,), with the attention that each gets where it stands first."""
    nothing = np.empty(0, dtype=np.int64)
    tiles = np.concatenate([nothing, *page])
    titles, first = np.unique(tiles, return_index=True)
    return titles, attention([len(row) for row in page])[first]


def page_ndcg(page: PageRows, relevant: NDArray[np.bool_]) -> float:
    """Two-dimensional NDCG: the attention that relevant titles get, over the most they could get there.

    .. math:: \\frac{\\sum_{t \\in page} a(row_t, position_t) \\, r_t}{\\sum_{i=1}^{\\min(n, R)} a_{(i)}}

    with a the probability that a tile is looked at, and the ideal putting the R relevant titles (bool [T]) on
    the most seen of the page's n tiles. NaN without relevant titles. The discount of NDCG (Järvelin and
    Kekäläinen 2002) is replaced by that of a reader who scans rows from the top and each from the left.
    """
    titles, seen = seen_titles(page)
    every = np.sort(attention([len(row) for row in page]))[::-1]
    ideal = every[: int(relevant.sum())].sum()
    if ideal == 0:
        return 0.0 if relevant.any() else float("nan")
    return float(seen[relevant[titles]].sum() / ideal)


def expected_plays(page: PageRows, probabilities: Floats) -> float:
    """Return the plays that a page brings, where ``probabilities`` (T,) are those of a title looked at."""
    titles, seen = seen_titles(page)
    return float(seen @ probabilities[titles])


def duplicate_share(page: PageRows) -> float:
    """Return the share of tiles whose title stands in a row above already, 0 to 1."""
    tiles = sum(len(row) for row in page)
    return 1.0 - len(seen_titles(page)[0]) / tiles if tiles else 0.0


def genre_entropy(page: PageRows, genres: NDArray[np.bool_]) -> float:
    """Return the Shannon entropy of the page's genres, bits; each title's genres (T, G) share its weight."""
    of_page = genres[seen_titles(page)[0]].astype(np.float64)
    shares = (of_page / np.maximum(of_page.sum(axis=1, keepdims=True), 1.0)).sum(axis=0)
    shares = shares[shares > 0] / max(shares.sum(), 1e-12)
    return float(-(shares * np.log2(shares)).sum())


def page_diversity(page: PageRows, vectors: NDArray[np.float32]) -> float:
    """Return the mean of 1 - cosine over all pairs of a page's titles; ``vectors`` (T, d) of unit length.

    NaN below two titles.
    """
    chosen = vectors[seen_titles(page)[0]].astype(np.float64)
    n = len(chosen)
    if n < 2:
        return float("nan")
    total = chosen.sum(axis=0)
    return float(1.0 - (total @ total - np.square(chosen).sum()) / (n * (n - 1)))
