"""What the HTTP interface takes and answers, as pydantic models: the source of the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from feature_repo import identifiers
from serving.api.instants import Instant

RowType = Literal[
    "continue_watching", "top_picks", "because_you_watched", "trending_now", "new_releases", "genre"
]
Device = Literal["tv", "mobile", "tablet", "web"]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""An id that somebody asks for: any at all, since what is not there is not found."""
NewIdentifier = Annotated[str, StringConstraints(max_length=identifiers.LONGEST, pattern=identifiers.PATTERN)]
"""An id of a member or title that comes in, by whichever call; files are held to the same rule."""
NOT_BLANK = r"[^\s\x1c-\x1f]"
"""The tables hold no text that is blank."""
Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class Tile(_Answer):
    """One title on a page, and why it is there."""

    title_id: str
    name: str
    position: Annotated[int, Field(ge=1, description="place in the row, from 1")]
    sources: list[str] = Field(description="the candidate generators that found it")
    reason: str
    retrieval_score: Probability = Field(description="fused rank over the generators")
    ranking_score: float | None = Field(description="the ranker's score; null where it did not decide")
    propensity: Probability = Field(description="probability with which this tile was shown here")
    watch_fraction: Probability | None = Field(
        None, description="share of it that the member has watched; null unless they have begun it"
    )


class Row(_Answer):
    """A row of tiles."""

    row_type: RowType
    title: str
    seed_title_id: str | None = Field(description="the watched title that a row was grown from")
    tiles: Annotated[list[Tile], Field(min_length=1)]


class Proposal(_Answer):
    """A generator that found a title."""

    generator: str
    rank: Annotated[int, Field(ge=1, description="place in the generator's answer, from 1")]
    score: float = Field(description="on the generator's own scale")
    seed_title_id: str | None = Field(description="the watched title that it is like")


class ShownAt(_Answer):
    """Where a title stands on the page, both from 1."""

    row: int
    position: int


class Displacement(_Answer):
    """Why a title that might have been shown is not on the page."""

    reason: str = Field(
        description="not_proposed, merge, outranked, similar_titles, franchise_cap, genre_cap or exchanged"
    )
    by: list[str] = Field(description="the titles that stand in its place, or that are too much like it")


class TitleWay(_Answer):
    """The way of a title through a page."""

    title_id: str
    name: str
    filtered_by: list[str] = Field(description="the filters that removed it")
    proposed_by: list[Proposal]
    retrieval_score: Probability | None = Field(description="null where it is no candidate")
    ranking_score: float | None
    rank: int | None = Field(description="among the candidates, from 1")
    shown_at: ShownAt | None
    displaced: Displacement | None = Field(description="null where it is shown, or filtered out")


class FilterReport(_Answer):
    """A filter, and how many titles of the catalogue it removed."""

    name: str
    removed: int


class ArmReport(_Answer):
    """An arm that had a say in a page, and what it changes."""

    layer: str
    experiment: str
    arm: str
    treatment: dict[str, Any] = Field(description="empty for control")


class Explanation(_Answer):
    """Why a page is as it is."""

    arms: list[ArmReport]
    held_out: bool = Field(description="the member sees no experiment")
    filters: list[FilterReport]
    candidates: int
    relaxed: list[str]
    titles: list[TitleWay]


class Homepage(_Answer):
    """A member's page."""

    user_id: str
    page_id: str
    generated_at: AwareDatetime = Field(description="the instant that the page was made for")
    bundle: str
    experiments: dict[str, str] = Field(description="layer to `experiment/arm`")
    ui_variant: str | None = Field(description="what the client shows the page as; null: as ever")
    degraded: list[str] = Field(description="the stages that failed and were answered by a fallback")
    relaxed: list[str] = Field(
        description="the page's rules that gave way, since too few titles could be shown"
    )
    rows: list[Row]
    explanation: Explanation | None = Field(
        None, description="why the page is so; present only where an operator asked for it"
    )


class SimilarTitle(_Answer):
    """A neighbour of a title."""

    title_id: str
    name: str
    score: float = Field(description="cosine, -1 to 1")


