from __future__ import annotations

from dataclasses import replace

import numpy as np

from feature_repo.transforms import candidate_mix as mix
from tests.training.conftest import history
from training.candidates import Generators, GeneratorScorer, MixScorer

ANN, BOB, CYD = 0, 1, 2


def proposed(generators: Generators, user: int, name: str) -> list[list[int]]:
    eligible = generators.cases.eligible(np.array([user]))[0]
    return [rows.tolist() for source, rows in generators.answers(user, eligible, name) if source == name]


def test_als_proposes_by_inner_product_and_by_stand_ins_where_there_is_no_factor(
    generators: Generators,
) -> None:
    # Ann's vector is [1, 0]: t3 counts 5 + 2 * 0, t1 4, t4 5 - 2, t2 1, t5 0; t0 is seen.
    assert proposed(generators, ANN, mix.ALS) == [[3, 1, 4, 2, 5]]
    assert proposed(generators, CYD, mix.ALS) == []


def test_two_tower_proposes_by_cosine_to_whoever_has_a_history(generators: Generators) -> None:
    assert proposed(generators, ANN, mix.TWO_TOWER) == [[2, 1, 3, 4, 5]]
    assert proposed(generators, CYD, mix.TWO_TOWER) == []


def test_similar_titles_are_those_of_the_same_viewers(generators: Generators) -> None:
    # t0 points along [1, 0]; t1 has cosine 0.8, t2 1/sqrt(82), t5 0; t3 and t4 have no factor.
    assert proposed(generators, ANN, mix.SIMILAR) == [[1, 2, 5]]


def test_a_title_that_was_left_is_no_seed(generators: Generators) -> None:
    # Bob's only seed is t5, along [0, 1]: t2 has 9/sqrt(82), t0 0; t1 is seen.
    assert proposed(generators, BOB, mix.SIMILAR) == [[2, 0]]


def test_a_seed_that_nobody_watched_finds_what_is_about_the_same(generators: Generators) -> None:
    rows, mask = history((3, 1.0))
    members = replace(generators.members, history=np.tile(rows, (3, 1)), mask=np.tile(mask, (3, 1)))
    # t3 is [0, 1]: t2 0.8, t1 0.6, t4 0, t5 -1; t0 is seen and t3 itself is no answer.
    assert proposed(replace(generators, members=members), ANN, mix.SIMILAR) == [[2, 1, 4, 5]]


def test_two_latest_seeds_answer_one_by_one(generators: Generators) -> None:
    rows, mask = history((2, 1.0), (5, 1.0), (0, 1.0))
    members = replace(generators.members, history=np.tile(rows, (3, 1)), mask=np.tile(mask, (3, 1)))
    first, second = proposed(replace(generators, members=members), CYD, mix.SIMILAR)
    assert (first[0], second[0]) == (5, 2)


def test_trending_is_what_was_played_everywhere_or_in_the_country(generators: Generators) -> None:
    assert proposed(generators, CYD, mix.TRENDING) == [[1, 5, 3]]
    assert proposed(generators, ANN, mix.TRENDING_IN_COUNTRY) == [[4]]
    assert proposed(generators, BOB, mix.TRENDING_IN_COUNTRY) == []
    assert proposed(generators, CYD, mix.TRENDING_IN_COUNTRY) == []


def test_popularity_is_that_of_the_narrowest_segment(generators: Generators) -> None:
    assert proposed(generators, ANN, mix.POPULARITY) == [[5, 4, 3, 2, 1]]
    assert proposed(generators, BOB, mix.POPULARITY)[0][:2] == [4, 3]
    assert proposed(generators, CYD, mix.POPULARITY) == [[0, 1, 2, 3, 5, 4]]


def test_new_titles_came_within_a_year_and_the_newest_comes_first(generators: Generators) -> None:
    # Ages in days: t4 1, t1 10, t5 300, t3 364, t2 366, t0 400.
    assert proposed(generators, CYD, mix.NEW_TITLES) == [[4, 1, 5, 3]]


def test_nobody_is_proposed_what_they_may_not_be_shown_nor_more_than_the_limit(
    generators: Generators,
) -> None:
    few = replace(generators, limits=dict.fromkeys(mix.LIMITS, 2))
    eligible = np.array([False, True, False, True, True, True])
    for user in (ANN, BOB, CYD):
        for name, rows in few.answers(user, eligible):
            assert len(rows) <= 2, name
            assert eligible[rows].all(), name


def test_the_mix_merges_all_answers_by_their_hit_rates(generators: Generators) -> None:
    rates = {mix.NEW_TITLES: np.array([0.9, 0.1, 0.1, 0.1], np.float32)}
    known = replace(generators, hit_rates=rates)
    merged = known.merged(CYD, np.ones(6, dtype=bool))
    assert merged.rows[0] == 4
    assert merged.sources[4] == (mix.POPULARITY, mix.NEW_TITLES)
    scores = MixScorer(known).scores(np.array([ANN, CYD]))
    assert scores.shape == (2, 6)
    assert scores[1].argmax() == 4
    assert np.isneginf(scores[0, 0]), "Ann has seen t0"


def test_a_generator_alone_scores_by_rank_and_takes_the_better_of_two_answers(
    generators: Generators,
) -> None:
    scores = GeneratorScorer(generators, mix.NEW_TITLES).scores(np.array([CYD, BOB]))
    assert scores[0].tolist() == [-np.inf, -1, -np.inf, -3, 0, -2]
    assert scores[1].tolist() == [-np.inf, -np.inf, -np.inf, -1, 0, -np.inf]
    rows, mask = history((2, 1.0), (5, 1.0))
    members = replace(generators.members, history=np.tile(rows, (3, 1)), mask=np.tile(mask, (3, 1)))
    both = GeneratorScorer(replace(generators, members=members), mix.SIMILAR).scores(np.array([CYD]))[0]
    assert both[5] == both[2] == 0
