"""All definitions in one place: the single file that `feast apply` reads.

The definitions live beside it in modules of their own. Feast imports files by their path; reached
through this one, each module is imported once, under its package name.
"""

from __future__ import annotations

from feature_repo.embedding_views import title_als_embedding, user_als_embedding
from feature_repo.entities import title, user
from feature_repo.interaction_views import interactions
from feature_repo.ranking_view import ranking
from feature_repo.services import (
    als,
    homepage_member,
    homepage_titles,
    ranker,
    ranker_members,
    ranker_titles,
    taste_members,
    title_similarity,
    two_tower_members,
    two_tower_titles,
)
from feature_repo.title_views import title_content, title_metadata, title_statistics
from feature_repo.user_views import (
    user_hidden,
    user_history,
    user_picks,
    user_profile,
    user_session,
    user_snapshot,
)

ENTITIES = [user, title]
VIEWS = [
    user_snapshot, user_session, user_profile, user_picks, user_history, user_hidden,
    title_metadata, title_content, title_statistics,
    interactions, user_als_embedding, title_als_embedding,
]  # fmt: skip
ON_DEMAND_VIEWS = [ranking]
SERVICES = [
    als, two_tower_members, two_tower_titles, taste_members, ranker_members, ranker_titles, ranker,
    homepage_member, homepage_titles, title_similarity,
]  # fmt: skip
