"""What is known about members."""

from __future__ import annotations

from datetime import timedelta

from feast import FeatureView

from feature_repo import schema as s
from feature_repo.entities import user
from feature_repo.sources import (
    fields,
    user_hidden_source,
    user_history_source,
    user_picks_source,
    user_profile_source,
    user_session_source,
    user_snapshot_source,
)
from feature_repo.transforms.user_session import SESSION_HOURS

user_snapshot = FeatureView(
    name=s.USER_SNAPSHOT.name,
    description=s.USER_SNAPSHOT.description,
    entities=[user],
    schema=fields(s.USER_SNAPSHOT),
    source=user_snapshot_source,
    # No limit: it holds shares and instants, which stay true however long a member is away.
    ttl=timedelta(0),
    tags={"cadence": "hourly"},
)

user_session = FeatureView(
    name=s.USER_SESSION.name,
    description=s.USER_SESSION.description,
    entities=[user],
    schema=fields(s.USER_SESSION),
    source=user_session_source,
    ttl=timedelta(hours=SESSION_HOURS),
    tags={"cadence": "with each watch event"},
)

user_profile = FeatureView(
    name=s.USER_PROFILE.name,
    description=s.USER_PROFILE.description,
    entities=[user],
    schema=fields(s.USER_PROFILE),
    source=user_profile_source,
    ttl=timedelta(0),
    tags={"cadence": "on change"},
)

user_picks = FeatureView(
    name=s.USER_PICKS.name,
    description=s.USER_PICKS.description,
    entities=[user],
    schema=fields(s.USER_PICKS),
    source=user_picks_source,
    # No limit: picks fade by the member's own viewing, not by their age.
    ttl=timedelta(0),
    tags={"cadence": "at sign-up"},
)

user_history = FeatureView(
    name=s.USER_HISTORY.name,
    description=s.USER_HISTORY.description,
    entities=[user],
    schema=fields(s.USER_HISTORY),
    source=user_history_source,
    ttl=timedelta(0),
    tags={"cadence": "daily"},
)

user_hidden = FeatureView(
    name=s.USER_HIDDEN.name,
    description=s.USER_HIDDEN.description,
    entities=[user],
    schema=fields(s.USER_HIDDEN),
    source=user_hidden_source,
    # No limit: what was hidden stays hidden until the member says otherwise.
    ttl=timedelta(0),
    tags={"cadence": "on change"},
)
