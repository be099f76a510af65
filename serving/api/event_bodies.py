"""What clients send of what members did: one event, or a batch."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from feature_repo.ingest.validation import MOST_AHEAD
from feature_repo.stream.event_record import Event
from serving.api.instants import Instant
from serving.api.models import NOT_BLANK, Device, Identifier, NewIdentifier

MOST_EVENTS: Final = 1000
"""In one request."""

EventType = Literal[
    "play", "progress", "complete", "pause", "search_after_browse", "hover", "thumbs_up", "thumbs_down"
]


def _not_ahead(value: datetime, info: ValidationInfo) -> datetime:
    now: Any = info.context
    if value - now > MOST_AHEAD:
        raise PydanticCustomError(
            "instant_ahead",
            "lies more than 5 minutes after the service's clock, which shows {now}; set the device's clock",
            {"now": now.isoformat(timespec="seconds")},
        )
    return value


class EventBody(BaseModel):
    """Something a member did; the table ``events`` of docs/data.md.

    Validated with the service's present instant as context.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    event_id: Annotated[Identifier, StringConstraints(pattern=NOT_BLANK)] = Field(
        description="made by the client, once: sent again, the event counts once"
    )
    user_id: NewIdentifier
    title_id: NewIdentifier = Field(description="may be a title that the catalogue does not know yet")
    event_type: EventType
    event_timestamp: Annotated[Instant, Field(strict=False), AfterValidator(_not_ahead)] = Field(
        description="RFC 3339 instant with zone, at most 5 minutes after the service's clock"
    )
    watch_fraction: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="share of the running time watched; a `complete` without it counts as 1, "
        "a `play` above 0 resumes",
    )
    duration_minutes: Annotated[float, Field(ge=0, le=1440)] | None = Field(
        None, description="time spent in this event"
    )
    device_type: Device | None = None

    def event(self) -> Event:
        """Return what the log keeps."""
        return Event(
            self.event_id, self.user_id, self.title_id, self.event_type, self.event_timestamp,
            self.watch_fraction, self.duration_minutes, self.device_type,
        )  # fmt: skip


class EventBatch(BaseModel):
    """Events, of any members, in the order in which they happened.

    Each is taken or rejected by itself. Of two with the same ``event_id`` the earlier one counts.
    """

    model_config = ConfigDict(extra="forbid")

    events: Annotated[list[EventBody], Field(min_length=1, max_length=MOST_EVENTS)]


class EventsSent(RootModel[EventBatch | EventBody]):
    """A batch of events, or one event by itself."""
