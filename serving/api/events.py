"""``POST /v1/events``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response
from pydantic import ValidationError
from werkzeug.exceptions import BadRequest

from feature_repo.stream.event_record import Event, encode_event
from serving.api.event_bodies import MOST_EVENTS, EventBody
from serving.api.models import EventsAccepted, RejectedEvent
from serving.api.operations import EVENTS, json_answer, read_json, service
from serving.api.problems import in_words, refused

_LONGEST_REASON: Final = 1000

blueprint = Blueprint("events", __name__)


@blueprint.post(EVENTS.rule)
def take_in() -> Response:
    """Take in events: 202 once the event log keeps the good ones, with why each of the others was rejected.

    An event that is sent again is taken in again; it counts once, and of two that differ the earlier one.
    """
    sent = sent_events(read_json())
    marquee = service()
    now = marquee.state.clock()
    events, rejected = read_events(sent, now)
    if events:
        marquee.events.append([encode_event(event, now) for event in events])
    marquee.metrics.events_taken_in(len(events), len(rejected))
    answer = EventsAccepted(accepted=len(events), rejected=rejected)
    return json_answer(answer, HTTPStatus.ACCEPTED)


def sent_events(sent: Any) -> list[Any]:
    """Return the events of a body, unchecked; an object without ``events`` is one.

    Raises ``BadRequest`` for a body of another form, and for no events or too many.
    """
    if not isinstance(sent, dict):
        raise BadRequest('the body is no JSON object: send {"events": [...]}, or one event')
    if "events" not in sent:
        return [sent]
    events = sent["events"]
    if len(sent) > 1:
        raise BadRequest("the body holds more than events: send these alone")
    if not isinstance(events, list):
        raise BadRequest(f"events is no list: send a list of 1 to {MOST_EVENTS} events")
    if not 1 <= len(events) <= MOST_EVENTS:
        raise BadRequest(f"events holds {len(events)} events: send 1 to {MOST_EVENTS} at once")
    return events


def read_events(sent: Sequence[Any], now: datetime) -> tuple[list[Event], list[RejectedEvent]]:
    """Return the good events, and why each of the others is rejected; ``now`` is the service's clock."""
    events, rejected = [], []
    for index, one in enumerate(sent):
        try:
            events.append(EventBody.model_validate(one, context=now).event())
        except ValidationError as error:
            # A key may hold half a surrogate pair, which is no text that an answer could hold.
            reason = in_words(refused(error), "event")[:_LONGEST_REASON].encode(errors="replace").decode()
            rejected.append(RejectedEvent(index=index, reason=reason))
    return events, rejected
