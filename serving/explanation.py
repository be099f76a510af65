"""Why a page is as it is: the way of each title through the filters, the generators and the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from feature_repo import schema as s
from feature_repo.page.assembly import Page
from serving.api.models import ArmReport, Displacement, Explanation, FilterReport, Proposal, ShownAt, TitleWay
from serving.homepage import MadePage

NOT_PROPOSED: Final = "not_proposed"
MERGE: Final = "merge"
EXCHANGED: Final = "exchanged"
FRANCHISE: Final = "franchise_cap"
GENRE: Final = "genre_cap"
SIMILAR: Final = "similar_titles"
OUTRANKED: Final = "outranked"


def explain(made: MadePage, title_ids: Sequence[str] = ()) -> Explanation:
    """Return the way of these titles, or of all candidates where none is named.

    Raises ``KeyError`` for a title that is not in the catalogue.
    """
    catalogue = made.query.catalogue
    rows = [catalogue.row_of[title_id] for title_id in title_ids] or made.assembled.ranked.rows.tolist()
    ways = _Ways(made)
    assignment = made.plan.assignment
    return Explanation(
        arms=[
            ArmReport(
                layer=layer,
                experiment=experiment.name,
                arm=arm.name,
                treatment=arm.treatment.model_dump(mode="json", exclude_defaults=True),
            )
            for layer, (experiment, arm) in assignment.arms.items()
        ],
        held_out=assignment.held_out,
        filters=[
            FilterReport(name=name, removed=int(mask.sum())) for name, mask in made.allowed.removed.items()
        ],
        candidates=len(made.assembled.ranked.rows),
        relaxed=made.assembled.page.relaxed,
        titles=[ways.of(row) for row in rows],
    )


class _Ways:
    """Looks titles up, by row of the catalogue, in everything that was found on the way to a page."""

    def __init__(self, made: MadePage) -> None:
        self._made, assembled = made, made.assembled
        self._names = made.query.catalogue.title_ids
        self._page: Page = assembled.page
        self._place_of = {row: place for place, row in enumerate(assembled.ranked.rows.tolist())}
        self._shown = {
            place: ShownAt(row=number, position=position)
            for number, row in enumerate(self._page.rows, start=1)
            for position, place in enumerate(row.places, start=1)
        }

    def of(self, row: int) -> TitleWay:
        place = self._place_of.get(row)
        ranked = self._made.assembled.ranked
        filtered_by = [name for name, removed in self._made.allowed.removed.items() if removed[row]]
        proposed_by = self._proposals(row)
        shown = None if place is None else self._shown.get(place)
        return TitleWay(
            title_id=self._names[row],
            name=self._made.query.catalogue.names[row],
            filtered_by=filtered_by,
            proposed_by=proposed_by,
            retrieval_score=None if place is None else float(ranked.retrieval[place]),
            ranking_score=None if place is None or ranked.scores is None else float(ranked.scores[place]),
            rank=None if place is None else place + 1,
            shown_at=shown,
            displaced=None if shown or filtered_by else self._displacement(place, bool(proposed_by)),
        )

    def _proposals(self, row: int) -> list[Proposal]:
        return [
            Proposal(
                generator=name,
                rank=int(rank) + 1,
                score=float(answer.scores[rank]),
                seed_title_id=None if answer.seed is None else self._names[answer.seed],
            )
            for name, found in self._made.answers.items()
            for answer in found
            for rank in np.flatnonzero(answer.rows == row)
        ]

    def _displacement(self, place: int | None, proposed: bool) -> Displacement:
        if place is None:
            return Displacement(reason=MERGE if proposed else NOT_PROPOSED, by=[])
        board = self._page.board
        newcomers = dict(self._page.exchanged)
        if place in newcomers:
            return self._by(EXCHANGED, [newcomers[place]])
        if board.full_franchise(place):
            return self._by(FRANCHISE, board.same_franchise(place))
        genres = board.full_genres(place)
        if len(genres):
            named = ", ".join(s.GENRES[genre] for genre in genres)
            return Displacement(reason=f"{GENRE}: {named}", by=[])
        similar = board.crowded_by(place)
        if len(similar) >= self._made.rules.crowd and place < self._made.rules.ranked:
            return self._by(SIMILAR, similar)
        return self._by(OUTRANKED, self._last_of_rows(place))

    def _last_of_rows(self, place: int) -> list[int]:
        """Return the last titles of the rows in which this one could have stood."""
        parts = self._made.assembled.parts
        genres = parts.shelf.genres[place]
        seeds = {like.seed for like in parts.seeds if place in like.places}
        rows = [
            row for row in self._page.rows
            if row is self._page.top_picks
            or (row.genre is not None and genres[row.genre]) or row.seed in seeds
        ]  # fmt: skip
        return [row.places[-1] for row in rows]

    def _by(self, reason: str, places: Sequence[int]) -> Displacement:
        rows = self._made.assembled.ranked.rows
        return Displacement(reason=reason, by=[self._names[int(rows[place])] for place in places])
