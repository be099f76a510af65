from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from feature_repo.transforms.towers import TITLE_INPUT_DIMENSIONS
from serving.models import Models
from serving.state import ServingState, StateHolder
from training.bundle import BundleContents, load_bundle

NO_ARRIVALS = np.empty((0, TITLE_INPUT_DIMENSIONS), dtype=np.float32)


def state_of(small: Any, contents: BundleContents) -> ServingState:
    version = small.publish(contents, champion=False)
    bundle = load_bundle(small.bundles / version)
    snapshot = small.features.title_snapshot(contents.title_ids.tolist(), small.time[0])
    return ServingState.of(Models.of(bundle), snapshot, NO_ARRIVALS, lambda: small.time[0], version)


def test_there_is_no_state_before_the_first() -> None:
    assert StateHolder().current is None


def test_readers_during_swaps_see_one_state_or_the_other_and_never_parts_of_both(
    small: Any, contents_of: Callable[[int], BundleContents]
) -> None:
    states = [state_of(small, contents_of(seed)) for seed in (1, 2)]
    holder = StateHolder()
    holder.swap(states[0])
    seen: list[tuple[str, str]] = []
    reading = threading.Event()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            state = holder.current
            assert state is not None
            seen.append((state.models.version, state.example_user_id))
            reading.set()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for swap in range(2_000):
        holder.swap(states[swap % 2])
    assert reading.wait(10)
    done.set()
    for reader in readers:
        reader.join()
    assert {version == example for version, example in seen} == {True}


def test_a_fresher_catalogue_changes_nothing_else(small: Any, contents: BundleContents) -> None:
    before = state_of(small, contents)
    small.features.titles["t009"]["name"] = "Renamed"
    snapshot = small.features.title_snapshot(contents.title_ids.tolist(), small.time[0])
    after = ServingState.of(before.trained, snapshot, NO_ARRIVALS, before.clock, before.example_user_id)
    assert (before.catalogue.names[9], after.catalogue.names[9]) == ("Title 9", "Renamed")
    assert (after.models, after.clock) == (before.models, before.clock)
    assert after.vector_versions == before.vector_versions
