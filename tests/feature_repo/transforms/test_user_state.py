from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.transforms.decay import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR
from feature_repo.transforms.user_state import NO_TITLE, UserState, WatchEvents, advance, empty_state

MINUTE = MICROSECONDS_PER_HOUR // 60
DRAMA = s.GENRES.index("Drama")
TV, WEB = s.DEVICES.index("tv"), s.DEVICES.index("web")


def event(
    title: int, minute: float, *, play: bool = False, fraction: float = np.nan, minutes: float = np.nan,
    device: int = TV,
) -> WatchEvents:  # fmt: skip
    drama = np.zeros((1, len(s.GENRES)), dtype=np.float32)
    drama[0, DRAMA] = 1.0
    return WatchEvents(
        titles=np.array([title], dtype=np.int32),
        timestamps=np.array([int(minute * MINUTE)]),
        plays=np.array([play]),
        fractions=np.array([fraction]),
        minutes=np.array([minutes]),
        devices=np.array([device], dtype=np.int32),
        genre_vectors=drama,
    )


def after(*events: WatchEvents) -> UserState:
    state = empty_state(1)
    for one in events:
        state = advance(state, one)
    return state


def recent(state: UserState) -> list[tuple[int, float]]:
    pairs = zip(state.recent_titles[0].tolist(), state.recent_fractions[0].tolist(), strict=True)
    return [(title, pytest.approx(fraction)) for title, fraction in pairs if title != NO_TITLE]


def test_play_starts_a_viewing_at_zero():
    state = after(event(7, 0, play=True, fraction=0.4))
    assert recent(state) == [(7, 0.0)]
    assert (state.watch_count[0], state.recent_plays[0], state.hour_weights[0, 0]) == (1, 1.0, 1.0)
    assert state.device_weights[0, TV] == 1.0
    assert state.genre_weights.sum() == 0


def test_report_of_a_title_never_played_starts_a_viewing_too():
    state = after(event(7, 0, fraction=0.6))
    assert recent(state) == [(7, 0.6)]
    assert state.watch_count[0] == 1
    assert state.genre_weights[0, DRAMA] == pytest.approx(0.6)


def test_reports_of_one_viewing_add_up_to_the_furthest_fraction():
    viewing = (
        event(7, 0, play=True),
        event(7, 0, fraction=0.3),
        event(7, 0, fraction=0.2),
        event(7, 0, fraction=0.9),
    )
    state = after(*viewing)
    assert recent(state) == [(7, 0.9)]
    assert state.watch_count[0] == 1
    assert state.genre_weights[0, DRAMA] == pytest.approx(0.9)


def test_playing_again_counts_the_same_stretch_again():
    state = after(event(7, 0, fraction=0.5), event(7, 0, play=True), event(7, 0, fraction=0.5))
    assert state.watch_count[0] == 2
    assert state.genre_weights[0, DRAMA] == pytest.approx(1.0)


def test_a_play_that_resumes_goes_on_with_the_viewing():
    state = after(
        event(7, 0, play=True), event(7, 30, fraction=0.5), event(7, 90, play=True, fraction=0.5),
        event(7, 91, fraction=0.6),
    )  # fmt: skip
    assert recent(state) == [(7, pytest.approx(0.6))]
    assert state.watch_count[0] == 1
    assert state.genre_weights[0, DRAMA] == pytest.approx(0.6, abs=0.01)  # the 0.5 once, not twice


@pytest.mark.parametrize(("furthest", "begun"), [(0.79, 1), (0.8, 2), (1.0, 2)])
def test_what_was_watched_to_the_end_is_not_resumed_but_begun_anew(furthest, begun):
    state = after(event(7, 0, fraction=np.float32(furthest)), event(7, 90, play=True, fraction=0.1))
    assert state.watch_count[0] == begun
    assert recent(state) == [(7, 0.0 if begun == 2 else furthest)]


def test_a_play_at_zero_begins_anew():
    state = after(event(7, 0, fraction=0.5), event(7, 1, play=True, fraction=0.0))
    assert (recent(state), state.watch_count[0]) == ([(7, 0.0)], 2)


def test_a_resuming_play_of_an_unknown_title_begins_at_zero():
    assert recent(after(event(7, 0, play=True, fraction=0.4))) == [(7, 0.0)]


def test_unknown_fraction_gains_nothing_and_loses_nothing():
    state = after(event(7, 0, fraction=0.5), event(7, 0))
    assert recent(state) == [(7, 0.5)]
    assert state.genre_weights[0, DRAMA] == pytest.approx(0.5)


def test_any_report_moves_its_title_to_the_front():
    state = after(
        event(1, 0, fraction=0.1), event(2, 1, fraction=0.2), event(3, 2, fraction=0.3), event(2, 3)
    )
    assert recent(state) == [(2, 0.2), (3, 0.3), (1, 0.1)]


