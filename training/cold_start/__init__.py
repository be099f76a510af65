"""How quickly new members and new titles are served well: measured on some that no model has seen.

Held-out members and titles are taken out of the training altogether. A held-out member's list is then made
after no watch, after three picks, and after the first, third and tenth watch; a held-out title is looked for
by its content alone, and after its first viewers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo import schema as s
from feature_repo.progress import Progress
from feature_repo.transforms import candidate_mix as mix
from training.cold_start.held_out import HeldOut
from training.cold_start.members import new_members
from training.cold_start.newcomer_ranking import NewcomerRanking
from training.cold_start.titles import new_titles
from training.config import TrainingConfig
from training.datasets import text
from training.evaluation.results import MetricRow
from training.generating import charts_as_of
from training.interactions import rows_of
from training.judging import TruePlayProbability
from training.learning import fit_ranker_on_window
from training.retrieval import retrieval_as_of
from training.training_data import TrainingData, interactions_as_of

_NEEDED: Final = {
    "new_members": "watched more than 15 titles, and after the tenth 3 to the end and another to half",
    "new_titles": "has 20 viewers, and one who watched it to half and is not held out",
}


def measure_cold_start(
    data: TrainingData,
    config: TrainingConfig,
    hit_rates: mix.HitRates,
    share: float = 0.1,
    progress: Progress | None = None,
    truth: TruePlayProbability | None = None,
) -> list[MetricRow]:
    """Train without the held-out members and titles up to the test window; measure both.

    Rows have the segments ``new_members: <stage>`` and ``new_titles: <how>``; :func:`not_measured` says which
    there are none of, as nobody held out qualified. ``hit_rates`` are those of a
    training, which weigh the generators of the mix; ``progress`` follows the towers' training; ``truth`` also
    judges new members' lists by how probable it truly is that they play what is on them.
    """
    whole = interactions_as_of(data, data.windows.end)
    held = HeldOut.draw(data, whole, share, config.seed)
    rest = _without(data, held)
    before = retrieval_as_of(rest, data.windows.ranker_start, config, progress=progress)
    out = data.members.user_ids[held.members]
    fitted = fit_ranker_on_window(rest, before, config, left_out=out)
    retrieval = retrieval_as_of(rest, data.windows.test_start, config, before, progress)
    popularity, _ = charts_as_of(rest, data.windows.test_start)
    ranking = NewcomerRanking.prepare(data, retrieval, fitted.ranker)
    return [
        *new_members(data, held, retrieval, popularity, hit_rates, ranking, config.seed, truth),
        *new_titles(data, held, whole, retrieval, config.seed),
    ]


def not_measured(rows: Sequence[MetricRow]) -> list[str]:
    """Say what there are no rows of, with the reason and the remedy."""
    return [
        f"{which.replace('_', ' ')}: not measured, as none of those held out {lacks}; hold out more with "
        "--share, or measure on more data"
        for which, lacks in _NEEDED.items()
        if not any(row.segment.startswith(f"{which}:") for row in rows)
    ]


def _without(data: TrainingData, held: HeldOut) -> TrainingData:
    def known(user_ids: NDArray[np.str_], title_ids: NDArray[np.str_]) -> NDArray[np.bool_]:
        unseen = held.members[rows_of(user_ids, data.members.user_ids)]
        unseen |= held.titles[rows_of(title_ids, data.catalogue.title_ids)]
        return np.asarray(~unseen)

    events, earlier = data.events, data.earlier
    return replace(
        data,
        events=events.take(known(events.user_ids, events.title_ids)),
        earlier=earlier.filter(pa.array(known(text(earlier, s.USER_ID), text(earlier, s.TITLE_ID)))),
    )
