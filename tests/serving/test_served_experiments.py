from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from experiments.assignment import bucket
from experiments.definitions import Status
from feature_repo.page.rules import PageRules
from serving.app import create_app
from serving.members import read_member
from serving.served_experiments import ServedExperiments, UnknownArmError, served_arm, traits_of
from serving.settings import ServingSettings
from training.bundle import BundleAliases, BundleContents

Page = dict[str, Any]
PageOf = Callable[..., Page]
Bound = Callable[[Any], Any]
ExperimentOf = Callable[..., Any]
AT = "2026-03-01T20:00:00Z"
TOKEN = {"Authorization": "Bearer secret"}
MEMBERS = [f"member-{number}" for number in range(60)]


def sources(page: Page) -> set[str]:
    return {source for row in page["rows"] for tile in row["tiles"] for source in tile["sources"]}


def length_of(page: Page, row_type: str) -> int:
    return sum(len(row["tiles"]) for row in page["rows"] if row["row_type"] == row_type)


def arms(small: Any, user_ids: list[str] = MEMBERS) -> dict[str, Any]:
    client = small.client
    return {u: client.get(f"/v1/members/{u}/homepage").get_json()["experiments"] for u in user_ids}


def test_without_experiments_a_page_bears_no_arms(lab: Any, page_of: PageOf) -> None:
    page = page_of("ana")
    assert (page["experiments"], page["ui_variant"], page["degraded"]) == ({}, None, [])


def test_an_arm_of_the_candidate_layer_switches_a_generator_off(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf
) -> None:
    assert {"als", "two_tower"} <= sources(page_of("ana"))
    lab.run(experiment_of("candidate", generators={"als": {"enabled": False}}))
    page = page_of("ana")
    assert page["experiments"] == {"candidate": "test/treatment"}
    assert "als" not in sources(page)
    assert "two_tower" in sources(page)


def test_an_arm_of_the_candidate_layer_limits_a_generator(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf
) -> None:
    assert length_of(page_of("ana"), "new_releases") == 10
    lab.run(experiment_of("candidate", generators={"new_titles": {"limit": 3}}))
    assert length_of(page_of("ana"), "new_releases") == 0  # a row has four titles or none


def test_an_arm_of_the_ranker_layer_makes_the_page_a_server_of_that_bundle_makes(
    lab: Any, experiment_of: ExperimentOf, contents_of: Callable[[int], BundleContents]
) -> None:
    before = lab.client.get("/v1/members/ana/homepage").get_json()
    version = lab.publish(contents_of(2), champion=False)
    lab.run(experiment_of("ranker", bundle=version))
    under_the_arm = {u: lab.client.get(f"/v1/members/{u}/homepage").get_json() for u in ("ana", "kim", "eve")}
    lab.store.change_status("test", Status.ROLLED_BACK, lab.time[0])
    BundleAliases(lab.bundles).set("champion", version)
    other = lab.another()
    other.service.start(watch=False)
    other.client.get("/v1/members/ana/homepage")  # its first page, so that ids are even
    for user_id, page in under_the_arm.items():
        as_champion = other.client.get(f"/v1/members/{user_id}/homepage").get_json()
        assert as_champion["experiments"] == {}
        assert page.pop("experiments") == {"ranker": "test/treatment"}
        assert page == {key: value for key, value in as_champion.items() if key != "experiments"}
    assert under_the_arm["ana"]["bundle"] == version != before["bundle"]
    assert under_the_arm["ana"]["rows"] != before["rows"]
    other.service.stop()


def test_an_arm_of_the_post_filter_layer_changes_the_rules_of_the_page(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf
) -> None:
    assert length_of(page_of("ana"), "top_picks") <= 12
    lab.run(experiment_of("post_filter", page={"top_picks": 20, "trending_now": 0}))
    page = page_of("ana")
    assert 12 < length_of(page, "top_picks") <= 20
    assert length_of(page, "trending_now") == 0


def test_an_arm_of_the_ui_layer_goes_out_with_the_same_page(
    lab: Any, page_of: PageOf, bound: Bound, experiment_of: ExperimentOf
) -> None:
    before = page_of("ana")
    lab.run(experiment_of("ui", variant="large-tiles"))
    page = page_of("ana")
    assert page["ui_variant"] == "large-tiles"
    assert bound(page["rows"]) == bound(before["rows"])


