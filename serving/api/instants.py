"""Instants as clients write them: one form, so that a mistake is refused and never read as another day."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from feature_repo.ingest.validation import FIRST_INSTANT, LAST_INSTANT

_WRITTEN: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_PLUS_LOST: Final = re.compile(r".{19}(\.[0-9]+)? [0-9]{2}:[0-9]{2}")


def _written(value: Any) -> Any:
    # Pydantic would take a year, a day's eight digits or any other number for seconds since 1970.
    if isinstance(value, str) and _WRITTEN.fullmatch(value):
        return value
    if isinstance(value, str) and _PLUS_LOST.fullmatch(value):
        raise PydanticCustomError("instant_plus", "write the + before the zone as %2B in a URL")
    raise PydanticCustomError("datetime_parsing", "no instant")


Instant = Annotated[AwareDatetime, Field(ge=FIRST_INSTANT, lt=LAST_INSTANT), BeforeValidator(_written)]
"""An RFC 3339 instant, with date, time to the second or finer, and zone, in the life of a service."""
