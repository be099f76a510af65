"""Sizes of vectors, and the values that a column may take."""

from __future__ import annotations

from typing import Final

RECENT_TITLES: Final = 50
"""How many of a member's latest titles the snapshot keeps."""
CAST_DIMENSIONS: Final = 64
SYNOPSIS_DIMENSIONS: Final = 512
ALS_DIMENSIONS: Final = 128
TWO_TOWER_DIMENSIONS: Final = 256

GENRES: Final = (
    "Action", "Adventure", "Animation", "Anime", "Biography", "Children", "Comedy", "Crime",
    "Documentary", "Drama", "Family", "Fantasy", "Film-Noir", "Food & Travel", "History", "Horror",
    "Music", "Musical", "Mystery", "Nature", "Reality", "Romance", "Science Fiction", "Sport",
    "Stand-Up", "Talk Show", "Teen", "Thriller", "War", "Western",
)  # fmt: skip
"""The order of a genre vector's dimensions. Appending changes the schema hash of every bundle."""
DEVICES: Final = ("tv", "mobile", "tablet", "web")
EVENT_TYPES: Final = (
    "play", "progress", "complete", "pause", "search_after_browse", "hover", "thumbs_up",
    "thumbs_down",
)  # fmt: skip
WATCH_EVENT_TYPES: Final = ("play", "progress", "complete", "pause")
"""The event types that say something about watching; the others are kept but move no watch state."""
TITLE_TYPES: Final = ("movie", "series", "short")
MATURITY_LEVELS: Final = (0, 7, 13, 16, 18)
"""Youngest age a title is suitable for, in years; a member's limit is one of the same values."""
ROW_TYPES: Final = (
    "continue_watching", "top_picks", "because_you_watched", "trending_now", "new_releases", "genre",
)  # fmt: skip
EMBEDDING_KINDS: Final = ("collaborative", "content", "two_tower")
COMPLETION_FRACTION: Final = 0.8
"""A title watched to this fraction or further counts as completed."""
LAYERS: Final = ("candidate", "ranker", "post_filter", "ui")
"""The layers of experiments: a member is in at most one experiment of each."""
GENERATORS: Final = (
    "als", "two_tower", "similar", "trending", "trending_in_country", "popularity", "new_titles",
    "continue_watching",
)  # fmt: skip
"""The candidate generators."""
