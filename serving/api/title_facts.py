"""What the catalogue in memory says of a title."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isnan
from typing import Any, Final

from feature_repo import schema as s
from serving.api.title_models import TitleFacts
from serving.state import ServingState

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def title_facts(state: ServingState, row: int) -> TitleFacts:
    """Return the facts of the title in a row of the catalogue."""
    catalogue, inputs = state.catalogue, state.catalogue.ranking_inputs
    year, minutes = _number(inputs[s.RELEASE_YEAR][row]), _number(inputs[s.RUNTIME_MINUTES][row])
    level, since = _number(catalogue.maturity_level[row]), _number(catalogue.available_since[row])
    return TitleFacts(
        title_id=catalogue.title_ids[row],
        name=catalogue.names[row],
        release_year=None if year is None else int(year),
        runtime_minutes=minutes,
        title_type=_text(inputs[s.TITLE_TYPE][row], s.TITLE_TYPES),
        maturity_level=None if level is None else int(level),
        original_language=_text(inputs[s.ORIGINAL_LANGUAGE][row]),
        genres=[s.GENRES[genre] for genre in catalogue.genres[row].nonzero()[0]],
        available_since=None if since is None else _EPOCH + timedelta(microseconds=since),
    )


def _number(value: Any) -> float | None:
    number = float(value)
    return None if isnan(number) else number


def _text(value: Any, allowed: tuple[str, ...] | None = None) -> Any:
    text = str(value)
    return text if text and (allowed is None or text in allowed) else None
