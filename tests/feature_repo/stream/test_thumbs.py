from __future__ import annotations

from hypothesis import given, strategies as st

from feature_repo.stream.thumbs import Thumb, hidden_titles, latest_thumbs
from feature_repo.transforms.user_hidden import HIDES, SHOWS

THUMBS = st.lists(
    st.tuples(
        st.just("ann"), st.sampled_from(["t1", "t2", "t3"]), st.integers(0, 20), st.uuids().map(str),
        st.sampled_from([HIDES, SHOWS]),
    )
)  # fmt: skip


def test_down_hides_and_a_later_up_shows_again() -> None:
    thumbs = latest_thumbs(
        {}, [("ann", "t1", 1, "a", HIDES), ("ann", "t2", 2, "b", HIDES), ("ann", "t1", 3, "c", SHOWS)]
    )
    assert hidden_titles(thumbs["ann"]) == (["t2"], 3)


def test_the_latest_hidden_comes_first() -> None:
    thumbs = latest_thumbs({}, [("ann", "t1", 1, "a", HIDES), ("ann", "t2", 2, "b", HIDES)])
    assert hidden_titles(thumbs["ann"]) == (["t2", "t1"], 2)


def test_an_older_thumb_than_the_known_one_changes_nothing() -> None:
    known = latest_thumbs({}, [("ann", "t1", 5, "b", SHOWS)])
    assert latest_thumbs(known, [("ann", "t1", 4, "c", HIDES), ("ann", "t1", 5, "a", HIDES)]) == {}


@given(THUMBS, st.randoms(), st.integers(1, 5))
def test_order_batches_and_repetitions_change_nothing(thumbs: list[Thumb], random, batches: int) -> None:
    at_once = latest_thumbs({}, thumbs)
    shuffled = [*thumbs, *thumbs[:3]]
    random.shuffle(shuffled)
    known: dict[str, dict[str, str]] = {}
    for part in (shuffled[n::batches] for n in range(batches)):
        for user, changed in latest_thumbs(known, part).items():
            known.setdefault(user, {}).update(changed)
    assert known == at_once
