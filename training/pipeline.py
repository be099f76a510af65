"""One training from data to champion bundle: retrieval and ranker, judged, published, reported."""

from __future__ import annotations

from datetime import UTC, datetime

from feature_repo.ingest.lake import Lake
from feature_repo.progress import Progress
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from training.config import TrainingConfig
from training.generating import generators_as_of
from training.hit_rates import hit_rates
from training.judging import TruePlayProbability, judge
from training.learning import fit_ranker_on_window
from training.publishing import Trained, publish, report
from training.retrieval import fit_retrieval
from training.steps import StepRecorder
from training.training_data import TrainingData, read_training_data


def train(
    gateway: FeatureGateway,
    lake: Lake,
    settings: Settings,
    config: TrainingConfig,
    recorder: StepRecorder,
    *,
    now: datetime,
    dataset: str,
    truth: TruePlayProbability | None = None,
    progress: Progress | None = None,
) -> str:
    """Train, judge, publish and report; return the bundle's version.

    Expects the feature tables in the lake and the definitions applied; brings features and vectors
    online before the bundle that needs them becomes champion. ``now`` stamps what is written; ``truth``
    judges against a simulated service; ``progress`` follows the towers'
    training. Same data, seed and configuration: same metrics.
    """
    with recorder.step("read events"):
        data = read_training_data(gateway, lake, config)
    with recorder.step("retrieval before the ranker's window"):
        first = fit_retrieval(data, data.windows.ranker_start, config, now, progress=progress)
    with recorder.step("hit rates"):
        window = (data.windows.ranker_start, data.windows.test_start)
        measured = hit_rates(generators_as_of(data, first, window, config, {}), config.seed)
    with recorder.step("ranker"):
        ranker, validation = fit_ranker_on_window(data, first, config)
    with recorder.step("retrieval before the test window"):
        second = fit_retrieval(data, data.windows.test_start, config, now, first, progress)
    with recorder.step("evaluation"):
        judgement = judge(data, second, ranker, measured, config, truth)
    with recorder.step("retrieval on everything"):
        final = fit_retrieval(data, data.windows.end, config, now, second, progress)
    with recorder.step("materialize"):
        materialize_all(gateway, data)
    trained = Trained(final, ranker, validation, measured, judgement)
    with recorder.step("bundle"):
        version = publish(data, trained, config, settings, now)
    report(data, trained, settings, recorder, version=version, created_at=now, dataset=dataset)
    return version


def materialize_all(gateway: FeatureGateway, data: TrainingData) -> dict[str, int]:
    """Bring every entity's newest features online, as of the end of the data."""
    # A member may have joined, or a title become known, long before the first event.
    return gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), data.windows.end)
