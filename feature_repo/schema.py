"""Every table and column of Marquee, named once, with type, unit and range.

Other modules refer to columns through the constants below and to whole tables through the
:class:`Table` declarations; the Feast fields, the Parquet files and the row checks of the importers
are all derived from them.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from feature_repo.tables import Column as Column, Table as Table
from feature_repo.vocabularies import (
    ALS_DIMENSIONS as ALS_DIMENSIONS,
    CAST_DIMENSIONS as CAST_DIMENSIONS,
    COMPLETION_FRACTION as COMPLETION_FRACTION,
    DEVICES as DEVICES,
    EMBEDDING_KINDS as EMBEDDING_KINDS,
    EVENT_TYPES as EVENT_TYPES,
    GENERATORS as GENERATORS,
    GENRES as GENRES,
    LAYERS as LAYERS,
    MATURITY_LEVELS as MATURITY_LEVELS,
    RECENT_TITLES as RECENT_TITLES,
    ROW_TYPES as ROW_TYPES,
    SYNOPSIS_DIMENSIONS as SYNOPSIS_DIMENSIONS,
    TITLE_TYPES as TITLE_TYPES,
    TWO_TOWER_DIMENSIONS as TWO_TOWER_DIMENSIONS,
    WATCH_EVENT_TYPES as WATCH_EVENT_TYPES,
)

# --- keys and instants -----------------------------------------------------------------------
USER_ID: Final = "user_id"
TITLE_ID: Final = "title_id"
EVENT_ID: Final = "event_id"
PAGE_ID: Final = "page_id"
EVENT_TIMESTAMP: Final = "event_timestamp"
CREATED_TIMESTAMP: Final = "created_timestamp"

# --- events, members, impressions ------------------------------------------------------------
EVENT_TYPE: Final = "event_type"
WATCH_FRACTION: Final = "watch_fraction"
DURATION_MINUTES: Final = "duration_minutes"
DEVICE_TYPE: Final = "device_type"
COUNTRY: Final = "country"
LANGUAGE: Final = "language"
MATURITY_LIMIT: Final = "maturity_limit"
ROW_TYPE: Final = "row_type"
ROW_INDEX: Final = "row_index"
POSITION: Final = "position"
PROPENSITY: Final = "propensity"
SOURCES: Final = "sources"
RETRIEVAL_SCORE: Final = "retrieval_score"
RANKING_SCORE: Final = "ranking_score"
BUNDLE: Final = "bundle"
FEATURES_HASH: Final = "features_hash"
HOLDOUT: Final = "holdout"
CLICKED: Final = "clicked"
PLAYED: Final = "played"

# --- titles ----------------------------------------------------------------------------------
NAME: Final = "name"
RELEASE_YEAR: Final = "release_year"
RUNTIME_MINUTES: Final = "runtime_minutes"
TITLE_TYPE: Final = "title_type"
MATURITY_LEVEL: Final = "maturity_level"
ORIGINAL_LANGUAGE: Final = "original_language"
GENRE_NAMES: Final = "genres"
CAST: Final = "cast"
SYNOPSIS: Final = "synopsis"
FRANCHISE_ID: Final = "franchise_id"
COUNTRIES: Final = "countries"
AVAILABLE_SINCE: Final = "available_since"
UPDATED_AT: Final = "updated_at"

# --- features --------------------------------------------------------------------------------
RECENT_TITLE_IDS: Final = "recent_title_ids"
RECENT_WATCH_FRACTIONS: Final = "recent_watch_fractions"
GENRE_PREFERENCE: Final = "genre_preference"
MEAN_SESSION_MINUTES: Final = "mean_session_minutes"
LAST_WATCHED_AT: Final = "last_watched_at"
PREFERRED_DEVICE: Final = "preferred_device"
PREFERRED_HOUR: Final = "preferred_hour"
WATCH_VELOCITY: Final = "watch_velocity"
WATCH_COUNT: Final = "watch_count"
FIRST_WATCHED_AT: Final = "first_watched_at"
SELECTED_TITLE_IDS: Final = "selected_title_ids"
PICKED_AT: Final = "picked_at"
SESSION_TITLE_IDS: Final = "session_title_ids"
SESSION_WATCH_FRACTIONS: Final = "session_watch_fractions"
SESSION_COMPLETION: Final = "session_completion"
SESSION_MINUTES: Final = "session_minutes"
SESSION_DEVICE: Final = "session_device"
SESSION_WATCHED_AT: Final = "session_watched_at"
SESSION_GENRES: Final = "session_genres"
WATCHED_TITLE_IDS: Final = "watched_title_ids"
HIDDEN_TITLE_IDS: Final = "hidden_title_ids"
GENRE_VECTOR: Final = "genre_vector"
CAST_VECTOR: Final = "cast_vector"
SYNOPSIS_EMBEDDING: Final = "synopsis_embedding"
VIEW_COUNT: Final = "view_count"
MEAN_COMPLETION: Final = "mean_completion"
DECAYED_PLAYS: Final = "decayed_plays"
DECAYED_PLAYS_AT: Final = "decayed_plays_at"
IMPRESSION_COUNT: Final = "impression_count"
PLAY_RATE: Final = "play_rate"
USER_EMBEDDING: Final = "user_embedding"
TITLE_EMBEDDING: Final = "title_embedding"
EMBEDDING_KIND: Final = "embedding_kind"
MODEL_VERSION: Final = "model_version"
EMBEDDING_NORM: Final = "embedding_norm"
TRAINED_AT: Final = "trained_at"
TRAINING_EVENT_COUNT: Final = "training_event_count"
REQUEST_TIMESTAMP: Final = "request_timestamp"
TWO_TOWER_SCORE: Final = "two_tower_score"

_INSTANT = pa.timestamp("us", tz="UTC")
_VECTOR = pa.list_(pa.float32())
_STRINGS = pa.list_(pa.string())

_user = Column(USER_ID, pa.string(), "the member", identifier=True)
_title = Column(TITLE_ID, pa.string(), "the title", identifier=True)
_when = Column(EVENT_TIMESTAMP, _INSTANT, "when it happened", "UTC, microseconds")
_created = Column(CREATED_TIMESTAMP, _INSTANT, "when the row was written; breaks ties", "UTC")
_device = Column(DEVICE_TYPE, pa.string(), "null where unknown", nullable=True, allowed=DEVICES)
_country = Column(COUNTRY, pa.string(), "ISO 3166-1 alpha-2; null where unknown", nullable=True)
_language = Column(LANGUAGE, pa.string(), "ISO 639-1; null where unknown", nullable=True)
_fraction = Column(
    WATCH_FRACTION, pa.float32(), "share of the running time watched", "0 to 1",
    nullable=True, minimum=0.0, maximum=1.0,
)  # fmt: skip


def _count(name: str, description: str) -> Column:
    return Column(name, pa.int64(), description, "count", minimum=0)


def _instant_feature(name: str, description: str, nullable: bool = False) -> Column:
    """Instants travel as integers: Feast's online timestamps keep only whole seconds."""
    return Column(name, pa.int64(), description, "microseconds since 1970 UTC", nullable=nullable)


