"""From fitted models to a bundle with its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.settings import Settings
from feature_repo.transforms.candidate_mix import CANDIDATES, HitRates
from training.bundle import CHAMPION, BundleAliases, BundleContents, PublishAs, write_bundle
from training.calibration import calibration_curve
from training.config import TrainingConfig
from training.generating import charts_as_of
from training.judging import BASELINES, TRUTH_K, Judgement
from training.learning import FittedRanker
from training.moved import Published
from training.page_order import PageOrder
from training.position_bias import PositionBias, position_bias
from training.report import TrainingReport, write_report
from training.retrieval import Retrieval
from training.steps import StepRecorder
from training.training_data import TrainingData


@dataclass(frozen=True, slots=True)
class Trained:
    """Everything a training produced; ``online`` says, by table, how many vectors a warm start published.

    ``examination``: how likely each place is looked at, (rows, positions), where that is known.
    """

    retrieval: Retrieval
    fitted: FittedRanker
    order: PageOrder
    hit_rates: HitRates
    judgement: Judgement
    online: Mapping[str, Published] = field(default_factory=dict)
    examination: NDArray[np.float64] | None = None


def publish(
    data: TrainingData,
    trained: Trained,
    config: TrainingConfig,
    settings: Settings,
    created_at: datetime,
    plan: str | None = None,
    publish_as: PublishAs = "champion",
) -> str:
    """Write the bundle, made by a memory ``plan``, and give it its alias; return its version."""
    aliases = BundleAliases(settings.bundles)
    version = write_bundle(
        settings.bundles,
        bundle_contents(data, trained),
        created_at=created_at,
        data_window=(data.windows.start, data.windows.end),
        schema_hash=data.gateway.schema_hash(),
        seed=config.seed,
        parent=aliases.get(CHAMPION),
        metrics=headline_metrics(trained.judgement, trained.order)
        | {"ranker_input": dict(trained.fitted.reference)},
        memory_plan=plan,
    )
    aliases.publish(version, publish_as)
    return version


def bundle_contents(data: TrainingData, trained: Trained) -> BundleContents:
    """Collect what a server needs of the models."""
    retrieval = trained.retrieval
    popularity, trending = charts_as_of(data, data.windows.end)
    sources = sorted(trained.hit_rates)
    by_rank = np.zeros((len(sources), CANDIDATES), dtype=np.float32)
    for row, name in enumerate(sources):
        by_rank[row, : len(trained.hit_rates[name])] = trained.hit_rates[name]
    return BundleContents(
        title_ids=data.catalogue.title_ids,
        title_factors=retrieval.factors.title_factors,
        user_ids=retrieval.factors.user_ids,
        user_factors=retrieval.factors.user_factors,
        confidence=retrieval.factors.confidence,
        tower_weights=retrieval.tower.weights,
        tower_title_vectors=retrieval.title_vectors,
        content_to_als=retrieval.content_to_als,
        ranker=trained.fitted.ranker.to_bytes(),
        ranker_decides=trained.order.ranker_decides,
        segments=popularity.segments,
        popularity=popularity.scores,
        countries=trending.segments,
        trending=trending.scores,
        trending_weights=trending.weights,
        hit_rate_sources=np.array(sources, dtype=np.str_),
        hit_rates=by_rank,
    )


def headline_metrics(judgement: Judgement, order: PageOrder) -> dict[str, Any]:
    """Return the numbers a manifest carries: per model its metrics over all members, what orders the page and
    why, and the truth.
    """
    models: dict[str, dict[str, float]] = {}
    for row in judgement.rows:
        if row.segment == "all":
            name = row.metric if row.k is None else f"{row.metric}@{row.k}"
            models.setdefault(row.model, {})[name] = row.value
    return {"test": models, "order": asdict(order), **({"truth": judgement.truth} if judgement.truth else {})}


def report(
    data: TrainingData,
    trained: Trained,
    settings: Settings,
    recorder: StepRecorder,
    *,
    version: str,
    created_at: datetime,
    dataset: str,
) -> None:
    """Write the training's report beside the bundle's version."""
    ranker, validation = trained.fitted.ranker, trained.fitted.validation
    scores = ranker.score(validation.matrix)
    has_rows = len(scores) > 0
    write_report(
        settings.reports,
        TrainingReport(
            version=version,
            created_at=created_at,
            data_window=(data.windows.start, data.windows.end),
            dataset=dataset,
            sizes={
                "members": len(data.members.user_ids),
                "titles": len(data.catalogue.title_ids),
                "watch events": len(data.events.timestamps),
                "interactions": int(trained.retrieval.matrix.fractions.nnz),
            },
            steps=recorder.costs,
            evaluation=trained.judgement.rows,
            pages=trained.judgement.pages,
            baselines=BASELINES,
            importance=ranker.importance(),
            calibration=calibration_curve(scores, validation.labels) if has_rows else None,
            truth=trained.judgement.truth,
            truth_k=TRUTH_K,
            position_bias=_position_bias(trained),
            published=trained.online,
            training_curves={**ranker.curves, **trained.retrieval.tower.curves},
        ),
    )


def _position_bias(trained: Trained) -> PositionBias | None:
    return position_bias(
        trained.fitted.ranker, trained.fitted.validation.matrix, trained.judgement.places,
        trained.examination,
    )  # fmt: skip
