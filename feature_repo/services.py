"""The exact inputs of each model and of the page."""

from __future__ import annotations

from feast import FeatureService

from feature_repo import schema as s
from feature_repo.embedding_views import title_als_embedding, user_als_embedding
from feature_repo.interaction_views import interactions
from feature_repo.ranking_view import ranking
from feature_repo.title_views import title_content, title_metadata, title_statistics
from feature_repo.user_views import (
    user_hidden,
    user_history,
    user_picks,
    user_profile,
    user_session,
    user_snapshot,
)

als = FeatureService(
    name="als",
    description="What ALS trains on: a member's interaction with a title, as it stood.",
    features=[interactions],
)

ranker_members = FeatureService(
    name="ranker_members",
    description="The member side of the ranker's input.",
    features=[
        user_snapshot[
            [
                s.GENRE_PREFERENCE, s.MEAN_SESSION_MINUTES, s.LAST_WATCHED_AT, s.PREFERRED_DEVICE,
                s.PREFERRED_HOUR, s.WATCH_VELOCITY, s.WATCH_COUNT,
            ]
        ],
        user_session[
            [
                s.SESSION_COMPLETION, s.SESSION_MINUTES, s.SESSION_DEVICE, s.SESSION_WATCHED_AT,
                s.SESSION_GENRES,
            ]
        ],
        user_profile[[s.LANGUAGE]],
        user_als_embedding[[s.USER_EMBEDDING]],
    ],
)  # fmt: skip

ranker_titles = FeatureService(
    name="ranker_titles",
    description="The title side of the ranker's input.",
    features=[
        title_metadata[
            [
                s.GENRE_VECTOR, s.RELEASE_YEAR, s.RUNTIME_MINUTES, s.TITLE_TYPE, s.MATURITY_LEVEL,
                s.ORIGINAL_LANGUAGE, s.AVAILABLE_SINCE,
            ]
        ],
        title_statistics[
            [s.VIEW_COUNT, s.MEAN_COMPLETION, s.DECAYED_PLAYS, s.DECAYED_PLAYS_AT, s.PLAY_RATE]
        ],
        title_als_embedding[[s.TITLE_EMBEDDING]],
    ],
)  # fmt: skip

ranker = FeatureService(
    name="ranker",
    description="The ranker's whole input, computed on demand for (member, title, request).",
    features=[ranking],
)

homepage_member = FeatureService(
    name="homepage_member",
    description="All a page needs of its member: read once per request.",
    features=[
        user_snapshot,
        user_session,
        user_profile,
        user_picks,
        user_history,
        user_hidden,
        user_als_embedding[[s.USER_EMBEDDING, s.MODEL_VERSION]],
    ],
)

homepage_titles = FeatureService(
    name="homepage_titles",
    description="All a page needs of the catalogue: read into each worker's snapshot.",
    features=[
        title_metadata,
        title_statistics,
        title_als_embedding[[s.TITLE_EMBEDDING, s.MODEL_VERSION]],
    ],
)

two_tower_members = FeatureService(
    name="two_tower_members",
    description="What the user tower reads of a member; device and hour come with the request.",
    features=[
        user_snapshot[[s.RECENT_TITLE_IDS, s.RECENT_WATCH_FRACTIONS]],
        user_session[[s.SESSION_TITLE_IDS, s.SESSION_WATCH_FRACTIONS]],
    ],
)

taste_members = FeatureService(
    name="taste_members",
    description="What a member's vectors are made of at the instant of a page.",
    features=[
        user_snapshot[[s.RECENT_TITLE_IDS, s.RECENT_WATCH_FRACTIONS, s.FIRST_WATCHED_AT]],
        user_session[[s.SESSION_TITLE_IDS, s.SESSION_WATCH_FRACTIONS, s.SESSION_WATCHED_AT]],
        user_picks[[s.SELECTED_TITLE_IDS]],
    ],
)

two_tower_titles = FeatureService(
    name="two_tower_titles",
    description="What the item tower reads of a title.",
    features=[
        title_metadata[[s.GENRE_VECTOR, s.ORIGINAL_LANGUAGE, s.RELEASE_YEAR]],
        title_content[[s.CAST_VECTOR, s.SYNOPSIS_EMBEDDING]],
    ],
)

title_similarity = FeatureService(
    name="title_similarity",
    description="What a title is about, for neighbours by content.",
    features=[title_content],
)
