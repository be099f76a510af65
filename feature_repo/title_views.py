"""What is known about titles."""

from __future__ import annotations

from datetime import timedelta

from feast import FeatureView

from feature_repo import schema as s
from feature_repo.entities import title
from feature_repo.sources import (
    fields,
    title_content_source,
    title_metadata_source,
    title_statistics_source,
)

title_metadata = FeatureView(
    name=s.TITLE_METADATA.name,
    description=s.TITLE_METADATA.description,
    entities=[title],
    schema=fields(s.TITLE_METADATA),
    source=title_metadata_source,
    ttl=timedelta(0),
    tags={"cadence": "on change"},
)

title_content = FeatureView(
    name=s.TITLE_CONTENT.name,
    description=s.TITLE_CONTENT.description,
    entities=[title],
    schema=fields(s.TITLE_CONTENT),
    source=title_content_source,
    ttl=timedelta(0),
    tags={"cadence": "on change"},
)

title_statistics = FeatureView(
    name=s.TITLE_STATISTICS.name,
    description=s.TITLE_STATISTICS.description,
    entities=[title],
    schema=fields(s.TITLE_STATISTICS),
    source=title_statistics_source,
    # What a title did when it was last touched over a year ago says nothing of how it does now.
    ttl=timedelta(days=365),
    tags={"cadence": "daily"},
)
