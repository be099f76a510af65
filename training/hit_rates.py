"""What a generator's candidate is worth at each rank, beside what the other generators say of it.

Generators agree: the most popular titles are also trending and near to most members. How often a rank was
watched, generator by generator, would count that agreement several times. Instead all of them are fitted
together: the expected watches of a title are the sum of what each generator that proposed it adds at its
rank. With ``p = 1 - exp(-rate)`` that sum is the merge's noisy-or, and the fit is its maximum likelihood.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from feature_repo.transforms.candidate_mix import CANDIDATES, STRANGERS
from training.candidates import Generators

MOST_MEMBERS: Final = 2_000
FEWEST_STRANGERS: Final = 40
"""Members without history, below which what is measured on them says less than what is measured on others."""
ITERATIONS: Final = 200
_EDGES: Final = np.unique(
    np.concatenate([np.arange(0, 10, 2), np.geomspace(10, CANDIDATES, 18).round()]).astype(np.int64)
)
"""Ranks at which another bin begins, narrow at the top; the last edge is the end."""
_BIN_OF_RANK: Final = np.repeat(np.arange(len(_EDGES) - 1), np.diff(_EDGES))
_TINY: Final = 1e-12
_MOST_CERTAIN: Final = 0.999


def hit_rates(generators: Generators, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return, by generator, the probability that its candidate at each rank is watched, float32 (limit,).

    Non-increasing in the rank, and what the generator says beyond the others. Measured on the members and
    relevant titles of ``generators.cases``, each member counting the same, as in a mean recall; at most
    MOST_MEMBERS, drawn with ``seed``. Members without any history have only charts to be measured by, and
    would say of charts what does not hold beside taste: where there are others they are measured apart, under
    names that begin with STRANGERS, if there are FEWEST_STRANGERS. The window of the cases must lie after
    what the generators were fitted on.
    """
    rows = generators.cases.user_rows
    personal = generators.members.personal[rows]
    if not personal.any():
        return _measured(generators, _drawn(rows, seed))
    rates = _measured(generators, _drawn(rows[personal], seed))
    strangers = rows[~personal]
    if len(strangers) >= FEWEST_STRANGERS:
        apart = _measured(generators, _drawn(strangers, seed))
        rates |= {STRANGERS + name: curve for name, curve in apart.items()}
    return rates


def _measured(generators: Generators, members: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    found, shown = _Found(), _Shown()
    cases = generators.cases
    for part in np.array_split(members, max(1, len(members) // 256)):
        eligible, relevant = cases.eligible(part), cases.relevant[part].toarray()
        for place, user in enumerate(part.tolist()):
            for name, titles in generators.answers(user, eligible[place]):
                shown.add(name, len(titles))
                found.add(user, name, titles, relevant[place])
    names = list(shown.longest)
    relevant_titles = np.diff(cases.relevant.indptr)
    matrix, of_member = found.matrix(names)
    rates = additive_rates(matrix, 1.0 / relevant_titles[of_member], shown.matrix(names))
    # Rates are shares of what a member watches; times how much that is, they are watches.
    rates *= relevant_titles[members].mean() if len(members) else 0.0
    return {
        name: _probabilities(rate[_BIN_OF_RANK[: shown.longest[name]]])
        for name, rate in zip(names, rates, strict=True)
    }


def additive_rates(
    found: csr_matrix, weights: NDArray[np.float64], shown: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what each generator adds per bin of ranks, (G, B), non-negative and non-increasing along B.

    ``found`` (H, G * B) marks the generator and bin of every proposal of the H watched titles, ``weights``
    (H,) what each watch counts, ``shown`` (G, B) how many titles were proposed at all. Maximises the
    Poisson likelihood by its EM algorithm (Shepp and Vardi, "Maximum Likelihood Reconstruction for Emission
    Tomography", IEEE Trans. Medical Imaging 1982) over the steps by which the rates fall.
    """
    counted = shown > 0
    total = np.where(counted, np.cumsum(shown, axis=1), 1.0)
    steps = np.where(counted, weights.sum() / max(shown.sum(), 1.0) / shown.shape[1], 0.0)
    transposed = csr_matrix(found.T)
    for _ in range(ITERATIONS):
        expected = found @ _falling(steps).ravel()
        credit = (transposed @ (weights / (expected + _TINY))).reshape(shown.shape)
        steps = steps * np.cumsum(credit, axis=1) / total
    return _falling(steps)


def _probabilities(rates: NDArray[np.float64]) -> NDArray[np.float32]:
    """Of one watch or more; never certain, as a certainty would silence all other generators."""
    return np.minimum(-np.expm1(-rates), _MOST_CERTAIN).astype(np.float32)


def _falling(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each rate is the sum of the steps from its bin on."""
    rates: NDArray[np.float64] = np.cumsum(steps[:, ::-1], axis=1)[:, ::-1]
    return rates


def _drawn(rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    if len(rows) > MOST_MEMBERS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_MEMBERS, replace=False))
    return rows


class _Shown:
    """Counts the proposals of each generator by bin."""

    def __init__(self) -> None:
        self.longest: dict[str, int] = {}
        self._counts: dict[str, NDArray[np.float64]] = {}

    def add(self, name: str, length: int) -> None:
        self.longest[name] = max(length, self.longest.get(name, 0))
        counts = self._counts.setdefault(name, np.zeros(len(_EDGES) - 1))
        counts += np.bincount(_BIN_OF_RANK[:length], minlength=len(counts))

    def matrix(self, names: list[str]) -> NDArray[np.float64]:
        return np.array([self._counts[name] for name in names]).reshape(len(names), len(_EDGES) - 1)


class _Found:
    """Gathers the proposals of titles that were watched."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, str, NDArray[np.int64], NDArray[np.int64]]] = []

    def add(self, user: int, name: str, titles: NDArray[np.int64], relevant: NDArray[np.bool_]) -> None:
        ranks = np.flatnonzero(relevant[titles])
        self._parts.append((user, name, titles[ranks], _BIN_OF_RANK[ranks]))

    def matrix(self, names: list[str]) -> tuple[csr_matrix, NDArray[np.int64]]:
        """Return the marks, (H, G * B), of each member's watched title, and the member of each, (H,)."""
        bins = len(_EDGES) - 1
        lengths = [len(titles) for _, _, titles, _ in self._parts]
        users = np.repeat(np.array([user for user, *_ in self._parts], dtype=np.int64), lengths)
        places = np.repeat(np.array([names.index(p[1]) for p in self._parts], dtype=np.int64), lengths)
        nothing = np.empty(0, dtype=np.int64)
        titles = np.concatenate([nothing, *(part[2] for part in self._parts)])
        columns = places * bins + np.concatenate([nothing, *(part[3] for part in self._parts)])
        pairs, row_of = np.unique(np.stack([users, titles]), axis=1, return_inverse=True)
        marks = csr_matrix(
            (np.ones(len(columns)), (row_of.ravel(), columns)), shape=(pairs.shape[1], len(names) * bins)
        )
        return marks, pairs[0]
