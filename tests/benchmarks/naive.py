"""The design that a feature store's tutorial leads to: everything by one online call per page."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.ranking import RANKING_FEATURES
from serving.catalogue import Rows
from tests.benchmarks.subject import Candidates, Subject, tower_scores


def naive_matrix(subject: Subject, asked: Candidates) -> NDArray[np.float32]:
    """Return the ranker's matrix by one ``get_online_features`` with on-demand transformation."""
    query = asked.query
    title_ids = [query.catalogue.title_ids[row] for row in asked.rows.tolist()]
    context: dict[str, Any] = {
        s.REQUEST_TIMESTAMP: query.now_us, s.DEVICE_TYPE: query.request.device, s.ROW_INDEX: 1, s.POSITION: 1,
    }  # fmt: skip
    scores = tower_scores(query, asked.rows)
    found = {s.TWO_TOWER_SCORE: [None] * len(title_ids) if scores is None else scores.tolist()}
    answer = subject.gateway.naive_ranking_rows(query.request.user_id, title_ids, context, found)
    matrix: NDArray[np.float32] = answer.to_df()[list(RANKING_FEATURES)].to_numpy(np.float32)
    return matrix


def naive_page(subject: Subject, asked: Candidates) -> Rows:
    """Return the candidates by their scores: a list, without rows and variety."""
    scores = subject.state.models.ranker.score(naive_matrix(subject, asked))
    return asked.rows[np.argsort(-scores)]