@pytest.mark.parametrize(
    ("layer", "treatment"),
    [
        ("candidate", {"generators": {"als": {"enabled": False}}}),
        ("post_filter", {"page": {"top_picks": 20}}),
        ("ui", {"variant": "large-tiles"}),
    ],
)
def test_control_is_the_page_that_there_was_before(
    lab: Any, page_of: PageOf, bound: Bound, experiment_of: ExperimentOf, layer: str, treatment: Any
) -> None:
    before = page_of("ana")
    lab.run(experiment_of(layer, treated=1, **treatment))
    page = page_of("ana")
    assert page["experiments"] == {layer: "test/control"}
    assert bound(page["rows"]) == bound(before["rows"])
    assert (page["bundle"], page["ui_variant"]) == (before["bundle"], None)


def test_layers_change_a_page_side_by_side(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf, contents_of: Callable[[int], BundleContents]
) -> None:
    version = lab.publish(contents_of(2), champion=False)
    lab.run(experiment_of("candidate", "mix", generators={"als": {"enabled": False}}))
    lab.run(experiment_of("ranker", "model", bundle=version))
    lab.run(experiment_of("post_filter", "rows", page={"top_picks": 20}))
    lab.run(experiment_of("ui", "tiles", variant="large"))
    page = page_of("ana")
    assert page["experiments"] == {
        "candidate": "mix/treatment", "ranker": "model/treatment", "post_filter": "rows/treatment",
        "ui": "tiles/treatment",
    }  # fmt: skip
    assert "als" not in sources(page)
    assert (page["bundle"], page["ui_variant"]) == (version, "large")
    assert length_of(page, "top_picks") > 12
    assert page["degraded"] == []


def test_a_member_keeps_their_arm_over_requests_servers_and_restarts(
    lab: Any, experiment_of: ExperimentOf
) -> None:
    lab.run(experiment_of("ui", treated=500, variant="large"))
    first = arms(lab)
    assert {arm["ui"] for arm in first.values()} == {"test/control", "test/treatment"}
    assert arms(lab) == first
    other = lab.another()
    other.service.start(watch=False)
    assert arms(other) == first
    other.service.stop()


def test_members_held_out_see_no_experiment(small: Any, experiment_of: ExperimentOf) -> None:
    small.store.set_holdout(100)
    small.run(experiment_of("ui", variant="large"))
    members = [f"member-{number}" for number in range(100)]
    held_out = {user_id for user_id in members if bucket(user_id, "holdout") < 100}
    assert 0 < len(held_out) < 100
    assert {user_id for user_id, found in arms(small, members).items() if not found} == held_out
    assert page_explained(small, held_out.pop())["held_out"] is True


def page_explained(small: Any, user_id: str) -> Any:
    client = create_app(small.service, "secret").test_client()
    path = f"/v1/members/{user_id}/homepage?explain=1"
    return client.get(path, headers=TOKEN).get_json()["explanation"]


