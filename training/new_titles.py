"""Collaborative vectors for titles that came after the champion's training, solved from their first viewers.

One half-step of ALS for a title, with the members' factors of the champion as they are (Hu, Koren, Volinsky
2008, eq. 5): no training, and every other vector stays what it was.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.ingest.lake import Lake
from feature_repo.store import FeatureGateway
from feature_repo.title_feed import TitleFeed
from feature_repo.transforms.confidence import Confidence
from feature_repo.transforms.fold_in import fold_in, gram_matrix
from training.bundle import BundleContents
from training.catalogue import read_catalogue
from training.datasets import distinct_pairs, interaction_matrix, watch_events
from training.embeddings import embedding_rows
from training.interactions import InteractionMatrix

_RELATIVE, _ABSOLUTE = 1e-4, 1e-6


def solve_title_vectors(
    matrix: InteractionMatrix,
    title_rows: NDArray[np.int64],
    user_factors: NDArray[np.float32],
    confidence: Confidence,
) -> NDArray[np.float32]:
    """Return the vectors, float32 (len(title_rows), D), of titles from who watched them and how far.

    ``user_factors`` (U, D) has a row for each member of ``matrix``, zero for who was not trained.
    """
    gram = gram_matrix(user_factors)
    by_title = matrix.fractions.tocsc()
    vectors = np.zeros((len(title_rows), user_factors.shape[1]), dtype=np.float32)
    for place, title in enumerate(title_rows):
        viewers = slice(by_title.indptr[title], by_title.indptr[title + 1])
        vectors[place] = fold_in(
            by_title.indices[viewers], by_title.data[viewers], user_factors, gram, confidence
        )
    return vectors


def add_title_vectors(
    lake: Lake,
    gateway: FeatureGateway,
    feed: TitleFeed,
    champion: BundleContents,
    *,
    now: datetime,
    minimum_viewers: int,
) -> list[str]:
    """Solve, store and announce the vectors of titles that have none and enough viewers; return their ids.

    Viewing is what the feature store knew at ``now`` (aware) of members the ``champion`` was trained on. The
    vectors carry the version of the champion's, which they belong to. Raises ``ValueError`` for a champion
    whose core model cannot fold in, and where the store holds the vectors of another model.
    """
    if champion.confidence is None:
        raise ValueError("the champion's core model cannot fold in; train one with core_model als")
    events = watch_events(lake, end=now)
    catalogue = read_catalogue(lake)
    known = np.isin(events.title_ids, catalogue.title_ids) & np.isin(events.user_ids, champion.user_ids)
    matrix = interaction_matrix(
        gateway, distinct_pairs(events.take(known)), now,
        catalogue=catalogue.title_ids, members=champion.user_ids,
    )  # fmt: skip
    trained = champion.title_factors.any(axis=1)
    without = ~np.isin(catalogue.title_ids, champion.title_ids[trained])
    wanted = np.flatnonzero(without & (matrix.title_viewers >= minimum_viewers))
    if len(wanted) == 0:
        return []
    vectors = solve_title_vectors(matrix, wanted, champion.user_factors, champion.confidence)
    rows = embedding_rows(
        s.TITLE_ALS_EMBEDDING, catalogue.title_ids[wanted], vectors, matrix.title_viewers[wanted],
        trained_at=now, created_at=now,
        model_version=_version_of(gateway, champion.title_ids[trained], champion.title_factors[trained]),
    )  # fmt: skip
    lake.append(s.TITLE_ALS_EMBEDDING, rows)
    gateway.write_online(s.TITLE_ALS_EMBEDDING, rows)
    title_ids: list[str] = catalogue.title_ids[wanted].tolist()
    feed.publish(title_ids)
    return title_ids


def _version_of(gateway: FeatureGateway, title_ids: NDArray[np.str_], factors: NDArray[np.float32]) -> str:
    """Return the model version that the store's vectors bear which are these ``factors`` (n, D).

    After a retrain the store holds vectors of several: those that hardly moved stayed what they were.
    """
    asked = title_ids.tolist()
    stored = gateway.online_column(s.TITLE_ALS_EMBEDDING, s.TITLE_EMBEDDING, asked)
    versions = gateway.online_column(s.TITLE_ALS_EMBEDDING, s.MODEL_VERSION, asked)
    same = np.isclose(stored, factors, _RELATIVE, _ABSOLUTE).all(axis=1)
    ours = set(versions[same].tolist()) - set(versions[~same].tolist())
    if not ours:
        raise ValueError(
            "the feature store holds no vectors of the champion's titles, but those of another model: "
            "train, or put the bundle of those vectors in service"
        )
    # The newest, where vectors of an earlier one happen to be unchanged.
    return str(max(ours))
