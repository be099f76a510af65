from __future__ import annotations

import numpy as np
import pytest

from feature_repo import schema as s
from feature_repo.simulation.vocabulary import ADJECTIVES, GENRE_WORDS, PART_NAMES, SCENE_WORDS
from feature_repo.simulation.writing import write_casts, write_names, write_synopses

COMEDY, WESTERN, HORROR = (s.GENRES.index(genre) for genre in ("Comedy", "Western", "Horror"))
ALONE = -1


def genres(*rows: tuple[int, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Rows of one to three genre codes, filled up with -1."""
    return np.array([(*row, -1, -1)[:3] for row in rows])


def rng() -> np.random.Generator:
    return np.random.default_rng(21)


def names_of(franchises: list[int], leaders: list[int]) -> list[str]:
    count = len(franchises)
    return write_names(genres(*[(COMEDY,)] * count), np.array(franchises), np.array(leaders), rng())


def test_a_name_is_an_adjective_and_a_word_of_the_first_genre() -> None:
    count = 50
    names = write_names(genres(*[(WESTERN, COMEDY)] * count), np.full(count, ALONE), np.arange(count), rng())
    for name in names:
        article, adjective, noun = name.split()
        assert article == "The"
        assert adjective in ADJECTIVES
        assert noun.lower() in GENRE_WORDS["Western"].split()


def test_the_parts_of_a_franchise_take_their_leaders_name_and_a_part_of_their_own() -> None:
    """Title 2 leads titles 0 and 4; titles 1 and 3 stand alone."""
    names = names_of([7, ALONE, 7, ALONE, 7], [2, 1, 2, 3, 2])
    stem = names[2]
    assert ":" not in stem
    assert ":" not in names[1] + names[3]
    for name in (names[0], names[4]):
        assert name.startswith(f"{stem}: ")
        assert name.removeprefix(f"{stem}: ") in PART_NAMES


def test_no_two_parts_of_a_franchise_have_the_same_name() -> None:
    count = len(PART_NAMES) + 1
    names = names_of([0] * count, [0] * count)
    assert len(set(names)) == count


def test_franchises_do_not_all_begin_with_the_same_part() -> None:
    names = names_of([0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [0, 0, 2, 2, 4, 4, 6, 6, 8, 8])
    assert len({name.split(": ")[1] for name in names[1::2]}) > 1


def test_a_cast_has_distinct_people_at_most_six() -> None:
    casts = write_casts(genres(*[(COMEDY,)] * 200), np.zeros(200, dtype=np.int64), rng())
    assert all(0 < len(cast) <= 6 and len(set(cast)) == len(cast) for cast in casts)


def test_people_belong_to_one_scene_or_one_genre() -> None:
    """Another scene and another first genre: nobody in common."""
    count = 300
    here = write_casts(genres(*[(COMEDY,)] * count), np.full(count, 0), rng())
    there = write_casts(genres(*[(HORROR,)] * count), np.full(count, 1), rng())
    people_here, people_there = ({person for cast in side for person in cast} for side in (here, there))
    assert not people_here & people_there
    assert 60 < len(people_here) <= 120  # two pools of 60


def test_seven_of_ten_people_come_from_the_scene() -> None:
    count = 400
    scenes = np.full(count, 3)
    of_scene = {p for c in write_casts(genres(*[(HORROR,)] * count), scenes, rng()) for p in c} & {
        p for c in write_casts(genres(*[(COMEDY,)] * count), scenes, rng()) for p in c
    }
    casts = write_casts(genres(*[(WESTERN,)] * count), scenes, rng())
    share = np.mean([person in of_scene for cast in casts for person in cast])
    assert share == pytest.approx(0.7, abs=0.06)  # 2,400 draws; repeats of a star are dropped


def test_a_few_stars_appear_often() -> None:
    casts = write_casts(genres(*[(COMEDY,)] * 500), np.zeros(500, dtype=np.int64), rng())
    people, counts = np.unique([person for cast in casts for person in cast], return_counts=True)
    top_tenth = np.sort(counts)[::-1][: len(people) // 10]
    assert top_tenth.sum() > 0.25 * counts.sum()


def words_of(synopsis: str) -> set[str]:
    return set("".join(c if c.isalpha() else " " for c in synopsis).lower().split())


def test_a_synopsis_has_words_of_its_genres_and_its_scene_and_of_no_other() -> None:
    count = 60
    synopses = write_synopses(genres(*[(COMEDY, WESTERN)] * count), np.full(count, 2), rng())
    own = set((GENRE_WORDS["Comedy"] + " " + GENRE_WORDS["Western"]).split())
    scene = set(SCENE_WORDS[2].split())
    others = {w for line in (*GENRE_WORDS.values(), *SCENE_WORDS) for w in line.split()} - own - scene
    for synopsis in synopses:
        found = words_of(synopsis)
        assert found & own
        assert found & scene
        assert not found & others


def test_a_synopsis_is_a_whole_sentence() -> None:
    for synopsis in write_synopses(genres(*[(HORROR,)] * 40), np.arange(40) % len(SCENE_WORDS), rng()):
        assert synopsis.endswith(".")
        assert "{" not in synopsis
        assert "}" not in synopsis


def test_the_same_generator_writes_the_same_and_another_something_else() -> None:
    rows, scenes = genres(*[(COMEDY, HORROR)] * 20), np.arange(20)
    first, second, other = (
        (write_casts(rows, scenes, g), write_synopses(rows, scenes, g))
        for g in (rng(), rng(), np.random.default_rng(22))
    )
    assert first == second
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_an_empty_catalogue_needs_no_words() -> None:
    nothing = np.zeros((0, 3), dtype=np.int64), np.zeros(0, dtype=np.int64)
    assert write_synopses(*nothing, rng()) == []
    assert write_casts(*nothing, rng()) == []
    assert write_names(*nothing, nothing[1], rng()) == []
