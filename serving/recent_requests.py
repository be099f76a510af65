"""The latest requests of a worker, for bundles to be warmed up with."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from serving.candidates.query import PageRequest


@dataclass(frozen=True, slots=True)
class RecentRequest:
    """Who asked, from which device, and for which country (None: that of the profile)."""

    user_id: str
    device: str
    country: str | None


class RecentRequests:
    """Remembers the last ``limit`` requests, in memory; the oldest go first. Safe to use from any thread."""

    def __init__(self, limit: int) -> None:
        self._requests: deque[RecentRequest] = deque(maxlen=limit)

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, request: PageRequest) -> None:
        """Remember a request."""
        self._requests.append(RecentRequest(request.user_id, request.device, request.country))

    def latest(self, number: int) -> list[RecentRequest]:
        """Return up to ``number`` different requests, the latest first."""
        # The copy is one call of the interpreter's, so that no other thread appends meanwhile.
        return list(dict.fromkeys(reversed(self._requests.copy())))[:number]
