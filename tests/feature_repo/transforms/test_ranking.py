from __future__ import annotations

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.transforms import ranking as r
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR
from feature_repo.transforms.encoding import Arrays

# Monday 2024-01-01 20:30 UTC
NOW = 1_704_141_000_000_000.0
ACTION, DRAMA = s.GENRES.index("Action"), s.GENRES.index("Drama")


def one_member() -> Arrays:
    taste = np.zeros((1, len(s.GENRES)), dtype=np.float32)
    taste[0, [ACTION, DRAMA]] = 0.75, 0.25
    embedding = np.zeros((1, s.ALS_DIMENSIONS), dtype=np.float32)
    embedding[0, :2] = 3.0, 4.0
    mood = np.zeros((1, len(s.GENRES)), dtype=np.float32)
    mood[0, [ACTION, DRAMA]] = 0.375, 0.625
    return {
        s.GENRE_PREFERENCE: taste,
        s.MEAN_SESSION_MINUTES: np.array([60.0], dtype=np.float32),
        s.LAST_WATCHED_AT: np.array([NOW - 7 * MICROSECONDS_PER_DAY]),
        s.PREFERRED_DEVICE: np.array(["tv"]),
        s.PREFERRED_HOUR: np.array([1.0]),
        s.WATCH_VELOCITY: np.array([2.0], dtype=np.float32),
        s.WATCH_COUNT: np.array([9.0]),
        s.LANGUAGE: np.array(["ko"]),
        s.USER_EMBEDDING: embedding,
        s.SESSION_COMPLETION: np.array([0.625], dtype=np.float32),
        s.SESSION_MINUTES: np.array([22.5], dtype=np.float32),
        s.SESSION_DEVICE: np.array(["mobile"]),
        s.SESSION_WATCHED_AT: np.array([NOW - 6 * MICROSECONDS_PER_HOUR]),
        s.SESSION_GENRES: mood,
    }


def two_titles() -> Arrays:
    """A known Korean action title, and one of which nothing is known."""
    genres = np.full((2, len(s.GENRES)), np.nan, dtype=np.float32)
    genres[0] = 0.0
    genres[0, ACTION] = 1.0
    embedding = np.full((2, s.ALS_DIMENSIONS), np.nan, dtype=np.float32)
    embedding[0] = 0.0
    embedding[0, 0] = 2.0
    return {
        s.GENRE_VECTOR: genres,
        s.RELEASE_YEAR: np.array([2014.0, np.nan]),
        s.RUNTIME_MINUTES: np.array([90.0, np.nan], dtype=np.float32),
        s.TITLE_TYPE: np.array(["series", ""]),
        s.MATURITY_LEVEL: np.array([16.0, np.nan]),
        s.ORIGINAL_LANGUAGE: np.array(["ko", ""]),
        s.AVAILABLE_SINCE: np.array([NOW - 3 * MICROSECONDS_PER_DAY, np.nan]),
        s.VIEW_COUNT: np.array([99.0, np.nan]),
        s.MEAN_COMPLETION: np.array([0.5, np.nan], dtype=np.float32),
        s.DECAYED_PLAYS: np.array([10.0, np.nan], dtype=np.float32),
        s.DECAYED_PLAYS_AT: np.array([NOW - 2 * MICROSECONDS_PER_DAY, np.nan]),
        s.PLAY_RATE: np.array([0.125, np.nan], dtype=np.float32),
        s.TITLE_EMBEDDING: embedding,
    }


def context(device: str = "tv", at: float = NOW) -> Arrays:
    return {
        s.REQUEST_TIMESTAMP: np.array([at]),
        s.DEVICE_TYPE: np.array([device]),
        s.TWO_TOWER_SCORE: np.array([0.25], dtype=np.float32),
        s.ROW_INDEX: np.array([3], dtype=np.float32),
        s.POSITION: np.array([7], dtype=np.float32),
    }


def named(row: np.ndarray) -> dict[str, float]:
    return dict(zip(r.RANKING_FEATURES, row.tolist(), strict=True))


def test_moving_a_tile_changes_its_place_and_nothing_else():
    there = r.ranking_features(one_member(), two_titles(), context())
    first = r.ranking_features(one_member(), two_titles(), context() | r.FIRST_PLACE)
    np.testing.assert_array_equal(r.at_place(there), first)
    np.testing.assert_array_equal(r.at_place(first, row=3, position=7), there)
    changed = [name for name, column in zip(r.RANKING_FEATURES, (there != first).T, strict=True)
               if column[0]]  # fmt: skip
    assert changed == ["shown_row", "shown_position"]