class SimilarTitles(_Answer):
    """The neighbours of a title, best first."""

    title_id: str
    name: str
    bundle: str
    similarity: Literal["collaborative", "content"] = Field(
        description="by who watched it, or by what it is about where nobody did yet"
    )
    titles: list[SimilarTitle]


class MemberAccepted(_Answer):
    """A member was taken in: what is kept of them."""

    user_id: str
    country: str | None
    language: str | None
    selected_title_ids: list[str]


class TitleAccepted(_Answer):
    """A title was taken in: it is kept, and every server shows it within a second."""

    title_id: str
    known_since: AwareDatetime


class DeletionReport(_Answer):
    """How far the deletion of a member is. It does not say which member."""

    deletion_id: str
    state: Literal["pending", "done"] = Field(
        description="pending: no page knows the member any more, the lake may; done: nor does the lake"
    )
    requested_at: AwareDatetime
    finished_at: AwareDatetime | None
    removed: dict[str, int] = Field(description="rows removed so far, by table of the lake")


class RejectedEvent(_Answer):
    """An event that was not taken in."""

    index: Annotated[int, Field(ge=0, description="its place in the batch, from 0")]
    reason: str = Field(description="field, value and remedy")


class EventsAccepted(_Answer):
    """What became of the events sent: the log keeps those accepted."""

    accepted: Annotated[int, Field(ge=0)]
    rejected: list[RejectedEvent]


class Health(_Answer):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class Readiness(_Answer):
    """A page can be made."""

    status: Literal["ready"] = "ready"
    bundle: str
    feature_store: bool = Field(description="whether it answers; without it pages are degraded")
    snapshot_taken_at: AwareDatetime


class InvalidParameter(_Answer):
    """One parameter that was refused."""

    field: str
    value: str | None
    remedy: str


class Problem(_Answer):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: list[InvalidParameter] = []


class HomepageParameters(BaseModel):
    """Parameters of a homepage."""

    user_id: Identifier
    device: Device | None = Field(None, description="where the page is shown; unknown if left out")
    at: Instant | None = Field(
        None, description="RFC 3339 instant with zone; the service's clock if left out"
    )
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] | None = Field(
        None, description="ISO 3166-1 alpha-2; that of the member's profile if left out"
    )
    explain: bool = Field(
        False, description="adds `explanation`, the way of every candidate; needs the scope admin"
    )
    title_id: Identifier | None = Field(
        None, description="with `explain`: the way of this title alone, whatever became of it"
    )
    preview: bool = Field(
        False,
        description="a page that is looked at, not shown: nothing is logged, counted or remembered of it",
    )
    bundle: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9._-]{1,64}$")] | None = Field(
        None,
        description="a preview from this bundle, whatever the member's is: `champion`, `challenger` or the "
        "version of one that the server holds; needs the scope admin",
    )
    arms: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        None,
        description="`layer:experiment/arm`, one or several with commas between: a preview under these arms "
        "of running experiments, whatever the member's own are; needs the scope admin",
    )

    @model_validator(mode="after")
    def _one_ranker(self) -> Self:
        if self.bundle is not None and any(arm.startswith("ranker:") for arm in self.forced_arms):
            raise ValueError("bundle and an arm of the layer ranker each say what ranks: name one of them")
        return self

    @property
    def forced_arms(self) -> tuple[str, ...]:
        """The arms named, in order."""
        return () if self.arms is None else tuple(arm.strip() for arm in self.arms.split(","))


class SimilarParameters(BaseModel):
    """Parameters of a title's neighbours."""

    title_id: Identifier
    k: Annotated[int, Field(ge=1, le=100)] = 20


class TitleParameters(BaseModel):
    """Parameters of a title that is taken in."""

    title_id: NewIdentifier


class MemberParameters(BaseModel):
    """Parameters of a member."""

    user_id: Identifier


class DeletionParameters(BaseModel):
    """Parameters of a deletion."""

    deletion_id: Annotated[str, StringConstraints(pattern="^[0-9a-f-]{36}$")]


class NoParameters(BaseModel):
    """A call without parameters."""
