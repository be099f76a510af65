from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from feature_repo.transforms.decay import MICROSECONDS_PER_HOUR
from training.freshness import (
    FRESH,
    TRAINED,
    History,
    Instant,
    _begun,
    _metrics,
    _place,
    _watched_since,
    ages,
)

HOUR = MICROSECONDS_PER_HOUR


def history(*events: tuple[int, int, float]) -> History:
    """Events: (title, instant, fraction)."""
    titles, instants, fractions = zip(*events, strict=True)
    return History(np.array(titles), np.array(instants), np.array(fractions, np.float32))


def test_vectors_of_an_age_know_what_happened_before_their_last_refresh() -> None:
    at = 31 * HOUR + 5  # the clock shows 7 and a bit
    assert ages(at, 0) == {FRESH: at, "1 hour": 31 * HOUR, "6 hours": 30 * HOUR, TRAINED: 0}


def test_no_vector_is_older_than_the_training() -> None:
    assert ages(31 * HOUR + 5, 31 * HOUR) == {
        FRESH: 31 * HOUR + 5, "1 hour": 31 * HOUR, "6 hours": 31 * HOUR, TRAINED: 31 * HOUR,
    }  # fmt: skip


def test_watched_titles_come_latest_first_with_the_highest_fraction() -> None:
    rows, fractions = history((1, 10, 0.9), (2, 20, 0.3), (1, 30, 0.2)).watched()
    assert rows.tolist() == [1, 2]
    assert fractions.tolist() == np.array([0.9, 0.3], np.float32).tolist()


def test_a_title_counts_from_its_first_event_on_if_it_is_liked_later() -> None:
    events = history((1, 5, 1.0), (2, 10, 0.1), (3, 11, 0.2), (2, 12, 0.7), (1, 13, 1.0))
    assert _begun(events, 6, 0.5) == [Instant(10, 2)]


def test_only_viewing_since_the_six_hours_and_before_the_instant_makes_a_difference() -> None:
    at = 31 * HOUR
    assert _watched_since(history((1, 30 * HOUR, 1.0)), at)
    assert not _watched_since(history((1, 30 * HOUR - 1, 1.0), (2, at, 1.0)), at)


def test_a_place_counts_what_is_on_offer_and_scored_above() -> None:
    scores = np.array([0.5, 0.9, 0.5, 0.7], np.float32)
    assert _place(scores, np.array([True, True, True, True]), 2) == 3  # the first of equals is above
    assert _place(scores, np.array([True, False, True, True]), 0) == 1


def test_metrics_of_places_worked_out_by_hand() -> None:
    found = _metrics(np.array([0, 1, 30]))
    assert np.allclose(found, [2 / 3, (1 + 1 / np.log2(3)) / 3, (1 + 1 / 2 + 1 / 31) / 3])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 100), st.floats(0, 1, width=32)), min_size=1),
       st.integers(0, 100))  # fmt: skip
def test_nothing_of_the_future_is_known(events: list[tuple[int, int, float]], instant: int) -> None:
    ordered = sorted(events, key=lambda event: event[1])
    past = [event for event in ordered if event[1] < instant]
    known = history(*ordered).before(instant)
    assert known.instants.tolist() == [event[1] for event in past]
    assert known.titles.tolist() == [event[0] for event in past]
