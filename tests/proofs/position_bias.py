"""Three ways to train the ranker on tiles that were not all looked at, against the simulated service's truth.

``as it is``: the place plays no part. ``places``: the ranker sees row and position, fixed to the first while
it ranks. ``weights``: plays count by the inverse of their place's examination, as the ranker with places has
learned it (Wang et al., "Position Bias Estimation for Unbiased Learning to Rank in Personal Search", WSDM
2018).

Each is tried on the tiles as they were logged, in a loose order, and on the same tiles after each page was
sorted by a model and looked at anew: a served page has its order from a ranker, which makes the bias strong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.cli import open_gateway
from feature_repo.ingest.lake import Lake
from feature_repo.settings import Settings
from feature_repo.simulation.config import SimulationConfig
from feature_repo.simulation.history import examination_probability
from feature_repo.simulation.world import World
from feature_repo.transforms.calendar import epoch_microseconds
from feature_repo.transforms.ranking import RANKING_FEATURES, at_place
from training.champion import champion_of, hit_rates_of
from training.config import TrainingConfig
from training.datasets import members_as_of, titles_as_of
from training.evaluation.cases import EvaluationSet
from training.evaluation.truth import PlayProbability
from training.generating import contexts, generators_as_of
from training.learning import VALIDATION_SHARE
from training.page_vectors import page_vectors
from training.position_bias import GAIN, NOT_TOLD, TOLD, compare, learned_examination
from training.ranker import Ranker, RankingExamples, fit_ranker
from training.ranker_examples import ShownTiles, ranking_examples, tiles_from_impressions
from training.retrieval import Retrieval, retrieval_as_of
from training.training_data import TrainingData, read_training_data
from training.two_stage import TwoStageScorer

EXAMINED: Final = examination_probability(SimulationConfig())
SORTED_BY: Final = ("log_view_count", "als_score")
_PLACES: Final = [RANKING_FEATURES.index(name) for name in ("shown_row", "shown_position")]
_LEAST_SEEN: Final = 0.05

Labels = NDArray[np.float32]
Matrix = NDArray[np.float32]


def sorted_pages(
    tiles: ShownTiles, matrix: Matrix, key: NDArray[np.float32], plays: NDArray[np.float64], seed: int
) -> tuple[Matrix, Labels]:
    """Return the tiles of each page sorted by ``key``, highest first, and what is played of them there."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((-np.nan_to_num(key), tiles.pages))
    slot = np.empty(len(order), np.int64)
    slot[order] = np.arange(len(order)) - np.searchsorted(tiles.pages, tiles.pages)
    row, position = np.divmod(slot, EXAMINED.shape[1])
    moved = matrix.copy()
    moved[:, _PLACES] = np.column_stack([row + 1, position + 1])
    return moved, (rng.random(len(order)) < EXAMINED[row, position] * plays).astype(np.float32)


def fit(
    tiles: ShownTiles, matrix: Matrix, labels: Labels, config: TrainingConfig, weights: Labels | None = None
) -> Ranker:
    """Fit as a training does: the latest pages stop it early."""
    late = tiles.pages >= tiles.pages[int(len(tiles.pages) * (1 - VALIDATION_SHARE))]
    parts = [
        RankingExamples(matrix[rows], labels[rows], None, None if weights is None else weights[rows])
        for rows in (~late, late)
    ]
    return fit_ranker(
        parts[0].matrix, parts[0].labels, None, parts[1], config.ranker, weights=parts[0].weights
    )


def three_ways(
    tiles: ShownTiles, matrix: Matrix, labels: Labels, config: TrainingConfig
) -> tuple[dict[str, Ranker], NDArray[np.float64]]:
    """Return the rankers by name, and the examination by place that the one with places has learned."""
    flat = at_place(matrix)
    places = fit(tiles, matrix, labels, config)
    learned = learned_examination(places, matrix, (EXAMINED.shape[0], EXAMINED.shape[1]))
    row, position = (matrix[:, _PLACES].astype(int) - 1).T
    seen = np.maximum(learned[row, position], _LEAST_SEEN)
    weights = np.where(labels > 0, 1 / seen, 1).astype(np.float32)
    rankers = {
        "as it is": fit(tiles, flat, labels, config),
        "places": places,
        "weights": fit(tiles, flat, labels, config, weights),
    }
    return rankers, learned