EVENTS: Final = Table(
    "events", "What members did.", (EVENT_ID,),
    (
        Column(EVENT_ID, pa.string(), "unique; a second row with the same id is ignored"),
        _user, _title,
        Column(EVENT_TYPE, pa.string(), "what happened", allowed=EVENT_TYPES),
        _when, _fraction,
        Column(DURATION_MINUTES, pa.float32(), "time spent in this event", "minutes",
               nullable=True, minimum=0.0, maximum=1440.0),
        _device,
    ),
)  # fmt: skip

TITLES: Final = Table(
    "titles", "The catalogue; a later row of a title replaces an earlier one.", (TITLE_ID,),
    (
        _title,
        Column(NAME, pa.string(), "as shown on a tile"),
        Column(RELEASE_YEAR, pa.int64(), "first release", "year", True, 1870, 2100),
        Column(RUNTIME_MINUTES, pa.float32(), "one viewing", "minutes", True, 0.0, 1440.0),
        Column(TITLE_TYPE, pa.string(), "kind of title", allowed=TITLE_TYPES),
        Column(MATURITY_LEVEL, pa.int64(), "youngest suitable age; null: unknown", "years", True, 0, 18),
        Column(ORIGINAL_LANGUAGE, pa.string(), "ISO 639-1; null where unknown", nullable=True),
        Column(GENRE_NAMES, _STRINGS, "a subset of GENRES", allowed=GENRES),
        Column(CAST, _STRINGS, "billed order; may be empty"),
        Column(SYNOPSIS, pa.string(), "plain text", nullable=True),
        Column(FRANCHISE_ID, pa.string(), "titles that belong together", nullable=True),
        Column(COUNTRIES, _STRINGS, "where it may be shown; null: everywhere", nullable=True),
        Column(AVAILABLE_SINCE, _INSTANT, "first day on the service", "UTC"),
        Column(EVENT_TIMESTAMP, _INSTANT, "when this version of the metadata became known", "UTC"),
    ),
    partition="month",
)  # fmt: skip

