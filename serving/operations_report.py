"""How the service does, for operators: composed from what all workers count, and from what serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from prometheus_client import Metric
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from feature_repo.stream.event_log import EventLogError, Lag
from feature_repo.stream.processor import GROUP
from serving.histogram_quantiles import Bucket, quantile
from serving.service import HomepageService, NotReadyError

HOMEPAGE_ROUTE: Final = "/v1/members/<user_id>/homepage"
_QUANTILES: Final = (0.5, 0.95, 0.99)

Count = Annotated[int, Field(ge=0)]
Milliseconds = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class LatencyBucket(_Part):
    """How many took at most so long; the counts add up from bucket to bucket."""

    at_most_ms: Milliseconds | None = Field(description="null: however long")
    count: Count


class Latency(_Part):
    """How long something took, since the servers started. A percentile is null before anything was timed,
    and 1000 stands for a second or more.
    """

    count: Count
    mean_ms: Milliseconds | None
    p50_ms: Milliseconds | None
    p95_ms: Milliseconds | None
    p99_ms: Milliseconds | None
    buckets: list[LatencyBucket]


class StageReport(_Part):
    """A stage of a page."""

    stage: str
    latency: Latency
    over_budget: Count = Field(description="times that it was slower than its budget")
    failures: Count = Field(description="times that something else answered in its stead")


class PageReport(_Part):
    """Pages since the servers started, by how they came out, and how long they took."""

    full: Count
    degraded: Count
    static: Count = Field(description="the bundle's own page, as making one had failed")
    refused: Count = Field(description="answered 503, as too many were wanted at once")
    latency: Latency


class Counted(_Part):
    """Something counted, by its name."""

    name: str
    count: Count


class BreakerReport(_Part):
    """Something that workers leave alone while it does not answer."""

    of: str
    open_workers: Count


class EventLagReport(_Part):
    """How far the stream processors are behind the event log."""

    events: Count = Field(description="that pages do not know of yet")
    capped: bool = Field(description="there are more than were counted")
    oldest_seconds: Seconds = Field(description="age of the oldest of them; 0 where there is none")
    partitions: Count


class Freshness(_Part):
    """How old what pages are made of is. Null where it is not known."""

    features_at: AwareDatetime | None = Field(description="of when the newest of the titles' features are")
    features_age_seconds: Seconds | None = Field(description="by the service's clock")
    trained_at: AwareDatetime | None = Field(description="when the oldest bundle in service was made")
    trained_age_seconds: Seconds | None = Field(description="by the wall's clock")
    titles_read_at: AwareDatetime | None = Field(
        description="when the worker that answers last read all titles, by the service's clock"
    )
    event_lag: EventLagReport | None


class EventReport(_Part):
    """Events taken in by the servers."""

    accepted: Count
    rejected: Count


class ImpressionReport(_Part):
    """Tiles shown, on their way to the impression log."""

    written: Count
    queued: Count
    dropped: Count = Field(description="lost: the writer was too far behind")


class Agreement(_Part):
    """How far challenger and champion agree on the pages that both made (1: in everything)."""

    measure: Literal["overlap", "rank_correlation"]
    pages: Count
    mean: float


class ShadowReport(_Part):
    """Pages made once more from the challenger."""

    pages: list[Counted] = Field(description="by what became of them")
    latency: Latency
    agreement: list[Agreement]


class ArmPages(_Part):
    """Pages answered under an arm of an experiment."""

    experiment: str
    arm: str
    pages: Count


class ExperimentTraffic(_Part):
    """What experiments had to do with pages."""

    pages: list[ArmPages]
    held_out: Count = Field(description="pages of members whom no experiment gets")
    paused: Count = Field(description="experiments that servers paused, with an alert")
    store_failures: Count = Field(description="looks at the experiments that failed")


class BundleTraffic(_Part):
    """What became of bundles since the servers started."""

    in_service: str | None = Field(
        description="the champion of the worker that answers; null before the first"
    )
    swaps: Count = Field(description="bundles put in place, by each worker")
    refusals: list[Counted] = Field(description="by the check that refused")


class OperationsReport(_Part):
    """How the service does, over all workers. What is counted is counted since the servers started; a rate
    is the difference of two reports.
    """

    at: AwareDatetime = Field(description="by the wall's clock")
    service_time: AwareDatetime = Field(description="by the service's clock, which may replay old data")
    pages: PageReport
    stages: list[StageReport]
    fallbacks: list[Counted] = Field(description="what stood in on pages, as `degraded` names it")
    member_reads: list[Counted] = Field(
        description="reads of a member's features: `found` in the store or `unknown` to it, `failed`, spared "
        "as it is `cold`, `joined` to another page's; and `kept`, which then answered, an hour old at most"
    )
    feature_store_up: bool | None = Field(
        description="whether it answers every worker; null before one has looked"
    )
    breakers: list[BreakerReport]
    freshness: Freshness
    events: EventReport
    impressions: ImpressionReport
    shadow: ShadowReport
    experiments: ExperimentTraffic
    bundles: BundleTraffic


class _Samples:
    """The samples of all metrics, by series name."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._of: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for family in families:
            for sample in family.samples:
                self._of.setdefault(sample.name, []).append((sample.labels, sample.value))

    def value(self, series: str, **labels: str) -> float:
        """Return the sum of the samples with these labels; 0 without any."""
        return sum(v for have, v in self._of.get(series, ()) if labels.items() <= have.items())

    def count(self, series: str, **labels: str) -> int:
        return int(self.value(series, **labels))

    def is_set(self, series: str) -> bool | None:
        """Return whether a gauge without labels says 1; None where nobody has set it."""
        return self.value(series) == 1 if series in self._of else None

    def labels(self, series: str, *names: str) -> list[tuple[str, ...]]:
        """Return the values that labels have together, in order."""
        return sorted({tuple(have[n] for n in names) for have, _ in self._of.get(series, ())})

    def counted(self, series: str, label: str) -> list[Counted]:
        """Return a counter by one of its labels, the largest first."""
        found = [
            Counted(name=name, count=self.count(series, **{label: name}))
            for (name,) in self.labels(series, label)
        ]
        return sorted(found, key=lambda one: (-one.count, one.name))

    def latency(self, histogram: str, **labels: str) -> Latency:
        """Return a histogram of seconds as milliseconds, over all that have these labels."""
        sums: dict[float, float] = {}
        for have, value in self._of.get(f"{histogram}_bucket", ()):
            if labels.items() <= have.items():
                sums[float(have["le"])] = sums.get(float(have["le"]), 0.0) + value
        buckets: list[Bucket] = sorted(sums.items())
        count = self.count(f"{histogram}_count", **labels)
        seconds = [quantile(buckets, share) for share in _QUANTILES]
        p50, p95, p99 = (None if one is None else one * 1e3 for one in seconds)
        return Latency(
            count=count,
            mean_ms=self.value(f"{histogram}_sum", **labels) / count * 1e3 if count else None,
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
            buckets=[
                LatencyBucket(at_most_ms=None if bound == float("inf") else bound * 1e3, count=int(value))
                for bound, value in buckets
            ],
        )


