from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.towers import history_weights
from training.catalogue import read_catalogue
from training.datasets import WatchEvents, watch_events
from training.two_tower_examples import HISTORY_STEP, TowerExamples, member_histories, tower_examples

if TYPE_CHECKING:
    from tests.conftest import TrainedService


@pytest.fixture(scope="module")
def events(trained_service: TrainedService) -> WatchEvents:
    return watch_events(trained_service.lake)


@pytest.fixture(scope="module")
def title_ids(trained_service: TrainedService) -> np.ndarray:
    return read_catalogue(trained_service.lake).title_ids


def made(
    trained: TrainedService, events: WatchEvents, title_ids: np.ndarray, **changed: float
) -> TowerExamples:
    settings = {"minimum_fraction": 0.5, "empty_share": 1e9} | changed
    return tower_examples(
        trained.gateway, events, title_ids, start=trained.end - timedelta(days=9), end=trained.end, seed=0,
        **settings,
    )  # fmt: skip


def test_a_history_is_what_the_member_had_watched_before_they_began_the_title(
    trained_service: TrainedService, events: WatchEvents, title_ids: np.ndarray
) -> None:
    examples = made(trained_service, events, title_ids)
    rng = np.random.default_rng(0)
    liked = np.nan_to_num(events.watch_fractions) >= 0.5
    for place in rng.choice(len(examples), 40, replace=False):
        instant, title = examples.instants[place], title_ids[examples.titles[place]]
        who = events.user_ids[(events.timestamps == instant) & (events.title_ids == title) & liked]
        history, mask = (array[examples.moments[place]] for array in (examples.history, examples.mask))
        found = set(title_ids[history[mask > 0]].tolist())
        before = []
        for user in who:
            own = events.user_ids == user
            begun = events.timestamps[own & (events.title_ids == title)].min()
            asked = begun // HISTORY_STEP * HISTORY_STEP
            before.append(set(events.title_ids[own & (events.timestamps < asked)].tolist()))
        assert found in before  # nobody in so small a service has watched more than fifty titles


def test_no_positive_is_in_its_own_history(
    trained_service: TrainedService, events: WatchEvents, title_ids: np.ndarray
) -> None:
    examples = made(trained_service, events, title_ids)
    own = (examples.history[examples.moments] == examples.titles[:, None]) & (
        examples.mask[examples.moments] > 0
    )
    assert not own.any()
    # Most were begun before the event that made them positives: asking at that event would show them.
    liked = np.nan_to_num(events.watch_fractions) >= 0.5
    assert (~liked & events.started).sum() > len(examples) // 2


def test_a_member_likes_a_title_once(
    trained_service: TrainedService, events: WatchEvents, title_ids: np.ndarray
) -> None:
    examples = made(trained_service, events, title_ids)
    liked = np.nan_to_num(events.watch_fractions) >= 0.5
    pairs = set(zip(events.user_ids[liked].tolist(), events.title_ids[liked].tolist(), strict=True))
    assert len(examples) == len(pairs)


def test_positives_without_history_are_thinned(
    trained_service: TrainedService, events: WatchEvents, title_ids: np.ndarray
) -> None:
    whole, few = (made(trained_service, events, title_ids, empty_share=share) for share in (1e9, 0.01))
    empty, kept = (int((~e.mask.any(axis=1)[e.moments]).sum()) for e in (whole, few))
    assert empty > kept == round(0.01 * (len(whole) - empty))


def test_the_hour_that_is_not_over_yet_counts_up_to_the_instant_and_not_the_event_at_it(
    trained_service: TrainedService, events: WatchEvents, title_ids: np.ndarray
) -> None:
    """At the first event of a title the title is not there yet, a microsecond later it is the latest."""
    meetings = np.unique(np.char.add(events.user_ids, events.title_ids), return_index=True)[1]
    chosen = np.random.default_rng(1).choice(meetings, 30, replace=False)
    users, titles, at = events.user_ids[chosen], events.title_ids[chosen], events.timestamps[chosen]
    for later in (0, 1):
        history, mask = member_histories(trained_service.gateway, users, at + later, title_ids)
        latest = np.where(mask[:, 0] > 0, title_ids[history[:, 0]], "")
        assert (latest == titles).tolist() == [bool(later)] * 30
        for row, (user, title) in enumerate(zip(users, titles, strict=True)):
            own = (events.user_ids == user) & (events.timestamps < at[row] + later)
            assert set(title_ids[history[row][mask[row] > 0]]) == set(events.title_ids[own].tolist()), title


def test_somebody_unknown_and_titles_outside_the_catalogue_count_nothing(
    trained_service: TrainedService, title_ids: np.ndarray
) -> None:
    busy = trained_service.simulated.events[s.USER_ID].value_counts().to_pylist()
    user = max(busy, key=lambda pair: pair["counts"])["values"]
    now = np.full(2, epoch_microseconds(trained_service.end))
    users = np.array([user, "nobody"])
    history, mask = member_histories(trained_service.gateway, users, now, title_ids)
    assert mask[0].any()
    assert not mask[1].any()
    assert not history[1].any()
    known = title_ids[history[0][mask[0] > 0]]
    fewer = np.setdiff1d(title_ids, known[:1])
    assert (member_histories(trained_service.gateway, users, now, fewer)[1] > 0).sum() == len(known) - 1
    assert mask.max() <= history_weights(np.array([1.0]))[0]