MEMBERS: Final = Table(
    "members", "Who watches; a later row of a member replaces an earlier one.", (USER_ID,),
    (
        _user, _country, _language,
        Column(MATURITY_LIMIT, pa.int64(), "oldest suitable age shown; null: no limit", "years", True, 0, 18),
        Column(EVENT_TIMESTAMP, _INSTANT, "when the profile was made or changed", "UTC"),
    ),
    partition="month",
)  # fmt: skip

SIGN_UPS: Final = Table(
    "sign_ups", "What new members picked; a later row of a member replaces an earlier one.", (USER_ID,),
    (
        _user, Column(SELECTED_TITLE_IDS, _STRINGS, "distinct titles; may be empty", identifier=True),
        Column(EVENT_TIMESTAMP, _INSTANT, "when they were picked", "UTC"),
    ),
    partition="month",
)  # fmt: skip

_why_shown = (
    Column(SOURCES, _STRINGS, "the candidate generators that found it", nullable=True),
    Column(RETRIEVAL_SCORE, pa.float32(), "fused rank over the generators", "", True, 0.0, 1.0),
    Column(RANKING_SCORE, pa.float32(), "the ranker's score; null where it did not decide", nullable=True),
    Column(BUNDLE, pa.string(), "the models that made the page", nullable=True),
    Column(FEATURES_HASH, pa.int64(), "hash of the title's row of the ranker's input", nullable=True),
    *(Column(f"{layer}_arm", pa.string(), f"experiment/arm of the layer {layer}; null: none", nullable=True)
      for layer in LAYERS),
    Column(HOLDOUT, pa.bool_(), "the member is held out of all experiments", nullable=True),
)  # fmt: skip

IMPRESSIONS: Final = Table(
    "impressions", "Tiles that a member was shown, and what came of it.",
    (PAGE_ID, TITLE_ID),
    (
        Column(PAGE_ID, pa.string(), "the page the tile stood on"),
        _user, _title, _when, _device,
        Column(ROW_TYPE, pa.string(), "the row's type", allowed=ROW_TYPES),
        Column(ROW_INDEX, pa.int64(), "row on the page, from 1", minimum=1),
        Column(POSITION, pa.int64(), "place in the row, from 1", minimum=1),
        Column(PROPENSITY, pa.float32(), "probability that the logging policy showed this tile here",
               minimum=0.0, maximum=1.0),
        Column(PLAYED, pa.bool_(), "a play followed from this tile"),
        _fraction,
        Column(CLICKED, pa.bool_(), "the member reached for it: a hover, a thumb or a play", nullable=True),
        *_why_shown,
    ),
)  # fmt: skip

