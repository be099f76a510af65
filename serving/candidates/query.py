"""What a candidate generator is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from feature_repo.transforms.calendar import epoch_microseconds
from serving.catalogue import Catalogue, Mask
from serving.members import Member
from serving.models import Models


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Who asks, from which device (``""``: unknown), for which instant, and in which country.

    ``country`` None means that of the member's profile.
    """

    user_id: str
    device: str
    at: datetime
    country: str | None = None

    @property
    def now_us(self) -> float:
        """The page's instant, microseconds since 1970 UTC."""
        return float(epoch_microseconds(self.at))


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A request with everything the stages look at; ``eligible`` says which titles may be shown."""

    request: PageRequest
    member: Member
    country: str
    eligible: Mask
    catalogue: Catalogue
    models: Models

    @property
    def now_us(self) -> float:
        """The page's instant, microseconds since 1970 UTC."""
        return self.request.now_us
