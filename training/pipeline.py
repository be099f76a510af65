"""One training from data to champion bundle: retrieval and ranker, judged, published, reported."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from feature_repo.ingest.lake import Lake
from feature_repo.progress import Progress
from feature_repo.schema import Table
from feature_repo.settings import Settings
from feature_repo.store import FeatureGateway
from training.bundle import PublishAs
from training.champion import WarmStart
from training.config import TrainingConfig
from training.embeddings import embedding_tables
from training.generating import generators_as_of
from training.hit_rates import hit_rates
from training.judging import TruePlayProbability, judge
from training.learning import fit_ranker_on_window
from training.moved import Published, publish_moved
from training.page_order import choose_order
from training.publishing import Trained, publish, report
from training.retrieval import Retrieval, fit_retrieval, model_version
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
    examination: NDArray[np.float64] | None = None,
    progress: Progress | None = None,
    start: WarmStart | None = None,
    plan: str | None = None,
    publish_as: PublishAs = "champion",
) -> str:
    """Train, judge, publish and report; return the bundle's version.

    Expects the feature tables in the lake and the definitions applied; brings features and vectors
    online before the bundle that needs them becomes champion. ``now`` stamps what is written; ``truth``
    judges against a simulated service, in which each place (rows, positions) is looked at with probability
    ``examination``; ``progress`` follows the towers' training. With ``start`` the core
    model of the bundle begins with those factors, and only vectors that moved are brought online; the fits
    before a window that is looked at begin with them only if they know nothing of that window. ``plan`` names
    the memory plan that made ``config``, for the bundle's manifest, ``publish_as`` its alias. Same data,
    seed, configuration and start: same metrics.
    """
    with recorder.step("read events"):
        data = read_training_data(gateway, lake, config)
    windows = data.windows

    def fit(as_of: datetime, before: Retrieval | None = None) -> Retrieval:
        known = None if start is None else start.as_of(as_of)
        return fit_retrieval(data, as_of, config, now, before, progress, known)

    with recorder.step("retrieval before the ranker's window"):
        first = fit(windows.ranker_start)
    with recorder.step("hit rates"):
        window = (windows.ranker_start, windows.test_start)
        measured = hit_rates(generators_as_of(data, first, window, config, {}), config.seed)
    with recorder.step("ranker"):
        fitted = fit_ranker_on_window(data, first, config, compare=truth is not None)
    with recorder.step("order of the page"):
        order = choose_order(data, first, fitted, measured, config)
    with recorder.step("retrieval before the test window"):
        second = fit(windows.test_start, first)
    with recorder.step("evaluation"):
        judgement = judge(
            data, second, fitted.ranker, measured, config, truth, order.ranker_decides, fitted.not_told
        )
    with recorder.step("retrieval on everything"):
        final = fit(windows.end, second)
    with recorder.step("materialize"):
        warm = start is not None and start.as_of(windows.end) is not None
        online = bring_online(data, final, config, now, only_moved=warm)
    trained = Trained(final, fitted, order, measured, judgement, online, examination)
    with recorder.step("bundle"):
        version = publish(data, trained, config, settings, now, plan, publish_as)
    report(data, trained, settings, recorder, version=version, created_at=now, dataset=dataset)
    return version


def bring_online(
    data: TrainingData, final: Retrieval, config: TrainingConfig, created_at: datetime, *, only_moved: bool
) -> dict[str, Published]:
    """Bring features and vectors online; with ``only_moved`` return, by table, which vectors that took."""
    if not only_moved:
        materialize_all(data.gateway, data)
        return {}
    tables = embedding_tables(
        final.factors, final.matrix, trained_at=final.as_of, created_at=created_at,
        model_version=model_version(config, final.as_of, created_at),
    )  # fmt: skip
    materialize_all(data.gateway, data, without=[table for table, _ in tables])
    return {table.name: publish_moved(data.gateway, table, rows, config.moved) for table, rows in tables}


def materialize_all(
    gateway: FeatureGateway, data: TrainingData, without: Sequence[Table] = ()
) -> dict[str, int]:
    """Bring every entity's newest features online, as of the end of the data, but those of ``without``."""
    # A member may have joined, or a title become known, long before the first event.
    return gateway.materialize(datetime(1970, 1, 1, tzinfo=UTC), data.windows.end, without=without)