def test_only_the_latest_fifty_titles_are_kept_and_a_forgotten_one_starts_anew():
    state = after(*(event(title, title, play=True) for title in range(51)))
    assert [title for title, _ in recent(state)] == list(range(50, 0, -1))
    state = advance(state, event(0, 60, fraction=0.2))
    assert state.watch_count[0] == 52
    assert recent(state)[0] == (0, 0.2)


def test_weights_fade_with_their_time_constants():
    three_weeks = 21 * 24 * 60
    state = after(event(1, 0, fraction=1.0), event(2, three_weeks, fraction=1.0, device=WEB))
    assert state.genre_weights[0, DRAMA] == pytest.approx(1 + np.exp(-1))
    assert state.device_weights[0, [TV, WEB]] == pytest.approx([np.exp(-1), 1])
    assert state.recent_plays[0] == pytest.approx(1 + np.exp(-3))


def test_unknown_device_counts_for_none():
    assert after(event(1, 0, play=True, device=-1)).device_weights.sum() == 0


def test_each_recent_title_keeps_when_and_how_long_it_was_last_watched():
    state = after(
        event(1, 0, play=True), event(1, 20, fraction=0.5, minutes=20), event(2, 25, play=True),
        event(2, 40), event(1, 50, fraction=0.6, minutes=8),
    )  # fmt: skip
    assert state.recent_titles[0, :3].tolist() == [1, 2, NO_TITLE]
    assert state.recent_watched_at[0, :3].tolist() == [50 * MINUTE, 40 * MINUTE, 0]
    # Title 1: 20 and 8 reported; title 2: 5 idle minutes up to its play, then 15 up to its next event.
    assert state.recent_minutes[0, :3].tolist() == [28, 20, 0]


def test_playing_again_begins_the_minutes_anew():
    state = after(event(1, 0, play=True), event(1, 20, minutes=20), event(1, 21, play=True, minutes=1))
    assert state.recent_minutes[0, 0] == 1
    assert state.session_minutes[0] == 21


def test_a_forgotten_title_begins_its_minutes_anew():
    state = after(event(0, 0, minutes=9), *(event(title, title, minutes=1) for title in range(1, 51)))
    state = advance(state, event(0, 60, minutes=2))
    assert (state.recent_minutes[0, 0], state.recent_watched_at[0, 0]) == (2, 60 * MINUTE)


def test_the_sessions_genres_fade_within_hours():
    state = after(event(1, 0, fraction=1.0), event(2, 6 * 60, fraction=0.5))
    assert state.session_genre_weights[0, DRAMA] == pytest.approx(np.exp(-1) + 0.5)
    assert state.genre_weights[0, DRAMA] == pytest.approx(np.exp(-1 / 84) + 0.5)


def test_the_latest_device_is_the_last_one_known():
    assert after(event(1, 0, device=-1)).latest_device[0] == -1
    state = after(event(1, 0, device=WEB), event(1, 1, device=TV), event(2, 2, device=-1))
    assert state.latest_device[0] == TV


def test_session_ends_after_more_than_thirty_idle_minutes():
    state = after(event(1, 0, play=True), event(1, 30), event(1, 60.1))
    assert state.session_count[0] == 2
    assert state.session_minutes[0] == pytest.approx(30)


def test_reported_minutes_are_not_idle():
    state = after(event(1, 0, play=True), event(1, 100, minutes=100), event(2, 120, minutes=15))
    assert state.session_count[0] == 1
    assert state.session_minutes[0] == pytest.approx(115)


def test_earlier_event_does_not_turn_the_clock_back():
    state = after(event(1, 100, play=True), event(2, 50, play=True))
    assert state.last_watched_at[0] == 100 * MINUTE
    assert state.recent_watched_at[0, :2].tolist() == [100 * MINUTE, 100 * MINUTE]
    assert state.recent_plays[0] == 2.0


def test_advance_leaves_its_input_alone():
    before = after(event(1, 0, fraction=0.5))
    copies = [getattr(before, f.name).copy() for f in fields(before)]
    advance(before, event(2, MICROSECONDS_PER_DAY // MINUTE, play=True))
    for f, copy in zip(fields(before), copies, strict=True):
        np.testing.assert_array_equal(getattr(before, f.name), copy)


def test_members_do_not_touch_each_other():
    alone, state = after(event(5, 3, fraction=0.5)), empty_state(2)
    one, other = event(9, 1, play=True), event(5, 3, fraction=0.5)
    names = [f.name for f in fields(WatchEvents)]
    pair = WatchEvents(*(np.concatenate([getattr(one, name), getattr(other, name)]) for name in names))
    both = advance(state, pair)
    for f in fields(both):
        np.testing.assert_array_equal(getattr(both.take(slice(1, 2)), f.name), getattr(alone, f.name))


def test_put_writes_the_chosen_rows():
    states = empty_state(3)
    states.put(np.array([1]), after(event(5, 3, play=True)))
    assert states.watch_count.tolist() == [0, 1, 0]
