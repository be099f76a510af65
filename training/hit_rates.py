"""How often a generator's candidate of each rank was watched next: what its proposals are worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from feature_repo.transforms.candidate_mix import CANDIDATES
from training.candidates import Generators

MOST_MEMBERS = 2_000


def hit_rates(generators: Generators, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return, by generator, the probability that its candidate at each rank is watched, float32 (limit,).

    Measured on the members and relevant titles of ``generators.cases``, at most MOST_MEMBERS drawn with
    ``seed``; the window of the cases must lie after what the generators were fitted on. Counts are noisy,
    and a later rank is never worth more than an earlier one: isotonic regression (Barlow et al.,
    "Statistical Inference under Order Restrictions", 1972) says so.
    """
    cases = generators.cases
    rows = cases.user_rows
    if len(rows) > MOST_MEMBERS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_MEMBERS, replace=False))
    hits: dict[str, NDArray[np.float64]] = {}
    asked: dict[str, NDArray[np.float64]] = {}
    for part in np.array_split(rows, max(1, len(rows) // 256)):
        eligible, relevant = cases.eligible(part), cases.relevant[part].toarray()
        for place, user in enumerate(part.tolist()):
            for name, found in generators.answers(user, eligible[place]):
                hit, shown = (table.setdefault(name, np.zeros(CANDIDATES)) for table in (hits, asked))
                hit[: len(found)] += relevant[place, found]
                shown[: len(found)] += 1
    return {name: _falling(hits[name], asked[name]) for name in hits}


def _falling(hits: NDArray[np.float64], asked: NDArray[np.float64]) -> NDArray[np.float32]:
    measured = int((asked > 0).sum())
    weights = asked[:measured]
    fitted = IsotonicRegression(increasing=False, y_min=0.0, y_max=0.99).fit_transform(
        np.arange(measured), hits[:measured] / weights, sample_weight=weights
    )
    falling: NDArray[np.float32] = fitted.astype(np.float32)
    return falling