USER_SNAPSHOT: Final = Table(
    "user_snapshot", "A member at the end of each hour with viewing.", (USER_ID,),
    (
        _user, _when, _created,
        Column(RECENT_TITLE_IDS, _STRINGS, f"last {RECENT_TITLES} distinct titles, latest first"),
        Column(RECENT_WATCH_FRACTIONS, _VECTOR, "of the latest viewing of each", "0 to 1"),
        Column(GENRE_PREFERENCE, _VECTOR, "decayed share of viewing per genre; sums to 1, or all 0",
               minimum=0.0, maximum=1.0, length=len(GENRES)),
        Column(MEAN_SESSION_MINUTES, pa.float32(), "over all sessions", "minutes", minimum=0.0),
        _instant_feature(LAST_WATCHED_AT, "the latest watch event"),
        _instant_feature(FIRST_WATCHED_AT, "the first watch event; what was picked at sign-up fades from it"),
        Column(PREFERRED_DEVICE, pa.string(), "decayed majority; null where unknown", nullable=True),
        Column(PREFERRED_HOUR, pa.int64(), "decayed majority", "hour of day, UTC", False, 0, 23),
        Column(WATCH_VELOCITY, pa.float32(), "viewings a day, 7-day decay, as of last_watched_at",
               "1/day", minimum=0.0),
        _count(WATCH_COUNT, "viewings started so far"),
    ),
    partition="month",
)  # fmt: skip

USER_SESSION: Final = Table(
    "user_session", "A member's last 24 hours, just after each watch event.", (USER_ID,),
    (
        _user, _when, _created,
        Column(SESSION_TITLE_IDS, _STRINGS, f"of these 24 hours, latest first, at most {RECENT_TITLES}"),
        Column(SESSION_WATCH_FRACTIONS, _VECTOR, "of the latest viewing of each", "0 to 1"),
        Column(SESSION_COMPLETION, pa.float32(), "mean of these fractions", "0 to 1",
               minimum=0.0, maximum=1.0),
        Column(SESSION_MINUTES, pa.float32(), "mean of their viewings", "minutes", minimum=0.0),
        Column(SESSION_DEVICE, pa.string(), "last seen; null where unknown", nullable=True),
        _instant_feature(SESSION_WATCHED_AT, "the latest watch event"),
        Column(SESSION_GENRES, _VECTOR, "share of viewing per genre, 6-hour decay; sums to 1, or all 0",
               minimum=0.0, maximum=1.0, length=len(GENRES)),
    ),
    partition="month",
)  # fmt: skip

USER_PROFILE: Final = Table(
    "user_profile", "What a member told us.", (USER_ID,),
    (
        _user, _when, _created, _country, _language,
        Column(MATURITY_LIMIT, pa.int64(), "null: no limit", "years", True, 0, 18),
    ),
    partition="month",
)  # fmt: skip

USER_PICKS: Final = Table(
    "user_picks", "The titles a member picked at sign-up.", (USER_ID,),
    (
        _user, _when, _created,
        Column(SELECTED_TITLE_IDS, _STRINGS, "distinct, in the order of picking; may be empty"),
        _instant_feature(PICKED_AT, "when they were picked"),
    ),
    partition="month",
)  # fmt: skip

USER_HISTORY: Final = Table(
    "user_history", "All titles a member has watched: what the watched filter reads.", (USER_ID,),
    (_user, _when, _created, Column(WATCHED_TITLE_IDS, _STRINGS, "distinct, latest first, at most 2,000")),
    partition="month",
)  # fmt: skip

USER_HIDDEN: Final = Table(
    "user_hidden", "The titles a member has hidden by a thumb down.", (USER_ID,),
    (_user, _when, _created, Column(HIDDEN_TITLE_IDS, _STRINGS, "distinct, latest first, at most 2,000")),
    partition="month",
)  # fmt: skip

