"""Who plays in a title, as a vector: people who are billed together lie close together.

The vectors of people are a truncated SVD of the positive pointwise mutual information of being billed
in one title, with the square root of the singular values on either side (Levy and Goldberg, "Neural
Word Embedding as Implicit Matrix Factorization", NeurIPS 2014, sections 3 and 4). They are fitted on the
whole catalogue: credits, which are known when a title is announced, and nobody's behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from feature_repo import schema as s
from feature_repo.transforms.arrow_columns import codes_of, sorted_vocabulary

TOP_BILLED: Final = 5
POWER_ITERATIONS: Final = 4


@dataclass(frozen=True, slots=True)
class CastEncoder:
    """People, sorted, with their vectors (people, CAST_DIMENSIONS)."""

    people: pa.StringArray
    vectors: NDArray[np.float32]

    @classmethod
    def fit(cls, cast: pa.ChunkedArray, seed: int) -> CastEncoder:
        """Fit on lists of names in billed order, one per title of the catalogue.

        Someone never billed with another has the vector 0. The same seed and cast give the same vectors,
        signs included.
        """
        lists = cast.combine_chunks()
        people = sorted_vocabulary(pa.chunked_array([lists.flatten()]))
        titles, billed, _ = _billed(lists, people)
        return cls(people, _person_vectors(_billing(titles, billed, (len(lists), len(people))), seed))

    def encode(self, cast: pa.ChunkedArray) -> NDArray[np.float32]:
        """Return (titles, CAST_DIMENSIONS): the mean vector of each title's first five people, 0 for none.

        People the catalogue did not know are left out of the mean.
        """
        lists = cast.combine_chunks()
        titles, billed, places = _billed(lists, self.people)
        top = places < TOP_BILLED
        leads = _billing(titles[top], billed[top], (len(lists), len(self.people)))
        means: NDArray[np.float32] = (leads @ self.vectors) / np.maximum(leads.sum(axis=1), 1.0)[:, None]
        return means.astype(np.float32)


def _billed(
    lists: pa.ListArray, people: pa.StringArray
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Return title, person (-1: unknown) and place in the billing of every name."""
    lengths = lists.value_lengths().fill_null(0).to_numpy()
    titles = np.repeat(np.arange(len(lists)), lengths)
    billed = codes_of(pa.chunked_array([lists.flatten()]), people)
    places = np.arange(len(billed)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return titles, billed, places


def _billing(
    titles: NDArray[np.int64], people: NDArray[np.int32], shape: tuple[int, int]
) -> sparse.csr_array:
    named = people >= 0
    ones = np.ones(int(named.sum()), dtype=np.float32)
    billing = sparse.coo_array((ones, (titles[named], people[named])), shape=shape).tocsr()
    billing.data[:] = 1.0  # a name may be listed twice
    return billing


def _person_vectors(billing: sparse.csr_array, seed: int) -> NDArray[np.float32]:
    vectors = np.zeros((billing.shape[1], s.CAST_DIMENSIONS), dtype=np.float32)
    information = _positive_mutual_information(billing)
    if information.nnz == 0:
        return vectors
    rank = min(s.CAST_DIMENSIONS, billing.shape[1])
    left, values, _ = randomized_svd(information, rank, n_iter=POWER_ITERATIONS, random_state=seed)
    vectors[:, :rank] = left * np.sqrt(values)
    vectors[np.diff(information.indptr) == 0] = 0.0  # rounding in the factorisation
    return vectors


def _positive_mutual_information(billing: sparse.csr_array) -> sparse.csr_array:
    """Return ``max(0, log(n_ab n / (n_a n_b)))`` for people a and b billed together, (people, people)."""
    together = (billing.T @ billing).tocsr()
    together.setdiag(0)
    together.eliminate_zeros()
    per_person = np.asarray(together.sum(axis=1)).ravel()
    rows = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
    expected = per_person[rows] * per_person[together.indices] / max(per_person.sum(), 1.0)
    together.data = np.maximum(np.log(together.data / expected), 0.0)
    together.eliminate_zeros()
    return together
