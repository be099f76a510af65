from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, strategies as st

from training.popularity import SegmentScores, popularity_scores, trending_scores

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
DAY = 86_400_000_000


def popular(
    events: list[tuple[str, int, float, str]], languages: list[str] | None = None, prior_weight: float = 1.0
) -> SegmentScores:
    users, titles, fractions, places = zip(*events, strict=True) if events else ((), (), (), ())
    spoken = [""] * len(events) if languages is None else languages
    return popularity_scores(
        np.array(users, dtype=np.str_),
        np.array(titles, dtype=np.int64),
        np.array(fractions, dtype=np.float32),
        np.array(places, dtype=np.str_),
        np.array(spoken, dtype=np.str_),
        title_count=3,
        prior_weight=prior_weight,
    )


def test_popularity_weighs_viewers_by_completion() -> None:
    countries, scores, _ = popular([("a", 0, 1.0, ""), ("b", 0, 0.5, ""), ("c", 1, 0.5, "")])
    assert countries.tolist() == [""]
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [[0.75, 0.25, 0.0]])


def test_a_viewer_counts_once_with_the_highest_fraction() -> None:
    scores = popular([("a", 0, 0.5, ""), ("a", 0, 1.0, ""), ("a", 0, 0.25, ""), ("b", 1, 1.0, "")]).scores
    np.testing.assert_allclose(scores, [[0.5, 0.5, 0.0]])


def test_an_unknown_fraction_counts_nothing() -> None:
    scores = popular([("a", 0, float("nan"), ""), ("b", 1, 1.0, "")]).scores
    np.testing.assert_allclose(scores, [[0.0, 1.0, 0.0]])


def test_countries_are_blended_with_the_whole_service() -> None:
    events = [("a", 0, 1.0, "KR"), ("b", 0, 1.0, "US"), ("c", 0, 1.0, "US"), ("d", 1, 1.0, "KR")]
    countries, scores, _ = popular(events, prior_weight=2.0)
    assert countries.tolist() == ["", "KR", "US"]
    overall = [0.75, 0.25, 0.0]
    # KR: (1 + 2 * 0.75) / (2 + 2), (1 + 2 * 0.25) / 4; US: (2 + 1.5) / 4, 0.5 / 4
    np.testing.assert_allclose(scores, [overall, [0.625, 0.375, 0.0], [0.875, 0.125, 0.0]])


def test_a_language_in_a_country_leans_on_the_country_and_a_language_alone_on_everybody() -> None:
    events = [("a", 0, 1.0, "KR"), ("b", 1, 1.0, "KR"), ("c", 2, 1.0, ""), ("d", 2, 1.0, "")]
    segments, scores, _ = popular(events, ["ko", "", "", "fr"], prior_weight=2.0)
    assert segments.tolist() == ["", "/fr", "/ko", "KR", "KR/ko"]
    overall = np.array([0.25, 0.25, 0.5])
    korea = (np.array([1, 1, 0]) + 2 * overall) / 4
    expected = [
        overall, (np.array([0, 0, 1]) + 2 * overall) / 3, (np.array([1, 0, 0]) + 2 * overall) / 3, korea,
        (np.array([1, 0, 0]) + 2 * korea) / 3,
    ]  # fmt: skip
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_no_viewing_gives_zeros() -> None:
    assert popular([]).scores.tolist() == [[0, 0, 0]]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.integers(0, 2),
            st.sampled_from([0.1, 0.5, 1.0]),
            st.sampled_from(["", "KR", "US"]),
        ),
        min_size=1,
    )
)
def test_scores_are_shares(events: list[tuple[str, int, float, str]]) -> None:
    scores = popular(events).scores
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-5)
    assert (scores >= 0).all()


@pytest.mark.parametrize("prior_weight", [0.0, -1.0])
def test_a_prior_weight_must_be_positive(prior_weight: float) -> None:
    with pytest.raises(ValueError, match="prior_weight"):
        popular([("a", 0, 1.0, "")], None, prior_weight)


def trending(plays: list[tuple[int, str, int]]) -> SegmentScores:
    titles, places, timestamps = zip(*plays, strict=True)
    return trending_scores(
        np.array(titles, dtype=np.int64),
        np.array(places, dtype=np.str_),
        np.array(timestamps, dtype=np.int64),
        as_of=NOW,
        title_count=2,
        prior_weight=1.0,
    )


def test_a_play_fades_by_one_over_e_in_two_days() -> None:
    scores = trending([(0, "", NOW_US - 1), (1, "", NOW_US - 2 * DAY)]).scores
    assert scores[0, 1] / scores[0, 0] == pytest.approx(np.exp(-1), rel=1e-4)


def test_plays_from_the_given_instant_on_are_ignored() -> None:
    scores = trending([(0, "", NOW_US - DAY), (1, "", NOW_US), (1, "", NOW_US + DAY)]).scores
    np.testing.assert_allclose(scores, [[1.0, 0.0]])


def test_trending_is_blended_per_country() -> None:
    countries, scores, weights = trending([(0, "US", NOW_US - DAY), (1, "KR", NOW_US - DAY)])
    assert countries.tolist() == ["", "KR", "US"]
    weight = np.exp(-0.5)
    strong = (weight + 0.5) / (weight + 1)
    np.testing.assert_allclose(scores, [[0.5, 0.5], [1 - strong, strong], [strong, 1 - strong]], rtol=1e-6)
    np.testing.assert_allclose(weights, [2 * weight, weight, weight], rtol=1e-6)