def operations_report(service: HomepageService) -> OperationsReport:
    """Compose the report of this moment. What cannot be asked is null in it: nothing is raised for it."""
    wall = service.wall()
    samples = _Samples(service.metrics.families())
    return OperationsReport(
        at=wall,
        service_time=service.now(),
        pages=_pages(samples),
        stages=_stages(samples),
        fallbacks=samples.counted("marquee_page_fallbacks_total", "rung"),
        member_reads=samples.counted("marquee_member_reads_total", "outcome"),
        feature_store_up=samples.is_set("marquee_feature_store_up"),
        breakers=[
            BreakerReport(of=of, open_workers=samples.count("marquee_breakers_open", of=of))
            for (of,) in samples.labels("marquee_breakers_open", "of")
        ],
        freshness=_freshness(samples, service, wall),
        events=EventReport(
            accepted=samples.count("marquee_events_accepted_total"),
            rejected=samples.count("marquee_events_rejected_total"),
        ),
        impressions=ImpressionReport(
            written=samples.count("marquee_impressions_written_total"),
            queued=samples.count("marquee_impressions_queued"),
            dropped=samples.count("marquee_impressions_dropped_total"),
        ),
        shadow=_shadow(samples),
        experiments=_experiments(samples),
        bundles=BundleTraffic(
            in_service=_in_service(service),
            swaps=samples.count("marquee_bundle_swaps_total"),
            refusals=samples.counted("marquee_bundle_refusals_total", "reason"),
        ),
    )


