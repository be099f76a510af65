from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from feature_repo.transforms.ranking import RANKING_FEATURES
from serving.settings import ServingSettings, ShadowSettings
from serving.shadow import drawn
from serving.shadow_log import read_records
from serving.shadow_report import ShadowBounds, ShadowDay, report
from training.bundle import BundleAliases, BundleContents

ContentsOf = Callable[[int], BundleContents]
EVERY_PAGE = ServingSettings(shadow=ShadowSettings(share=1.0, request_budget_ms=1e6))
LENIENT = ShadowBounds(fewest_pages=10, latency_ratio=1000)  # a busy machine must not decide


@pytest.fixture
def shadowed(unstarted: Any, contents: BundleContents, tmp_path: Path) -> Iterator[Any]:
    """A server with a champion, all of whose pages are drawn, and no thread of its own."""
    server = unstarted.another(pages=EVERY_PAGE, shadow_folder=tmp_path / "shadow")
    server.publish(contents)
    server.service.start(watch=False)
    yield server
    server.service.stop()


def challenge(server: Any, contents: BundleContents) -> str:
    version: str = server.publish(contents, champion=False)
    BundleAliases(server.bundles).set("challenger", version)
    server.service.shadow.look()
    return version


def visits(server: Any, pages: int = 12) -> list[str]:
    client = server.client
    answers = [client.get(f"/v1/members/{('ana', 'kim')[n % 2]}/homepage?device=tv") for n in range(pages)]
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers:
        answer.close()  # as a server does once the answer is out
    return [answer.json["bundle"] for answer in answers]


def judged(server: Any, tmp_path: Path) -> ShadowDay:
    server.service.shadow.work_off()
    (day,) = report(read_records(tmp_path / "shadow"), LENIENT)
    return day


def outcomes(server: Any) -> dict[str, float]:
    """What became of a server's pages so far."""
    lines = server.service.metrics.exposition().decode().splitlines()
    found = [line.split() for line in lines if line.startswith("marquee_shadow_pages_total{")]
    return {name.split('"')[1]: float(count) for name, count in found}


def with_ranker(contents: BundleContents, ranker: bytes) -> BundleContents:
    return replace(contents, ranker=ranker)


def test_an_equal_challenger_agrees_in_everything(
    shadowed: Any, contents: BundleContents, tmp_path: Path
) -> None:
    # Who warm-starts whom changes no page, but it makes another bundle.
    extra = replace(
        contents, user_ids=np.append(contents.user_ids, "zoe"),
        user_factors=np.concatenate([contents.user_factors, contents.user_factors[:1]]),
    )  # fmt: skip
    version = challenge(shadowed, extra)
    champion = shadowed.service.state.models.version
    assert set(visits(shadowed)) == {champion}
    day = judged(shadowed, tmp_path)
    assert (day.champion, day.challenger, day.pages) == (champion, version, 12)
    assert (day.overlap, day.correlation, day.score_shift) == (1.0, 1.0, 0.0)
    assert (day.verdict, day.reasons) == ("sound", [])
    assert outcomes(shadowed) == {"compared": 12}


def test_a_ranker_of_permuted_columns_is_caught(
    shadowed: Any, contents: BundleContents, tmp_path: Path, skewed_ranker: bytes
) -> None:
    challenge(shadowed, with_ranker(contents, skewed_ranker))
    assert set(visits(shadowed)) == {shadowed.service.state.models.version}  # no member sees it
    day = judged(shadowed, tmp_path)
    assert day.verdict == "caught"
    assert any("rank correlation" in reason or "score shift" in reason for reason in day.reasons)


def test_vectors_of_another_scale_are_caught(
    unstarted: Any, contents: BundleContents, tmp_path: Path, dot_ranker: bytes
) -> None:
    server = unstarted.another(pages=EVERY_PAGE, shadow_folder=tmp_path / "shadow")
    server.publish(with_ranker(contents, dot_ranker))
    server.service.start(watch=False)
    scaled = with_ranker(contents, dot_ranker)
    challenge(
        server,
        replace(scaled, title_factors=scaled.title_factors * 3, user_factors=scaled.user_factors * 3),
    )
    visits(server)
    day = judged(server, tmp_path)
    server.service.stop()
    assert day.verdict == "caught"
    assert any(reason.startswith("score shift") for reason in day.reasons)


