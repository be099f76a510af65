from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest
from feast import FeatureService

from feature_repo import definitions, schema as s, services
from feature_repo.settings import REPOSITORY_ROOT
from feature_repo.transforms.ranking import CONTEXT_INPUTS, MEMBER_INPUTS, RANKING_FEATURES, TITLE_INPUTS

MEMBER_TABLES = (
    s.USER_SNAPSHOT, s.USER_SESSION, s.USER_PROFILE, s.USER_PICKS, s.USER_HISTORY, s.USER_HIDDEN,
    s.USER_ALS_EMBEDDING,
)  # fmt: skip
TITLE_TABLES = (s.TITLE_METADATA, s.TITLE_STATISTICS, s.TITLE_ALS_EMBEDDING)


def features_of(service: FeatureService) -> list[str]:
    return [
        feature.name for projection in service.feature_view_projections for feature in projection.features
    ]


def without_keys(tables: Iterable[s.Table]) -> set[str]:
    """The columns Feast may answer: no key, no timestamp."""
    outside = {s.EVENT_TIMESTAMP, s.CREATED_TIMESTAMP}
    return {c.name for t in tables for c in t.columns if c.name not in outside | set(t.keys)}


@pytest.mark.parametrize(
    ("service", "inputs"),
    [(services.ranker_members, MEMBER_INPUTS), (services.ranker_titles, TITLE_INPUTS)],
    ids=["members", "titles"],
)
def test_a_ranker_service_holds_exactly_the_rankers_inputs(
    service: FeatureService, inputs: tuple[str, ...]
) -> None:
    assert sorted(features_of(service)) == sorted(inputs)


def test_both_ranker_services_and_the_request_leave_no_input_out() -> None:
    known = features_of(services.ranker_members) + features_of(services.ranker_titles)
    assert set(MEMBER_INPUTS + TITLE_INPUTS) == set(known)
    assert not set(CONTEXT_INPUTS) & set(known)


def test_the_ranker_service_answers_the_rankers_columns_in_their_order() -> None:
    assert tuple(features_of(services.ranker)) == RANKING_FEATURES


@pytest.mark.parametrize(
    ("service", "inputs"),
    [(services.homepage_member, MEMBER_INPUTS), (services.homepage_titles, TITLE_INPUTS)],
    ids=["member", "titles"],
)
def test_a_page_can_rank_from_what_it_reads(service: FeatureService, inputs: tuple[str, ...]) -> None:
    assert set(inputs) <= set(features_of(service))


@pytest.mark.parametrize(
    ("service", "tables"),
    [(services.homepage_member, MEMBER_TABLES), (services.homepage_titles, TITLE_TABLES)],
    ids=["member", "titles"],
)
def test_a_page_service_brings_no_column_name_twice(
    service: FeatureService, tables: tuple[s.Table, ...]
) -> None:
    """Online answers are told apart by column name alone, so a name must not come twice."""
    names = features_of(service)
    assert len(set(names)) == len(names)
    assert set(names) <= without_keys(tables)


@pytest.mark.parametrize(
    ("service", "tables", "argument"),
    [
        (services.homepage_member, MEMBER_TABLES, "features"),
        (services.homepage_titles, TITLE_TABLES, "columns"),
    ],
    ids=["member", "titles"],
)
def test_the_page_reads_no_column_that_its_service_does_not_bring(
    service: FeatureService, tables: tuple[s.Table, ...], argument: str
) -> None:
    """Every ``features[schema.X]`` or ``columns[schema.X]`` of the serving code, by its syntax tree."""
    read = {
        getattr(s, name)
        for path in sorted((REPOSITORY_ROOT / "serving").rglob("*.py"))
        for name in columns_read(path, argument)
    }
    assert read
    assert read & without_keys(tables) <= set(features_of(service))


def columns_read(path: Path, argument: str) -> set[str]:
    """The constants X in ``argument[s.X]`` and ``….argument[s.X]`` of one file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Attribute):
            continue
        owner = node.value
        name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", None)
        if name == argument and isinstance(node.slice.value, ast.Name) and node.slice.value.id == "s":
            found.add(node.slice.attr)
    return found


def test_als_trains_on_interactions_and_neighbours_come_from_content() -> None:
    assert set(features_of(services.als)) == without_keys([s.INTERACTIONS])
    assert set(features_of(services.title_similarity)) == {s.CAST_VECTOR, s.SYNOPSIS_EMBEDDING}


def test_the_towers_read_the_history_of_a_member_and_the_content_of_a_title() -> None:
    assert features_of(services.two_tower_members) == [
        s.RECENT_TITLE_IDS, s.RECENT_WATCH_FRACTIONS, s.SESSION_TITLE_IDS, s.SESSION_WATCH_FRACTIONS,
    ]  # fmt: skip
    assert set(features_of(services.taste_members)) == {
        *features_of(services.two_tower_members),
        s.FIRST_WATCHED_AT, s.SESSION_WATCHED_AT, s.SELECTED_TITLE_IDS,
    }  # fmt: skip
    assert set(features_of(services.two_tower_titles)) == {
        s.GENRE_VECTOR, s.ORIGINAL_LANGUAGE, s.RELEASE_YEAR, s.CAST_VECTOR, s.SYNOPSIS_EMBEDDING,
    }  # fmt: skip


def test_every_service_is_registered_under_a_name_of_its_own_and_described() -> None:
    declared = [service for service in vars(services).values() if isinstance(service, FeatureService)]
    assert {service.name for service in declared} == {service.name for service in definitions.SERVICES}
    assert len({service.name for service in declared}) == len(declared)
    assert all(service.description for service in declared)
