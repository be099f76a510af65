"""From fitted models to a bundle with its report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from feature_repo.settings import Settings
from training.bundle import CHAMPION, BundleAliases, BundleContents, write_bundle
from training.calibration import calibration_curve
from training.config import TrainingConfig
from training.judging import BASELINES, TRUTH_K, Judgement
from training.learning import FittedAls, TrainingData
from training.popularity import popularity_scores, trending_scores
from training.ranker import Ranker, RankingExamples
from training.report import TrainingReport, write_report
from training.steps import StepRecorder


@dataclass(frozen=True, slots=True)
class Trained:
    """Everything a training produced."""

    als: FittedAls
    ranker: Ranker
    validation: RankingExamples
    judgement: Judgement


def publish(
    data: TrainingData, trained: Trained, config: TrainingConfig, settings: Settings, created_at: datetime
) -> str:
    """Write the bundle and make it the champion; return its version."""
    aliases = BundleAliases(settings.bundles)
    version = write_bundle(
        settings.bundles,
        bundle_contents(data, trained),
        created_at=created_at,
        data_window=(data.windows.start, data.windows.end),
        schema_hash=data.gateway.schema_hash(),
        seed=config.seed,
        parent=aliases.get(CHAMPION),
        metrics=headline_metrics(trained.judgement),
    )
    aliases.set(CHAMPION, version)
    return version


def bundle_contents(data: TrainingData, trained: Trained) -> BundleContents:
    """Collect what a server needs of the models."""
    factors, events, titles = trained.als.factors, data.events, data.catalogue.title_ids
    countries = ["", *sorted(set(data.members.countries.tolist()) - {""})]
    rows = trained.als.matrix.title_rows(events.title_ids)
    event_countries = data.members.countries[np.searchsorted(data.members.user_ids, events.user_ids)]
    popularity = popularity_scores(
        events.user_ids, rows, events.watch_fractions, event_countries,
        title_count=len(titles), countries=countries,
    )  # fmt: skip
    plays = events.play_starts()
    trending = trending_scores(
        rows[plays], event_countries[plays], events.timestamps[plays],
        as_of=data.windows.end, title_count=len(titles), countries=countries,
    )  # fmt: skip
    return BundleContents(
        title_ids=titles,
        title_factors=factors.title_factors,
        user_ids=factors.user_ids,
        user_factors=factors.user_factors,
        ranker=trained.ranker.to_bytes(),
        countries=popularity.countries,
        popularity=popularity.scores,
        trending=trending.scores,
    )


def headline_metrics(judgement: Judgement) -> dict[str, Any]:
    """Return the numbers a manifest carries: per model its metrics over all members, and the truth."""
    models: dict[str, dict[str, float]] = {}
    for row in judgement.rows:
        if row.segment == "all":
            name = row.metric if row.k is None else f"{row.metric}@{row.k}"
            models.setdefault(row.model, {})[name] = row.value
    return {"test": models, **({"truth": judgement.truth} if judgement.truth else {})}


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
    scores = trained.ranker.score(trained.validation.matrix)
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
                "interactions": int(trained.als.matrix.fractions.nnz),
            },
            steps=recorder.costs,
            evaluation=trained.judgement.rows,
            baselines=BASELINES,
            importance=trained.ranker.importance(),
            calibration=calibration_curve(scores, trained.validation.labels) if has_rows else None,
            truth=trained.judgement.truth,
            truth_k=TRUTH_K,
            training_curves=trained.ranker.curves,
        ),
    )
