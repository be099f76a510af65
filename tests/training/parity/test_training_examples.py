"""What the ranker would learn from a page is what the page's server gave it, for newcomers too."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_repo.transforms.ranking import RANKING_FEATURES
from training.bundle import BundleContents
from training.factors import Factors
from training.interactions import InteractionMatrix
from training.page_vectors import page_vectors
from training.parity.served import ServedPages
from training.ranker import RankingExamples
from training.ranker_examples import ShownTiles, ranking_examples
from training.retrieval import Retrieval
from training.two_tower import TwoTower, TwoTowerConfig

if TYPE_CHECKING:
    from tests.training.parity.conftest import Served

OF_VECTORS = ("als_score", "als_cosine", "user_embedding_norm", "two_tower_cosine")


def retrieval_of(contents: BundleContents, served: Served) -> Retrieval:
    """The models of a bundle, as a training holds them."""
    members, titles = contents.user_ids, contents.title_ids
    nothing = InteractionMatrix.build(members[:0], titles[:0], np.empty(0), titles, members)
    factors = Factors(members, titles, contents.user_factors, contents.title_factors, contents.confidence)
    tower = TwoTower(titles, contents.tower_weights, TwoTowerConfig())
    return Retrieval(
        served.bundle.manifest.data_window.end, nothing, nothing, factors, tower,
        contents.tower_title_vectors, contents.content_to_als,
    )  # fmt: skip


def learned_from(served: Served, pages: ServedPages) -> RankingExamples:
    """What training would make of every candidate of these pages, had it been shown first."""
    retrieval = retrieval_of(served.bundle.contents, served)
    ones = np.ones(len(pages), dtype=np.float32)
    tiles = ShownTiles(
        pages.user_ids[pages.page_of], pages.title_ids, pages.instants[pages.page_of],
        pages.device_types[pages.page_of], pages.page_of, ones, ones, ones,
    )  # fmt: skip
    return ranking_examples(
        served.gateway, tiles, retrieval, partial(page_vectors, served.gateway, retrieval)
    )


def column(matrix: np.ndarray, name: str) -> np.ndarray:
    values: np.ndarray = matrix[:, RANKING_FEATURES.index(name)]
    return values


@pytest.mark.parametrize("who", ["stranger", "m"], ids=["newcomers", "known members"])
def test_the_ranker_learns_from_the_vectors_that_it_is_served(served: Served, who: str) -> None:
    theirs = np.char.startswith(served.pages.user_ids, who)
    # The first member's second page was made before the stream had caught up with what they watched.
    late = np.flatnonzero(served.pages.user_ids == served.pages.user_ids[0])[1]
    pages = served.pages.take((theirs & (np.arange(len(theirs)) != late))[served.pages.page_of])
    learned = learned_from(served, pages).matrix
    assert np.isfinite(column(pages.matrix, "als_score")).any()
    for name in OF_VECTORS:
        np.testing.assert_allclose(
            column(learned, name), column(pages.matrix, name), rtol=1e-4, atol=1e-5, err_msg=name
        )
