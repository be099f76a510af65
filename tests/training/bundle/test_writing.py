from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.bundle import BundleError, list_bundles, load_bundle, writing as module

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_bundle_comes_back_as_it_was_written(publish: Any, contents: Any) -> None:
    bundle = load_bundle(publish(parent="20260101T000000Z-00000000"), "schema-1")
    given, read = contents(), bundle.contents
    for name in (
        "title_ids",
        "title_factors",
        "user_ids",
        "user_factors",
        "countries",
        "popularity",
        "trending",
    ):
        np.testing.assert_array_equal(getattr(read, name), getattr(given, name))
    assert read.ranker == given.ranker
    assert bundle.manifest.created_at == CREATED
    assert bundle.manifest.data_window.end == datetime(2026, 1, 2, tzinfo=UTC)
    assert bundle.manifest.metrics == {"recall@20": 0.25}
    assert (bundle.manifest.seed, bundle.manifest.parent) == (7, "20260101T000000Z-00000000")
    assert bundle.manifest.version == bundle.path.name


def test_the_version_is_the_instant_in_utc_and_the_contents(publish: Any) -> None:
    seoul = CREATED.astimezone(timezone(timedelta(hours=9)))
    assert publish(created_at=seoul).name.startswith("20260102T030405Z-")


def test_equal_contents_have_equal_digits_whatever_the_rest(publish: Any) -> None:
    first = publish()
    later = publish(created_at=CREATED + timedelta(hours=1), seed=8, metrics={})
    padded = publish(
        {"title_ids": np.array(["t1", "t2", "t30"], dtype="<U99")}, created_at=CREATED.replace(year=2027)
    )
    assert first.name[-8:] == later.name[-8:] == padded.name[-8:]


def test_other_contents_have_other_digits(publish: Any) -> None:
    assert publish().name != publish({"ranker": b"{other"}).name


def test_publishing_the_very_same_bundle_twice_is_one_bundle(publish: Any, tmp_path: Path) -> None:
    assert publish() == publish()
    assert len(list_bundles(tmp_path)) == 1


def test_a_taken_version_is_never_overwritten(publish: Any) -> None:
    place = publish()
    with pytest.raises(BundleError, match="later created_at"):
        publish(metrics={"recall@20": 0.5})
    assert load_bundle(place).manifest.metrics == {"recall@20": 0.25}


def test_bundles_are_listed_oldest_first_and_nothing_else_is(publish: Any, tmp_path: Path) -> None:
    late, early = publish(created_at=CREATED + timedelta(days=1)), publish()
    (tmp_path / "20260102T030405Z-zzzzzzzz").mkdir()
    (tmp_path / "20260102T030405Z-00000000").mkdir()  # no manifest
    assert list_bundles(tmp_path) == [early.name, late.name]
    assert list_bundles(tmp_path / "absent") == []


def test_refused_contents_leave_nothing_behind(publish: Any, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="float64"):
        publish({"popularity": np.zeros((2, 3))})
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_nothing_behind(
    publish: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_publish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("created_at", datetime(2026, 1, 2), "created_at.*timezone"),
        ("data_window", (CREATED, CREATED - timedelta(days=1)), "after its end"),
        ("parent", "../../elsewhere", "parent = '../../elsewhere'"),
        ("schema_hash", "", "schema_hash"),
        ("metrics", {"ndcg": float("nan")}, "metrics.*finite"),
        ("metrics", {"ndcg": object()}, "metrics"),
    ],
)
def test_arguments_that_do_not_fit_the_manifest_are_named(
    publish: Any, tmp_path: Path, argument: str, value: object, message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        publish(**{argument: value})
    assert list(tmp_path.iterdir()) == []
