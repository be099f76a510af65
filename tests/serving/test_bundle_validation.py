from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xgboost

from feature_repo.transforms.ranking import RANKING_FEATURES
from serving.bundle_canary import STRANGER, canary_requests
from serving.bundle_validation import BundleRefusedError, check_models, older
from serving.candidates.query import PageRequest
from serving.models import Models
from serving.recent_requests import RecentRequests
from serving.settings import BundleSettings
from training.bundle import BundleContents, load_bundle, write_bundle

ContentsOf = Callable[[int], BundleContents]
Change = Callable[[BundleContents], dict[str, Any]]


def constant_ranker() -> bytes:
    matrix = np.zeros((10, len(RANKING_FEATURES)), dtype=np.float32)
    return bytes(xgboost.train({}, xgboost.DMatrix(matrix, np.ones(10)), 1).save_raw("ubj"))


def fewer_titles(contents: BundleContents, titles: int) -> dict[str, Any]:
    weights = {
        name: array[:titles] if len(array) == len(contents.title_ids) else array
        for name, array in contents.tower_weights.items()
    }
    return {
        "title_ids": contents.title_ids[:titles], "title_factors": contents.title_factors[:titles],
        "tower_title_vectors": contents.tower_title_vectors[:titles], "tower_weights": weights,
        "popularity": contents.popularity[:, :titles], "trending": contents.trending[:, :titles],
    }  # fmt: skip


def zeroed(array: np.ndarray, share: float) -> np.ndarray:
    changed = array.copy()
    changed[: int(share * len(array))] = 0
    return changed