def scoring(
    data: TrainingData, second: Retrieval, config: TrainingConfig, settings: Settings, world: World
) -> tuple[Callable[[Ranker], TwoStageScorer], EvaluationSet, PlayProbability]:
    """Return what makes a ranker a scorer, the members it is judged by, and the truth in their contexts."""
    window, matrix = (data.windows.test_start, data.windows.end), second.matrix
    generators = generators_as_of(data, second, window, config, hit_rates_of(champion_of(settings)))
    everybody = generators.cases.user_rows
    some = np.random.default_rng(config.seed).permutation(everybody)[: config.evaluation_members]
    generators = replace(generators, cases=replace(generators.cases, user_rows=np.sort(some)))
    context, start = contexts(data, window), epoch_microseconds(data.windows.test_start)
    member = members_as_of(data.gateway, matrix.user_ids, np.full(len(matrix.user_ids), start))
    titles = titles_as_of(data.gateway, matrix.title_ids, np.full(len(matrix.title_ids), start))

    def probability(user_ids: NDArray[np.str_], title_ids: NDArray[np.str_]) -> NDArray[np.float64]:
        rows = matrix.user_rows(user_ids)
        at, device = context[s.REQUEST_TIMESTAMP][rows], context[s.DEVICE_TYPE][rows]
        return world.play_probability(user_ids, title_ids, at, device)

    scorer = partial(TwoStageScorer, generators=generators, member=member, titles=titles, context=context)
    return scorer, generators.cases, probability


@click.command("position-bias")
@click.option("--members", default=1_500, show_default=True, help="Members who are judged, at most.")
@click.option("--seeds", default=3, show_default=True, help="Rankers of each kind.")
def position_bias(members: int, seeds: int) -> None:
    """Compare rankers with and without a correction of position bias, in a simulated home with a champion.

    \b
    Example:
        python -m tests.proofs position-bias --seeds 3
    """
    settings, config = Settings.from_environment(), TrainingConfig(evaluation_members=members)
    world = World.load(settings.simulation)
    with open_gateway(settings) as gateway:
        data = read_training_data(gateway, Lake(settings.lake), config)
        windows = data.windows
        first = retrieval_as_of(data, windows.ranker_start, config)
        tiles = tiles_from_impressions(
            data.lake, windows.ranker_start, windows.test_start,
            most_rows=config.ranker_rows, seed=config.seed,
        )  # fmt: skip
        matrix = ranking_examples(gateway, tiles, first, partial(page_vectors, gateway, first)).matrix
        second = retrieval_as_of(data, windows.test_start, config, first)
        scorer, cases, probability = scoring(data, second, config, settings, world)
    plays = world.play_probability(
        tiles.user_ids, tiles.title_ids, tiles.instants.astype(float), tiles.device_types
    )
    logs = {"as logged": (matrix, tiles.labels)}
    for name in SORTED_BY:
        key = matrix[:, RANKING_FEATURES.index(name)]
        logs[f"by {name}"] = sorted_pages(tiles, matrix, key, plays, config.seed)
    for seed in range(seeds):
        seeded = config.model_copy(update={"ranker": config.ranker.model_copy(update={"seed": seed})})
        for name, (placed, labels) in logs.items():
            rankers, learned = three_ways(tiles, placed, labels, seeded)
            error = np.abs(learned - EXAMINED / EXAMINED[0, 0]).mean()
            click.echo(f"{name}, seed {seed}: learned examination off by {error:.3f}")
            unaware = scorer(rankers["as it is"])
            for kind in ("places", "weights"):
                found = compare(scorer(rankers[kind]), unaware, cases, probability, k=10, samples=500, seed=0)
                for row in found:
                    names = {TOLD: kind, NOT_TOLD: "as it is", GAIN: f"{kind} less as it is"}
                    label = names[row.model]
                    click.echo(
                        f"  {label:<30}{row.metric:<12}{row.value:+.4f} ({row.low:+.4f} to {row.high:+.4f})"
                    )