TITLE_METADATA: Final = Table(
    "title_metadata", "The catalogue as features.", (TITLE_ID,),
    (
        _title, _when, _created,
        *(TITLES.column(n) for n in (NAME, RELEASE_YEAR, RUNTIME_MINUTES, TITLE_TYPE, MATURITY_LEVEL,
                                     ORIGINAL_LANGUAGE, GENRE_NAMES, FRANCHISE_ID, COUNTRIES)),
        Column(GENRE_VECTOR, _VECTOR, "unit length, or all 0", minimum=0.0, maximum=1.0, length=len(GENRES)),
        _instant_feature(AVAILABLE_SINCE, "first day on the service"),
        _instant_feature(UPDATED_AT, "when this version became known"),
    ),
    partition="month",
)  # fmt: skip

TITLE_CONTENT: Final = Table(
    "title_content", "What a title is about, as vectors.", (TITLE_ID,),
    (
        _title, _when, _created,
        Column(CAST_VECTOR, _VECTOR, "mean of the top 5 cast embeddings", length=CAST_DIMENSIONS),
        Column(SYNOPSIS_EMBEDDING, _VECTOR, "TF-IDF then SVD, unit length or all 0",
               length=SYNOPSIS_DIMENSIONS),
    ),
    partition="month",
)  # fmt: skip

TITLE_STATISTICS: Final = Table(
    "title_statistics", "How a title does, at the end of each day with activity.", (TITLE_ID,),
    (
        _title, _when, _created,
        _count(VIEW_COUNT, "viewings started so far"),
        Column(MEAN_COMPLETION, pa.float32(), "mean final watch fraction, smoothed", "0 to 1",
               minimum=0.0, maximum=1.0),
        Column(DECAYED_PLAYS, pa.float32(), "plays with exponential decay, as of decayed_plays_at",
               minimum=0.0),
        _instant_feature(DECAYED_PLAYS_AT, "the instant of decayed_plays"),
        _count(IMPRESSION_COUNT, "times shown so far"),
        Column(PLAY_RATE, pa.float32(), "plays per impression, smoothed", "0 to 1", minimum=0.0, maximum=1.0),
    ),
    partition="month",
)  # fmt: skip

INTERACTIONS: Final = Table(
    "interactions", "A member and a title they watched.", (USER_ID, TITLE_ID),
    (
        _user, _title, _when, _created,
        Column(WATCH_FRACTION, pa.float32(), "highest fraction reached", "0 to 1", minimum=0.0, maximum=1.0),
        _count(WATCH_COUNT, "viewings started"),
        _instant_feature(LAST_WATCHED_AT, "the latest watch event"),
    ),
    partition="month",
)  # fmt: skip


def _embedding_table(name: str, description: str, key: Column, vector: str) -> Table:
    return Table(
        name, description, (key.name,),
        (
            key, _when, _created,
            Column(vector, _VECTOR, "factors as trained, not normalised", length=ALS_DIMENSIONS),
            Column(EMBEDDING_KIND, pa.string(), "what made it", allowed=EMBEDDING_KINDS),
            Column(MODEL_VERSION, pa.string(), "the model that made it"),
            Column(EMBEDDING_NORM, pa.float32(), "Euclidean length", minimum=0.0),
            _instant_feature(TRAINED_AT, "end of the training data"),
            _count(TRAINING_EVENT_COUNT, "interactions of this entity in training"),
        ),
        partition="month",
    )  # fmt: skip


USER_ALS_EMBEDDING: Final = _embedding_table(
    "user_als_embedding", "A member's ALS factors.", _user, USER_EMBEDDING
)
TITLE_ALS_EMBEDDING: Final = _embedding_table(
    "title_als_embedding", "A title's ALS factors.", _title, TITLE_EMBEDDING
)

RAW_TABLES: Final = (EVENTS, TITLES, MEMBERS, SIGN_UPS, IMPRESSIONS)
FEATURE_TABLES: Final = (
    USER_SNAPSHOT, USER_SESSION, USER_PROFILE, USER_PICKS, USER_HISTORY, USER_HIDDEN,
    TITLE_METADATA, TITLE_CONTENT, TITLE_STATISTICS, INTERACTIONS, USER_ALS_EMBEDDING, TITLE_ALS_EMBEDDING,
)  # fmt: skip