def test_an_explanation_tells_what_the_arms_change(lab: Any, experiment_of: ExperimentOf) -> None:
    lab.run(experiment_of("post_filter", page={"top_picks": 20}))
    explanation = page_explained(lab, "ana")
    assert explanation["held_out"] is False
    assert explanation["arms"] == [
        {
            "layer": "post_filter", "experiment": "test", "arm": "treatment",
            "treatment": {"page": {"top_picks": 20}},
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("eligibility", "query", "admitted"),
    [
        ({"countries": ["KR"]}, {}, {"ana", "eve"}),
        ({"countries": ["KR"]}, {"country": "FR"}, {"ana", "eve"}),  # the profile's, wherever they are
        ({"languages": ["ko"]}, {}, {"ana", "eve"}),
        ({"watched_at_least": 2}, {}, {"ana"}),
        ({"watched_at_most": 1}, {}, {"kim", "eve"}),
        ({"devices": ["tv"]}, {"device": "tv"}, {"ana", "kim", "eve"}),
        ({"devices": ["tv"]}, {"device": "web"}, set()),
        ({"devices": ["tv"]}, {}, set()),
    ],
)
def test_only_eligible_members_are_in(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf, eligibility: Any, query: Any, admitted: set[str]
) -> None:
    lab.run(experiment_of("ui", variant="large", eligibility=eligibility))
    assert {user for user in ("ana", "kim", "eve") if page_of(user, **query)["experiments"]} == admitted


@pytest.mark.parametrize(
    ("eligibility", "admitted"),
    [
        ({}, True),
        ({"devices": ["tv"]}, True),
        ({"devices": ["web"]}, False),
        ({"countries": ["KR"]}, False),
        ({"watched_at_most": 5}, False),  # unknown is not none
    ],
)
def test_without_the_feature_store_only_experiments_that_ask_nothing_of_it_have_members(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf, eligibility: Any, admitted: bool
) -> None:
    lab.run(experiment_of("ui", variant="large", eligibility=eligibility))
    lab.features.error = ConnectionError("away")
    page = page_of("ana", device="tv")
    assert page["degraded"] == ["features"]
    assert bool(page["experiments"]) is admitted


def test_without_the_feature_store_a_page_still_comes_from_the_bundle_of_its_arm(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf, contents_of: Callable[[int], BundleContents]
) -> None:
    version = lab.publish(contents_of(2), champion=False)
    lab.run(experiment_of("ranker", bundle=version))
    lab.features.error = ConnectionError("away")
    page = page_of("ana")
    assert (page["bundle"], page["degraded"]) == (version, ["features"])
    assert sum(len(row["tiles"]) for row in page["rows"]) >= 40


def test_a_bundle_that_is_held_no_more_leaves_control_and_says_so(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf, contents_of: Callable[[int], BundleContents]
) -> None:
    before = page_of("ana")["bundle"]
    lab.run(experiment_of("ranker", bundle=lab.publish(contents_of(2), champion=False)))
    lab.service.keeper.release(())
    page = page_of("ana")
    assert (page["bundle"], page["experiments"], page["degraded"]) == (before, {}, ["arms"])


def test_a_preview_is_dealt_as_the_page_would_be(
    lab: Any, page_of: PageOf, experiment_of: ExperimentOf
) -> None:
    lab.run(experiment_of("ui", treated=500, variant="large"))
    assert all(page_of(user, at=AT)["experiments"] == arm for user, arm in arms(lab, MEMBERS[:20]).items())


def forced(small: Any, named: str, **query: str) -> Any:
    client = create_app(small.service, "secret").test_client()
    query = {"arms": named, **query}
    return client.get("/v1/members/ana/homepage", query_string=query, headers=TOKEN)


def test_an_operator_sees_the_page_under_any_running_arm(lab: Any, experiment_of: ExperimentOf) -> None:
    lab.run(experiment_of("ui", "tiles", treated=1, variant="large"))
    lab.run(experiment_of("post_filter", "rows", treated=1, page={"top_picks": 20}))
    page = forced(lab, "ui:tiles/treatment", at=AT).get_json()
    assert page["experiments"] == {"ui": "tiles/treatment", "post_filter": "rows/control"}
    assert page["ui_variant"] == "large"
    both = forced(lab, "ui:tiles/treatment, post_filter:rows/treatment").get_json()
    assert both["experiments"] == {"ui": "tiles/treatment", "post_filter": "rows/treatment"}
    assert length_of(both, "top_picks") > 12


def test_only_operators_may_choose_arms(lab: Any, experiment_of: ExperimentOf) -> None:
    lab.run(experiment_of("ui", variant="large"))
    path = "/v1/members/ana/homepage?arms=ui:test/control"
    assert lab.client.get(path).status_code == 403
    guarded = create_app(lab.service, "secret").test_client()
    assert guarded.get(path).status_code == 401
    assert guarded.get(path, headers=TOKEN).get_json()["experiments"] == {"ui": "test/control"}


@pytest.mark.parametrize(
    ("named", "value", "remedy"),
    [
        ("ui:test/gone", "ui:test/gone", "use some of ui:test/control, ui:test/treatment"),
        ("ranker:test/control", "ranker:test/control", "use some of ui:test/control"),
        ("nonsense", "nonsense", "use some of"),
        ("", "", "use some of"),
        ("ui:test/control,ui:test/treatment", "ui:test/treatment", "one arm of the layer ui"),
    ],
)
def test_an_arm_that_cannot_be_shown_is_a_bad_parameter(
    lab: Any, experiment_of: ExperimentOf, named: str, value: str, remedy: str
) -> None:
    lab.run(experiment_of("ui", variant="large"))
    answer = forced(lab, named)
    assert answer.status_code == 400
    (error,) = answer.get_json(force=True)["errors"]
    assert (error["field"], error["value"]) == ("arms", value)
    assert remedy in error["remedy"]


def counted(small: Any, series: str) -> float:
    lines = [line for line in small.client.get("/metrics").text.splitlines() if line.startswith(series)]
    return float(lines[0].rsplit(" ", 1)[1]) if lines else 0.0


def test_pages_are_counted_by_arm_and_previews_are_not(lab: Any, experiment_of: ExperimentOf) -> None:
    lab.run(experiment_of("ui", variant="large"))
    series = 'marquee_experiment_pages_total{arm="treatment",experiment="test"}'
    for path in ("ana/homepage", f"ana/homepage?at={AT}", "kim/homepage"):
        lab.client.get(f"/v1/members/{path}").close()
    forced(lab, "ui:test/treatment").close()
    assert counted(lab, series) == 2


def test_pages_of_members_held_out_are_counted(small: Any) -> None:
    small.store.set_holdout(100)
    small.look()
    members = [f"member-{number}" for number in range(30)]
    before = counted(small, "marquee_held_out_pages_total")
    for user_id in members:
        small.client.get(f"/v1/members/{user_id}/homepage").close()
    held_out = sum(bucket(user_id, "holdout") < 100 for user_id in members)
    assert counted(small, "marquee_held_out_pages_total") - before == held_out > 0


def test_traits_are_those_of_the_profile_and_the_page(small: Any) -> None:
    ana = traits_of(read_member(small.features, "ana", small.time[0]), "tv")
    assert (ana.country, ana.language, ana.device, ana.watch_count) == ("KR", "ko", "tv", 3)
    nobody = traits_of(read_member(small.features, "nobody", small.time[0]), "")
    assert (nobody.country, nobody.language, nobody.device, nobody.watch_count) == ("", "", "", 0)


def test_a_treatment_changes_the_servers_own_settings(experiment_of: ExperimentOf) -> None:
    settings = ServingSettings.model_validate(
        {"generators": {"als": {"limit": 7}, "trending": {"enabled": False, "limit": 9}},
         "page": {"top_picks": 6, "genre": 5}}
    )  # fmt: skip
    treatment = experiment_of("post_filter", page={"genre": 8}).arms[1].treatment
    assert served_arm(treatment, settings, None).rules == PageRules(top_picks=6, genre=8)
    treatment = experiment_of("candidate", generators={"als": {"enabled": False}}).arms[1].treatment
    stages = served_arm(treatment, settings, None).generators
    assert stages is not None
    assert len(stages) == 8


def test_a_treatment_that_contradicts_the_servers_rules_is_refused(experiment_of: ExperimentOf) -> None:
    settings = ServingSettings(page=PageRules(most_tiles=45))
    treatment = experiment_of("post_filter", page={"fewest_tiles": 60}).arms[1].treatment
    with pytest.raises(ValueError, match="fewest_tiles = 60 is above most_tiles = 45"):
        served_arm(treatment, settings, None)


def test_a_treatment_that_leaves_no_generator_is_refused(experiment_of: ExperimentOf) -> None:
    others = ("two_tower", "similar", "trending", "trending_in_country", "popularity", "new_titles")
    off = {name: {"enabled": False, "limit": 5} for name in (*others, "continue_watching")}
    settings = ServingSettings.model_validate({"generators": off})
    treatment = experiment_of("candidate", generators={"als": {"enabled": False}}).arms[1].treatment
    with pytest.raises(ValueError, match="generators: none is left enabled"):
        served_arm(treatment, settings, None)


def test_where_nothing_runs_no_arm_can_be_named() -> None:
    with pytest.raises(UnknownArmError, match="no experiment runs"):
        ServedExperiments.none(ServingSettings()).named(["ui:a/b"])
