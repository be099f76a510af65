"""What a candidate generator is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.candidate_mix import segments_of
from serving.catalogue import Catalogue, Mask
from serving.members import Member
from serving.models import Models


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Who asks, from which device (``""``: unknown), for which instant, and in which country.

    ``country`` None means that of the member's profile. A ``preview``, such as the page of another instant,
    is shown to nobody: nothing is remembered of it, nor from earlier pages. Its ``arms`` are those that an
    operator wants to see, each ``layer:experiment/arm``. With ``own_bundle`` it is made from the bundle of
    the state it is asked of, whatever ranker the member's own arm has.
    """

    user_id: str
    device: str
    at: datetime
    country: str | None = None
    preview: bool = False
    arms: tuple[str, ...] = ()
    own_bundle: bool = False

    @property
    def now_us(self) -> float:
        """The page's instant, microseconds since 1970 UTC."""
        return float(epoch_microseconds(self.at))


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A request with everything the stages look at.

    ``eligible`` says which titles may be shown as something new, ``resumable`` which may be shown if the
    member has begun them.
    """

    request: PageRequest
    member: Member
    country: str
    eligible: Mask
    resumable: Mask
    catalogue: Catalogue
    models: Models

    @property
    def now_us(self) -> float:
        """The page's instant, microseconds since 1970 UTC."""
        return self.request.now_us

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments whose popularity fits, narrowest first; everybody's is not among them."""
        return segments_of(self.country, self.member.language)
