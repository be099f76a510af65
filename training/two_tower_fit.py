"""Two-tower retrieval: who would watch what, learned from what was watched next.

Each positive (member's history, context → title) is told from other titles by a softmax over their scaled
inner products, whose negatives are sampled two ways (Yang et al., "Mixed Negative Sampling for Learning
Two-tower Neural Networks in Recommendations", WWW 2020): the other positives of the batch, and titles drawn
evenly from all that were watched, which alone teach what to think of rarely watched ones. A title that is
popular stands in many batches; every logit is therefore lowered by the logarithm of the probability with
which its title is drawn (logQ; Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
Recommendations", RecSys 2019, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from feature_repo.progress import Progress
from feature_repo.transforms import towers
from training.interactions import rows_of
from training.two_tower import Switch, TwoTower, TwoTowerConfig
from training.two_tower_examples import TowerExamples
from training.two_tower_validation import held_back

COMPILED_FROM_STEPS = 20_000
"""Compiling takes 18 s on a GPU, and saves a millisecond a step (docs/measured.md)."""


def fit_two_tower(
    examples: TowerExamples,
    title_ids: NDArray[np.str_],
    inputs: NDArray[np.float32],
    config: TwoTowerConfig,
    warm_start: TwoTower | None = None,
    progress: Progress | None = None,
) -> TwoTower:
    """Train the towers; ``inputs`` (T, TITLE_INPUT_DIMENSIONS) are those of ``title_ids``.

    The latest positives are held back; training stops when they are no longer found better, and the best
    epoch's weights are kept. ``warm_start`` gives the first weights, the history table's by title id.
    ``progress`` is told of every step. Deterministic for a seed on one machine.
    """
    training, validation = held_back(examples, config.validation_share, config.most_examples)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trainer = _Trainer(training, inputs, _first_weights(title_ids, config, warm_start), config, device)
    best = trainer.weights()
    losses: list[float] = []
    recalls: list[float] = []
    best_recall = validation.recall(best, inputs) if warm_start is not None else -1.0
    waited = 0
    epochs = config.epochs if warm_start is None else config.warm_epochs
    for epoch in range(epochs if len(training) else 0):
        loss = trainer.epoch(epoch, progress)
        weights = trainer.weights()
        recall = validation.recall(weights, inputs)
        losses.append(loss)
        recalls.append(recall)
        waited = 0 if recall > best_recall else waited + 1
        if recall > best_recall or not len(validation):
            best, best_recall = weights, recall
        if waited == config.patience:
            break
    curves = {"two-tower loss": losses, "two-tower validation recall": recalls}
    return TwoTower(np.asarray(title_ids), best, config, curves)


class _Trainer:
    """One training: weights, optimiser and the stream of batches."""

    def __init__(
        self,
        examples: TowerExamples,
        inputs: NDArray[np.float32],
        first: dict[str, NDArray[np.float32]],
        config: TwoTowerConfig,
        device: torch.device,
    ) -> None:
        self._examples, self._config, self._device = examples, config, device
        self._rng = np.random.default_rng(config.seed)
        self._torch_rng = torch.Generator(device=device).manual_seed(config.seed)
        self._weights = {
            name: torch.tensor(array, device=device, requires_grad=True) for name, array in first.items()
        }
        self._inputs = torch.tensor(inputs, device=device)
        shares = np.bincount(examples.titles, minlength=len(inputs)) / max(len(examples), 1)
        # That nobody has watched a title yet says nothing against its content.
        self._watched = np.flatnonzero(shares)
        self._log_share = torch.tensor(np.log(np.maximum(shares, 1e-12)), device=device, dtype=torch.float32)
        others = [weight for name, weight in self._weights.items() if name != "history"]
        self._optimiser = torch.optim.Adam([{"params": others, "lr": config.learning_rate}])
        self._history_optimiser = torch.optim.Adagrad(
            [self._weights["history"]], lr=config.history_learning_rate
        )
        self._mixed = _is_on(config.mixed_precision, device)
        many = config.compile == "on" or config.epochs * self._steps >= COMPILED_FROM_STEPS
        compiled = many and _is_on(config.compile, device)
        self._loss = torch.compile(self._batch_loss) if compiled else self._batch_loss

    @property
    def _steps(self) -> int:
        """Steps of an epoch."""
        return max(1, len(self._examples) // self._config.batch)

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Return a copy of the weights as they are."""
        return {name: weight.detach().cpu().numpy().copy() for name, weight in self._weights.items()}

    def epoch(self, number: int, progress: Progress | None) -> float:
        """Go once through the positives in random order; return the mean loss."""
        total, steps = 0.0, self._steps
        for step, rows in enumerate(self._batches()):
            total += self._step(rows)
            if progress is not None:
                progress(f"two-tower epoch {number + 1}", step + 1, steps)
        return total / steps

    def _batches(self) -> Iterator[NDArray[np.int64]]:
        order = self._rng.permutation(len(self._examples))
        size = self._config.batch
        for begin in range(0, max(len(order) - size, 0) + 1, size):
            yield order[begin : begin + size]

    def _step(self, rows: NDArray[np.int64]) -> float:
        examples = self._examples
        moments = examples.moments[rows]
        uniform = self._rng.choice(self._watched, self._config.uniform_negatives)
        titles = np.concatenate([examples.titles[rows], uniform]).astype(np.int64)
        given = [
            torch.from_numpy(array).to(self._device)
            for array in (examples.history[moments], examples.mask[moments], examples.context[rows], titles)
        ]
        self._optimiser.zero_grad()
        self._history_optimiser.zero_grad()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._mixed):
            loss: torch.Tensor = self._loss(*given)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._history_optimiser.step()
        return float(loss.detach())

    def _batch_loss(
        self, history: torch.Tensor, mask: torch.Tensor, context: torch.Tensor, titles: torch.Tensor
    ) -> torch.Tensor:
        """Softmax cross-entropy of the positives, the first ``len(history)`` of ``titles``, among all."""
        n = len(history)
        # history_mean by torch's own kernel, whose gradient takes a tenth of the time.
        total = torch.nn.functional.embedding_bag(
            history, self._weights["history"], mode="sum", per_sample_weights=mask
        )
        mean = total / mask.sum(1)[:, None].clip(min=1e-12)
        users = towers.user_tower_of_mean(self._weights, mean, context)
        vectors = towers.item_tower(self._weights, self._hidden_in_part(self._inputs[titles]))
        logits = users @ vectors.T / self._config.temperature
        logits = logits - self._log_expected(titles, n)
        same = titles[:n, None] == titles[None, :]
        own = torch.arange(n, device=self._device)
        same[own, own] = False  # a negative that is the positive itself is none
        return torch.nn.functional.cross_entropy(logits.masked_fill(same, -torch.inf), own)

    def _hidden_in_part(self, inputs: torch.Tensor) -> torch.Tensor:
        """Dropout (Srivastava et al., JMLR 2014) of a title's inputs: none is learned by heart."""
        hidden = self._config.input_dropout
        kept = torch.rand(inputs.shape, generator=self._torch_rng, device=self._device) >= hidden
        return inputs * kept / (1 - hidden)

    def _log_expected(self, titles: torch.Tensor, positives: int) -> torch.Tensor:
        """Return the log of how often each title is expected among a step's candidates, (titles,)."""
        uniform = self._config.uniform_negatives / len(self._watched)
        return torch.log(positives * torch.exp(self._log_share[titles]) + uniform)


def _is_on(switch: Switch, device: torch.device) -> bool:
    return switch == "on" or (switch == "auto" and device.type == "cuda")


def _first_weights(
    title_ids: NDArray[np.str_], config: TwoTowerConfig, warm_start: TwoTower | None
) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(config.seed)
    first = {}
    for name, shape in towers.TOWER_SHAPES.items():
        size = [len(title_ids) if axis == "titles" else int(axis) for axis in shape]
        scale = 0.01 if name == "history" else (0.0 if len(size) == 1 else np.sqrt(2.0 / size[0]))
        first[name] = (rng.standard_normal(size) * scale).astype(np.float32)
    if warm_start is not None:
        known = rows_of(title_ids, warm_start.title_ids)
        table = first["history"]
        first = {name: array.copy() for name, array in warm_start.weights.items()}
        table[known >= 0] = warm_start.weights["history"][known[known >= 0]]
        first["history"] = table
    return first