def _pages(samples: _Samples) -> PageReport:
    outcomes = {
        name: samples.count("marquee_pages_total", outcome=name)
        for name in ("full", "degraded", "static", "refused")
    }
    return PageReport(
        **outcomes, latency=samples.latency("marquee_request_seconds", route=HOMEPAGE_ROUTE, status="200")
    )


def _stages(samples: _Samples) -> list[StageReport]:
    found = [
        StageReport(
            stage=stage,
            latency=samples.latency("marquee_stage_seconds", stage=stage),
            over_budget=samples.count("marquee_stage_over_budget_total", stage=stage),
            failures=samples.count("marquee_stage_failures_total", stage=stage),
        )
        for (stage,) in samples.labels("marquee_stage_seconds_count", "stage")
    ]
    return sorted(found, key=lambda one: -(one.latency.mean_ms or 0.0))


def _freshness(samples: _Samples, service: HomepageService, wall: datetime) -> Freshness:
    features_at = _instant(samples.value("marquee_features_newest_timestamp_seconds"))
    trained_at = _instant(samples.value("marquee_bundle_trained_timestamp_seconds"))
    try:
        titles_read_at = service.state.catalogue.taken_at
    except NotReadyError:
        titles_read_at = None
    return Freshness(
        features_at=features_at,
        features_age_seconds=_age(features_at, service.now()),
        trained_at=trained_at,
        trained_age_seconds=_age(trained_at, wall),
        titles_read_at=titles_read_at,
        event_lag=_event_lag(service),
    )


def _event_lag(service: HomepageService) -> EventLagReport | None:
    try:
        log = service.events.log
        lags: list[Lag] = [log.lag(GROUP, partition) for partition in range(log.partitions)]
    except (NotReadyError, EventLogError):
        return None
    return EventLagReport(
        events=sum(lag.events for lag in lags),
        capped=any(lag.capped for lag in lags),
        oldest_seconds=max((lag.seconds for lag in lags), default=0.0),
        partitions=len(lags),
    )


def _shadow(samples: _Samples) -> ShadowReport:
    series = "marquee_shadow_agreement"
    agreement = []
    for measure in ("overlap", "rank_correlation"):
        pages = samples.count(f"{series}_count", measure=measure)
        if pages:
            mean = samples.value(f"{series}_sum", measure=measure) / pages
            agreement.append(Agreement(measure=measure, pages=pages, mean=mean))
    return ShadowReport(
        pages=samples.counted("marquee_shadow_pages_total", "outcome"),
        latency=samples.latency("marquee_shadow_seconds"),
        agreement=agreement,
    )


def _experiments(samples: _Samples) -> ExperimentTraffic:
    series = "marquee_experiment_pages_total"
    return ExperimentTraffic(
        pages=[
            ArmPages(experiment=name, arm=arm, pages=samples.count(series, experiment=name, arm=arm))
            for name, arm in samples.labels(series, "experiment", "arm")
        ],
        held_out=samples.count("marquee_held_out_pages_total"),
        paused=samples.count("marquee_experiments_paused_total"),
        store_failures=samples.count("marquee_experiment_store_failures_total"),
    )


def _in_service(service: HomepageService) -> str | None:
    try:
        return service.state.models.version
    except NotReadyError:
        return None


def _instant(seconds: float) -> datetime | None:
    """A gauge that nobody has set yet says 0."""
    return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None


def _age(then: datetime | None, now: datetime) -> float | None:
    return None if then is None else max(0.0, (now - then).total_seconds())