def test_a_challenger_that_cannot_make_pages_is_caught(
    shadowed: Any,
    contents_of: ContentsOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    challenge(shadowed, contents_of(2))

    def broken(_: str) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(shadowed.service.keeper, "state_of", broken)
    visits(shadowed)
    day = judged(shadowed, tmp_path)
    assert (day.failed, day.verdict, day.overlap) == (1.0, "caught", None)
    assert day.reasons == ["failed pages 1, at most 0.01"]
    assert outcomes(shadowed) == {"failed": 12}


def test_a_degraded_challenger_is_caught(shadowed: Any, contents_of: ContentsOf, tmp_path: Path) -> None:
    version = challenge(shadowed, contents_of(2))
    models = shadowed.service.keeper.state_of(version).models
    object.__setattr__(models, "als_index", None)
    visits(shadowed)
    day = judged(shadowed, tmp_path)
    assert (day.degraded, day.champion_degraded, day.verdict) == (1.0, 0.0, "caught")


def test_a_challenger_that_must_not_serve_is_refused_and_not_held(
    shadowed: Any, contents_of: ContentsOf
) -> None:
    contents = contents_of(2)
    version = challenge(
        shadowed, replace(contents, tower_title_vectors=contents.tower_title_vectors * np.float32(2))
    )
    assert shadowed.service.shadow.challenger is None
    refused = {one.version: one.refused for one in shadowed.service.bundle_desk.list().bundles}[version]
    assert refused.kind == "norms"
    visits(shadowed, 2)
    assert outcomes(shadowed) == {}


def test_the_queue_is_bounded_and_what_is_shed_is_counted(
    unstarted: Any, contents: BundleContents, contents_of: ContentsOf, tmp_path: Path
) -> None:
    shadow = EVERY_PAGE.shadow.model_copy(update={"queue_pages": 3})
    server = unstarted.another(
        pages=EVERY_PAGE.model_copy(update={"shadow": shadow}), shadow_folder=tmp_path / "shadow"
    )
    server.publish(contents)
    server.service.start(watch=False)
    challenge(server, contents_of(2))
    visits(server, 8)
    assert server.service.shadow.waiting == 3
    assert outcomes(server) == {"shed_queue_full": 5}
    assert server.service.shadow.work_off() == 3
    assert server.service.shadow.waiting == 0
    server.service.stop()


def test_a_busy_server_makes_no_page_twice(
    unstarted: Any, contents: BundleContents, contents_of: ContentsOf, tmp_path: Path
) -> None:
    shadow = ShadowSettings(share=1.0, request_budget_ms=1e-6)
    server = unstarted.another(pages=ServingSettings(shadow=shadow), shadow_folder=tmp_path / "shadow")
    server.publish(contents)
    server.service.start(watch=False)
    challenge(server, contents_of(2))
    visits(server, 4)
    assert (server.service.shadow.waiting, outcomes(server)) == (0, {"shed_server_busy": 4})
    server.service.stop()


def test_the_challengers_work_is_done_in_a_thread_of_its_own(
    shadowed: Any, contents_of: ContentsOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenge(shadowed, contents_of(2))
    shadow, threads, done = shadowed.service.shadow, set(), threading.Event()
    compare = shadow._compare

    def noted(made: Any) -> None:
        compare(made)
        threads.add(threading.current_thread().name)
        done.set()

    monkeypatch.setattr(shadow, "_compare", noted)
    visits(shadowed, 2)
    assert threads == set()
    shadow.start()
    assert done.wait(60)
    assert threads == {"shadow"}


def test_previews_are_not_compared(shadowed: Any, contents_of: ContentsOf) -> None:
    challenge(shadowed, contents_of(2))
    assert shadowed.client.get("/v1/members/ana/homepage?at=2026-03-01T20:00:00Z").status_code == 200
    assert shadowed.service.shadow.waiting == 0


def test_a_challenger_that_becomes_champion_is_let_go(shadowed: Any, contents_of: ContentsOf) -> None:
    version = challenge(shadowed, contents_of(2))
    assert shadowed.service.keeper.state_of(version).models.version == version
    BundleAliases(shadowed.bundles).set("champion", version)
    shadowed.service.keeper.check()
    shadowed.service.shadow.look()
    assert shadowed.service.shadow.challenger is None
    with pytest.raises(LookupError, match="not held"):
        shadowed.service.keeper.state_of(version)


def test_a_bundle_that_an_experiment_wants_too_stays_held(shadowed: Any, contents_of: ContentsOf) -> None:
    version = challenge(shadowed, contents_of(2))
    keeper = shadowed.service.keeper
    keeper.hold(version)
    keeper.release((), "shadow")
    assert keeper.state_of(version).models.version == version
    keeper.release(())
    with pytest.raises(LookupError, match="not held"):
        keeper.state_of(version)


def test_about_a_share_of_the_pages_is_drawn_always_the_same() -> None:
    ids = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(10_000)]
    first = [drawn(one, 0.05) for one in ids]
    assert first == [drawn(one, 0.05) for one in ids]
    assert 400 < sum(first) < 600  # 500 ± 5 standard deviations of 22
    assert not any(drawn(one, 0.0) for one in ids)
    assert all(drawn(one, 1.0) for one in ids)


@pytest.fixture
def skewed_ranker(contents: BundleContents) -> bytes:
    """The champion's trees, each reading another column than it was trained on."""
    booster = xgboost.Booster()
    booster.load_model(bytearray(contents.ranker))
    model = json.loads(booster.save_raw("json"))
    for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
        tree["split_indices"] = [(7 * i + 3) % len(RANKING_FEATURES) for i in tree["split_indices"]]
    booster.load_model(bytearray(json.dumps(model).encode()))
    return bytes(booster.save_raw("ubj"))


@pytest.fixture
def dot_ranker() -> bytes:
    """A ranker that goes by the inner product of the member's and the title's vectors."""
    generator = np.random.default_rng(0)
    matrix = generator.random((400, len(RANKING_FEATURES)), dtype=np.float32)
    column = RANKING_FEATURES.index("als_score")
    matrix[:, column] = generator.normal(0, 12, 400)
    data = xgboost.DMatrix(matrix, matrix[:, column])
    parameters = {"max_depth": 4, "nthread": 1, "eta": 1.0, "objective": "reg:squarederror"}
    return bytes(xgboost.train(parameters, data, num_boost_round=3).save_raw("ubj"))
