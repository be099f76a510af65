"""What a page is made of, from what the stages before it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feature_repo import schema as s
from feature_repo.page.rules import PageRules
from feature_repo.page.shelf import (
    Ingredients,
    PlaceFinder,
    SeedList,
    Shelf,
    favourite_genres,
    household_languages,
)
from feature_repo.transforms import candidate_mix as mix
from serving.candidates.answer import Candidates
from serving.candidates.query import Query
from serving.page.ranked import Ranked

Answers = Mapping[str, Sequence[Candidates]]
"""Generator to its answers."""


def ingredients_of(query: Query, ranked: Ranked, answers: Answers, rules: PageRules) -> Ingredients:
    """Lay the ranked candidates on the shelf, and the generators' lists beside it."""
    catalogue, rows = query.catalogue, ranked.rows
    shelf = Shelf(
        rows, ranked.relevance, catalogue.genres[rows], catalogue.franchises[rows],
        catalogue.languages[rows], query.models.tower_vectors,
    )  # fmt: skip
    finder = PlaceFinder(rows, len(catalogue))

    def found_by(*names: str) -> list[int]:
        return finder.places_of(*(answer.rows for name in names for answer in answers.get(name, ())))

    return Ingredients(
        shelf,
        begun=found_by(mix.CONTINUE_WATCHING),
        seeds=[
            SeedList(answer.seed, finder.places_of(answer.rows))
            for answer in answers.get(mix.SIMILAR, ())
            if answer.seed is not None
        ],
        trending=found_by(mix.TRENDING_IN_COUNTRY, mix.TRENDING),
        new_titles=found_by(mix.NEW_TITLES),
        favourite_genres=favourite_genres(
            query.member.features[s.GENRE_PREFERENCE][0], shelf.genres[: rules.ranked]
        ),
        household_languages=_household(query, rules.household_share),
    )


def _household(query: Query, share: float) -> list[int]:
    row_of = query.catalogue.row_of
    watched = [row_of[title_id] for title_id, _ in query.member.recent if title_id in row_of]
    return household_languages(query.catalogue.languages[watched], share)