BAD: list[tuple[str, str, Change]] = [
    ("norms", "not of unit length", lambda c: {"tower_title_vectors": c.tower_title_vectors * np.float32(2)}),
    ("norms", "times as long as the champion's", lambda c: {"title_factors": c.title_factors * 50}),
    ("norms", "times as long as the champion's", lambda c: {"user_factors": c.user_factors / 50}),
    ("norms", "of the vectors are zero", lambda c: {"title_factors": zeroed(c.title_factors, 0.5)}),
    ("norms", "a vector of length", lambda c: {"user_factors": c.user_factors * np.float32(1e5)}),
    ("sizes", "100 titles, the champion has 160: 37.5% are lost", lambda c: fewer_titles(c, 100)),
    ("sizes", "1 members, the champion has 2", lambda c: {
        "user_ids": c.user_ids[:1], "user_factors": c.user_factors[:1]}),
    ("ranker", "the same score for all candidates", lambda _: {"ranker": constant_ranker()}),
    ("models", "not a model", lambda _: {"ranker": b"{nothing"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "reason", "change"), BAD, ids=[f"{k}: {r}" for k, r, _ in BAD])
def test_a_bad_bundle_is_refused_with_its_reason_and_the_old_one_stays(
    small: Any, contents_of: ContentsOf, kind: str, reason: str, change: Change
) -> None:
    before, good = small.service.state, contents_of(2)
    bad = small.publish(replace(good, **change(good)))
    small.service.keeper.check()
    assert small.service.state is before
    shown = {one.version: one for one in small.service.bundle_desk.list().bundles}[bad]
    assert shown.refused.kind == kind
    assert reason in shown.refused.reason
    assert f'marquee_bundle_refusals_total{{reason="{kind}"}}' in small.service.metrics.exposition().decode()


def test_a_bundle_of_sound_models_passes(small: Any, contents_of: ContentsOf) -> None:
    version = small.publish(contents_of(2))
    small.service.keeper.check()
    assert small.service.state.models.version == version
    assert [one.refused for one in small.service.bundle_desk.list().bundles] == [None, None]


def test_a_page_that_degrades_refuses_the_bundle(
    small: Any, contents_of: ContentsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = small.service.state

    def broken(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    version = small.publish(contents_of(2))
    monkeypatch.setattr("serving.homepage.candidate_features", broken)
    small.service.keeper.check()
    assert small.service.state is before
    refused = {one.version: one.refused for one in small.service.bundle_desk.list().bundles}[version]
    assert (refused.kind, "failed in ranking_features" in refused.reason) == ("canary", True)


def test_activating_a_refused_bundle_has_it_tried_again(
    small: Any, contents_of: ContentsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = small.publish(contents_of(2))
    with monkeypatch.context() as broken:
        broken.setattr("serving.homepage.candidate_features", None)
        small.service.keeper.check()
    small.service.keeper.check()
    assert small.service.state.models.version != version  # not at every look
    small.service.bundle_desk.activate(version, "champion")
    small.service.keeper.check()
    assert small.service.state.models.version == version


def test_a_worker_that_starts_with_a_refused_champion_serves_the_one_before(
    small: Any, contents_of: ContentsOf
) -> None:
    first, good = small.service.state.models.version, contents_of(2)
    small.publish(replace(good, title_factors=good.title_factors * 50))
    small.service.keeper.check()
    late = small.another()
    late.service.start(watch=False)
    assert late.service.state.models.version == first
    late.service.keeper.check()
    assert late.service.state.models.version == first
    late.service.stop()


def test_a_worker_that_starts_with_a_damaged_champion_serves_the_one_before(
    small: Any, contents_of: ContentsOf
) -> None:
    first, damaged = small.service.state.models.version, small.publish(contents_of(2))
    (small.bundles / damaged / "ranker.ubj").write_bytes(b"{")
    late = small.another()
    late.service.start(watch=False)
    assert late.service.state.models.version == first
    late.service.stop()


def test_an_older_bundle_may_come_back_however_small(
    tmp_path: Any, small: Any, contents: BundleContents
) -> None:
    def models(days_ago: int, changed: BundleContents) -> Models:
        now = small.time[0]
        version = write_bundle(
            tmp_path / "apart", changed, created_at=now.replace(day=20 - days_ago), schema_hash="any", seed=0,
            data_window=(now.replace(day=1), now), parent=None, metrics={},
        )  # fmt: skip
        return Models.of(load_bundle(tmp_path / "apart" / version))

    few = replace(contents, **fewer_titles(contents, 80))
    champion, old, new = models(5, contents), models(9, few), models(1, few)
    assert older(old.version, champion.version)
    check_models(old, few.title_ids.tolist(), champion, BundleSettings())
    with pytest.raises(BundleRefusedError, match="80 titles"):
        check_models(new, few.title_ids.tolist(), champion, BundleSettings())
    check_models(new, few.title_ids.tolist(), champion, BundleSettings(lost_share=0.6))


def test_the_canary_is_the_same_whenever_a_bundle_is_tried(small: Any) -> None:
    user_ids = [f"m{n}" for n in range(100)]
    now = small.time[0]
    requests = canary_requests(user_ids, 8, now)
    assert requests == canary_requests(user_ids, 8, now)
    members = [one.user_id for one in requests if one.user_id != STRANGER]
    assert len(set(members)) == 8
    assert {one.device for one in requests if one.user_id == STRANGER} == {"tv", "mobile", "tablet", "web"}
    assert {one.device for one in requests if one.user_id != STRANGER} == {"tv", "mobile", "tablet", "web"}
    assert len(canary_requests([], 8, now)) == 4


def test_bundles_are_warmed_up_with_the_latest_requests(
    small: Any, contents_of: ContentsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = small.client
    for device in ("tv", "web"):
        client.get(f"/v1/members/somebody-new/homepage?device={device}&country=FR").close()
    asked: list[PageRequest] = []
    make = __import__("serving.homepage").homepage.HomepageMaker.make

    def noted(maker: Any, state: Any, request: PageRequest) -> Any:
        asked.append(request)
        return make(maker, state, request)

    small.publish(contents_of(2))
    monkeypatch.setattr("serving.homepage.HomepageMaker.make", noted)
    small.service.keeper.check()
    warmed = [(one.device, one.country) for one in asked if one.user_id == "somebody-new"]
    assert warmed == [("web", "FR"), ("tv", "FR")]


def test_the_latest_requests_are_bounded_and_each_counts_once(small: Any) -> None:
    recent = RecentRequests(3)
    for user_id in ("a", "b", "c", "b", "b"):
        recent.add(PageRequest(user_id, "tv", small.time[0]))
    assert len(recent) == 3
    assert [one.user_id for one in recent.latest(10)] == ["b", "c"]
    assert [one.user_id for one in recent.latest(1)] == ["b"]
