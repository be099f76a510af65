"""The candidate generators as they stood at an instant, and what members watched in the window after it."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.candidate_mix import HitRates
from feature_repo.transforms.encoding import Arrays
from feature_repo.transforms.towers import context_inputs
from training.candidates import Generators, MemberSide
from training.config import TrainingConfig
from training.datasets import WatchEvents
from training.evaluation.cases import EvaluationSet
from training.popularity import SegmentScores, popularity_scores, trending_scores
from training.retrieval import Retrieval
from training.training_data import TrainingData, interactions_as_of
from training.two_stage import first_contexts
from training.two_tower_examples import member_histories


def generators_as_of(
    data: TrainingData,
    retrieval: Retrieval,
    window: tuple[datetime, datetime],
    config: TrainingConfig,
    hit_rates: HitRates,
) -> Generators:
    """Return the generators at the window's start, where ``retrieval`` was fitted, and what was to be found.

    A member's device and hour are those of :func:`contexts`; what is known of their viewing is that of the
    window's start.
    """
    start, end = window
    later = interactions_as_of(data, end, since=start)
    available = data.catalogue.available_at(start)
    popularity, trending = charts_as_of(data, start)
    return Generators(
        cases=EvaluationSet.build(retrieval.watched, later, config.relevance_fraction, available),
        retrieval=retrieval,
        members=_members(data, retrieval, start, contexts(data, window)),
        popularity=popularity,
        trending=trending,
        available_since=data.catalogue.available_since,
        now_us=epoch_microseconds(start),
        hit_rates=hit_rates,
    )


def contexts(data: TrainingData, window: tuple[datetime, datetime]) -> Arrays:
    """Return each member's REQUEST_TIMESTAMP and DEVICE_TYPE: those of their first watch in the window."""
    start, end = (epoch_microseconds(edge) for edge in window)
    events = data.events.take((data.events.timestamps >= start) & (data.events.timestamps < end))
    return first_contexts(
        data.members.user_ids, events.user_ids, events.timestamps, events.device_types, default=start
    )


def charts_as_of(data: TrainingData, as_of: datetime) -> tuple[SegmentScores, SegmentScores]:
    """Return popularity by segment and trending by country, from the events before ``as_of``."""
    events = data.events.take(data.events.timestamps < epoch_microseconds(as_of))
    rows = np.searchsorted(data.catalogue.title_ids, events.title_ids)
    countries, languages = _profiles(data, events)
    popularity = popularity_scores(
        events.user_ids, rows, events.watch_fractions, countries, languages,
        title_count=len(data.catalogue.title_ids),
    )  # fmt: skip
    plays = events.play_starts()
    trending = trending_scores(
        rows[plays], countries[plays], events.timestamps[plays],
        as_of=as_of, title_count=len(data.catalogue.title_ids),
    )  # fmt: skip
    return popularity, trending


def _profiles(data: TrainingData, events: WatchEvents) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    members = np.searchsorted(data.members.user_ids, events.user_ids)
    return data.members.countries[members], data.members.languages[members]


def _members(data: TrainingData, retrieval: Retrieval, as_of: datetime, context: Arrays) -> MemberSide:
    members = data.members
    instants = np.full(len(members.user_ids), epoch_microseconds(as_of))
    history, mask = member_histories(data.gateway, members.user_ids, instants, retrieval.tower.title_ids)
    inputs = context_inputs(context[s.REQUEST_TIMESTAMP], context[s.DEVICE_TYPE])
    vectors = retrieval.tower.user_vectors(history, mask, inputs)
    return MemberSide(vectors, history, mask, members.countries, members.languages)