def test_values_worked_out_by_hand():
    row = named(r.ranking_features(one_member(), two_titles(), context())[0])
    expected = {
        "request_hour": 20,
        "request_weekday": 0,
        "device_code": 0,
        "mean_session_minutes": 60,
        "days_since_last_watch": 0.25,  # the session is younger than the snapshot
        "watch_velocity_now": 2 * np.exp(-1),
        "log_watch_count": np.log(10),
        "hours_from_preferred_hour": 5,
        "device_is_preferred": 1,
        "hours_since_session_watch": 6,
        "session_completion": 0.625,
        "session_minutes": 22.5,
        "device_is_session_device": 0,
        "title_age_years": 10.0,
        "days_since_available": 3,
        "runtime_minutes": 90,
        "title_type_code": 1,
        "maturity_level": 16,
        "log_view_count": np.log(100),
        "mean_completion": 0.5,
        "play_rate": 0.125,
        "log_decayed_plays_now": np.log1p(10 * np.exp(-1)),
        "genre_affinity": 0.75,
        "strongest_genre_affinity": 0.75,
        "session_genre_affinity": 0.375,
        "language_match": 1,
        "runtime_to_session_ratio": 1.5,
        "als_score": 6,
        "als_cosine": 6 / (5 * 2),
        "user_embedding_norm": 5,
        "title_embedding_norm": 2,
        "two_tower_cosine": 0.25,
        "shown_row": 3,
        "shown_position": 7,
        "genre_action": 1,
        "genre_drama": 0,
    }
    # 2014 is ten mean Gregorian years before the first days of 2024, to a hundredth.
    assert row["title_age_years"] == pytest.approx(10.0, abs=0.01)
    for name, value in expected.items():
        tolerance = 1e-2 if name == "title_age_years" else 1e-6
        assert row[name] == pytest.approx(value, rel=tolerance), name


def test_unknown_title_keeps_member_and_context_columns_and_is_nan_elsewhere():
    row = named(r.ranking_features(one_member(), two_titles(), context())[1])
    known = {
        "request_hour", "request_weekday", "device_code", "mean_session_minutes", "days_since_last_watch",
        "watch_velocity_now", "log_watch_count", "hours_from_preferred_hour", "device_is_preferred",
        "hours_since_session_watch", "session_completion", "session_minutes", "device_is_session_device",
        "user_embedding_norm", "two_tower_cosine", "shown_row", "shown_position",
    }  # fmt: skip
    assert {name for name, value in row.items() if not np.isnan(value)} == known


def test_unknown_device_is_nan_and_a_different_one_is_not_preferred():
    unknown = named(r.ranking_features(one_member(), two_titles(), context(""))[0])
    assert np.isnan(unknown["device_code"])
    assert np.isnan(unknown["device_is_preferred"])
    assert (
        named(r.ranking_features(one_member(), two_titles(), context("web"))[0])["device_is_preferred"] == 0
    )


def test_without_a_session_the_last_watch_is_the_snapshots_and_the_session_is_nan():
    nothing: Arrays = {
        s.SESSION_COMPLETION: np.array([np.nan], dtype=np.float32),
        s.SESSION_MINUTES: np.array([np.nan], dtype=np.float32),
        s.SESSION_DEVICE: np.array([""]),
        s.SESSION_WATCHED_AT: np.array([np.nan]),
        s.SESSION_GENRES: np.full((1, len(s.GENRES)), np.nan, dtype=np.float32),
    }
    row = named(r.ranking_features(one_member() | nothing, two_titles(), context())[0])
    assert row["days_since_last_watch"] == 7
    assert {name for name, value in row.items() if np.isnan(value)} == {
        "hours_since_session_watch", "session_completion", "session_minutes", "device_is_session_device",
        "session_genre_affinity",
    }  # fmt: skip


def test_in_a_members_first_hour_the_session_alone_tells_of_the_last_watch():
    member = one_member() | {s.LAST_WATCHED_AT: np.array([np.nan])}
    row = named(r.ranking_features(member, two_titles(), context())[0])
    assert row["days_since_last_watch"] == 0.25
    assert np.isnan(row["watch_velocity_now"])


def test_the_velocity_fades_from_the_snapshots_last_watch_not_from_the_sessions():
    later = one_member() | {s.SESSION_WATCHED_AT: np.array([NOW])}
    row = named(r.ranking_features(later, two_titles(), context())[0])
    assert row["watch_velocity_now"] == pytest.approx(2 * np.exp(-1))
    assert row["days_since_last_watch"] == 0


def test_the_device_of_the_session_is_told_apart_from_the_preferred_one():
    row = named(r.ranking_features(one_member(), two_titles(), context("mobile"))[0])
    assert (row["device_is_preferred"], row["device_is_session_device"]) == (0, 1)


def test_midnight_of_thursday_is_hour_0_of_weekday_3():
    row = named(r.ranking_features(one_member(), two_titles(), context(at=0.0))[0])
    assert (row["request_hour"], row["request_weekday"]) == (0, 3)


def test_columns_are_distinct_and_the_hash_is_of_their_names():
    assert len(set(r.RANKING_FEATURES)) == len(r.RANKING_FEATURES)
    assert len(r.RANKING_FEATURES_HASH) == 64


def test_row_counts_that_do_not_broadcast_are_refused():
    member = {name: np.repeat(values, 3, axis=0) for name, values in one_member().items()}
    with pytest.raises(ValueError, match=r"\[1, 2, 3\]"):
        r.ranking_features(member, two_titles(), context())


