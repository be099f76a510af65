"""What features are about."""

from __future__ import annotations

from feast import Entity, ValueType

from feature_repo import schema as s

user = Entity(
    name="user", join_keys=[s.USER_ID], value_type=ValueType.STRING, description="A member of the service."
)
title = Entity(
    name="title", join_keys=[s.TITLE_ID], value_type=ValueType.STRING, description="A title of the catalogue."
)
