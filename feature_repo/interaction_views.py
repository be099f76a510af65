"""What is known about a member and a title together."""

from __future__ import annotations

from datetime import timedelta

from feast import FeatureView

from feature_repo import schema as s
from feature_repo.entities import title, user
from feature_repo.sources import fields, interactions_source

interactions = FeatureView(
    name=s.INTERACTIONS.name,
    description=s.INTERACTIONS.description,
    entities=[user, title],
    schema=fields(s.INTERACTIONS),
    source=interactions_source,
    ttl=timedelta(0),
    # A page reads one entity per member (user_history); the pairs themselves are training's.
    online=False,
    tags={"cadence": "hourly"},
)