def test_missing_input_is_named():
    titles = two_titles()
    del titles[s.PLAY_RATE]
    with pytest.raises(KeyError, match=s.PLAY_RATE):
        r.ranking_features(one_member(), titles, context())


def random_sides(rng: np.random.Generator, rows: int) -> tuple[Arrays, Arrays, Arrays]:
    def numbers(n: int, *shape: int, scale: float = 1.0, dtype: type = np.float32) -> np.ndarray:
        values = (rng.random((n, *shape)) * scale).astype(dtype)
        values[rng.random(n) < 0.1] = np.nan
        return values

    def instants(n: int) -> np.ndarray:
        return np.floor(NOW - numbers(n, scale=40 * MICROSECONDS_PER_DAY, dtype=np.float64))

    def texts(n: int, choices: tuple[str, ...]) -> np.ndarray:
        return rng.choice(np.array(["", *choices]), n)

    member: Arrays = {
        s.GENRE_PREFERENCE: numbers(1, len(s.GENRES)), s.MEAN_SESSION_MINUTES: numbers(1, scale=90),
        s.LAST_WATCHED_AT: instants(1), s.PREFERRED_DEVICE: texts(1, s.DEVICES),
        s.PREFERRED_HOUR: np.floor(numbers(1, scale=24)).astype(np.float64),
        s.WATCH_VELOCITY: numbers(1, scale=5),
        s.WATCH_COUNT: np.floor(numbers(1, scale=900)).astype(np.float64),
        s.LANGUAGE: texts(1, ("ko", "en")),
        s.USER_EMBEDDING: numbers(1, s.ALS_DIMENSIONS) - np.float32(0.5),
        s.SESSION_COMPLETION: numbers(1), s.SESSION_MINUTES: numbers(1, scale=120),
        s.SESSION_DEVICE: texts(1, s.DEVICES), s.SESSION_WATCHED_AT: instants(1),
        s.SESSION_GENRES: numbers(1, len(s.GENRES)),
    }  # fmt: skip
    titles: Arrays = {
        s.GENRE_VECTOR: numbers(rows, len(s.GENRES)),
        s.RELEASE_YEAR: np.floor(1950 + numbers(rows, scale=70)),
        s.RUNTIME_MINUTES: numbers(rows, scale=180), s.TITLE_TYPE: texts(rows, s.TITLE_TYPES),
        s.MATURITY_LEVEL: numbers(rows, scale=18), s.ORIGINAL_LANGUAGE: texts(rows, ("ko", "en")),
        s.AVAILABLE_SINCE: instants(rows), s.VIEW_COUNT: np.floor(numbers(rows, scale=1e5, dtype=np.float64)),
        s.MEAN_COMPLETION: numbers(rows), s.DECAYED_PLAYS: numbers(rows, scale=300),
        s.DECAYED_PLAYS_AT: instants(rows), s.PLAY_RATE: numbers(rows),
        s.TITLE_EMBEDDING: numbers(rows, s.ALS_DIMENSIONS) - np.float32(0.5),
    }  # fmt: skip
    return member, titles, context(rng.choice(s.DEVICES), NOW - rng.integers(0, MICROSECONDS_PER_HOUR * 99))


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Compare bit for bit, any NaN being as good as another."""
    nan = np.isnan(a)
    return bool((nan == np.isnan(b)).all()) and a[~nan].tobytes() == b[~nan].tobytes()


@pytest.mark.parametrize(
    "rows", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 127, 255, 257, 500, 511, 700]
)
def test_broadcast_repeated_and_single_rows_give_the_same_bits(rows: int):
    rng = np.random.default_rng(rows)
    for _ in range(5):
        member, titles, now = random_sides(rng, rows)
        served = r.ranking_features(member, titles, now)
        repeated = {name: np.repeat(values, rows, axis=0) for name, values in member.items()}
        instants = {name: np.repeat(values, rows) for name, values in now.items()}
        assert served.dtype == np.float32
        assert same_bits(served, r.ranking_features(repeated, titles, instants))
        assert same_bits(served, r.ranking_features(repeated, titles, now))
        for row in {0, rows // 2, rows - 1}:
            single = {name: values[row : row + 1] for name, values in titles.items()}
            assert same_bits(served[row : row + 1], r.ranking_features(member, single, now))


@pytest.mark.parametrize("rows", [1, 6, 33, 500])
def test_memory_layout_of_the_inputs_changes_no_bit(rows: int):
    member, titles, now = random_sides(np.random.default_rng(rows), rows)
    repeated = {name: np.repeat(values, rows, axis=0) for name, values in member.items()}
    by_column = [{n: np.asfortranarray(v) for n, v in side.items()} for side in (repeated, titles)]
    strided = {n: np.repeat(v, 2, axis=0)[::2] for n, v in titles.items()}
    served = r.ranking_features(member, titles, now)
    assert same_bits(served, r.ranking_features(*by_column, now))
    assert same_bits(served, r.ranking_features(member, strided, now))
