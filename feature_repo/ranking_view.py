"""The ranker's row on demand, for whoever asks Feast for it: the naive but complete path.

Training and serving call :func:`~feature_repo.transforms.ranking.ranking_features` on arrays; this view
calls the same function on Feast's frame, so that the three cannot differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from feast import Field, OnDemandFeatureView
from feast.transformation.pandas_transformation import PandasTransformation
from feast.types import Float32

from feature_repo import schema as s
from feature_repo.embedding_views import title_als_embedding, user_als_embedding
from feature_repo.sources import request_source
from feature_repo.title_views import title_metadata, title_statistics
from feature_repo.transforms.encoding import Arrays, encode_column
from feature_repo.transforms.ranking import MEMBER_INPUTS, RANKING_FEATURES, TITLE_INPUTS, ranking_features
from feature_repo.user_views import user_profile, user_session, user_snapshot

_MEMBER_TABLES = (s.USER_SNAPSHOT, s.USER_SESSION, s.USER_PROFILE, s.USER_ALS_EMBEDDING)
_TITLE_TABLES = (s.TITLE_METADATA, s.TITLE_STATISTICS, s.TITLE_ALS_EMBEDDING)


def rank_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return RANKING_FEATURES for a frame with the columns of the member, title and request inputs."""
    member = _encoded(frame, _MEMBER_TABLES, MEMBER_INPUTS)
    titles = _encoded(frame, _TITLE_TABLES, TITLE_INPUTS)
    context: Arrays = {
        s.REQUEST_TIMESTAMP: frame[s.REQUEST_TIMESTAMP].to_numpy("float64"),
        s.DEVICE_TYPE: frame[s.DEVICE_TYPE].fillna("").to_numpy("str"),
        **{name: frame[name].to_numpy("float32") for name in (s.TWO_TOWER_SCORE, s.ROW_INDEX, s.POSITION)},
    }
    return pd.DataFrame(ranking_features(member, titles, context), columns=list(RANKING_FEATURES))


def _encoded(frame: pd.DataFrame, tables: tuple[s.Table, ...], inputs: tuple[str, ...]) -> Arrays:
    columns = {c.name: c for table in tables for c in table.columns}
    return {name: encode_column(columns[name], _values(columns[name], frame[name])) for name in inputs}


def _values(column: s.Column, values: pd.Series[Any]) -> list[Any]:
    """Nulls as None, which pandas spells None or NaN by the column's type."""
    if column.length is None:
        return [None if pd.isna(v) else v for v in values]
    # Feast probes a new view with one made-up row whose vectors have length 1: unknown, to us.
    return [v if v is not None and np.size(v) > 1 else None for v in values]


ranking = OnDemandFeatureView(
    name="ranking",
    description="The ranker's input for a member, a title and a request.",
    sources=[
        user_snapshot, user_session, user_profile[[s.LANGUAGE]], user_als_embedding[[s.USER_EMBEDDING]],
        title_metadata, title_statistics, title_als_embedding[[s.TITLE_EMBEDDING]],
        request_source,
    ],
    schema=[Field(name=name, dtype=Float32) for name in RANKING_FEATURES],
    feature_transformation=PandasTransformation(udf=rank_frame, udf_string="ranking_features"),
    mode="pandas",
)  # fmt: skip
