"""What models learned, as features: each row stands at the end of the data it was trained on."""

from __future__ import annotations

from datetime import timedelta

from feast import FeatureView

from feature_repo import schema as s
from feature_repo.entities import title, user
from feature_repo.sources import fields, title_als_embedding_source, user_als_embedding_source

user_als_embedding = FeatureView(
    name=s.USER_ALS_EMBEDDING.name,
    description=s.USER_ALS_EMBEDDING.description,
    entities=[user],
    schema=fields(s.USER_ALS_EMBEDDING),
    source=user_als_embedding_source,
    ttl=timedelta(0),
    tags={"cadence": "per training"},
)

title_als_embedding = FeatureView(
    name=s.TITLE_ALS_EMBEDDING.name,
    description=s.TITLE_ALS_EMBEDDING.description,
    entities=[title],
    schema=fields(s.TITLE_ALS_EMBEDDING),
    source=title_als_embedding_source,
    ttl=timedelta(0),
    tags={"cadence": "per training"},
)
