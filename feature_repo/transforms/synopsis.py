"""What a title is about, as a vector: latent semantic analysis of its synopsis.

TF-IDF followed by a truncated SVD (Deerwester et al., "Indexing by Latent Semantic Analysis", JASIS
41(6), 1990), solved by random projection (Halko, Martinsson and Tropp, SIAM Review 53(2), 2011). Word
weights and axes are fitted on the text of the whole catalogue, later titles included: the vectors know
words of the future, but no viewing, so no label leaks through them. A title that arrives later is laid on
the same axes, by the words it shares with the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from feature_repo import schema as s

VOCABULARY: Final = 8_000
POWER_ITERATIONS: Final = 2


@dataclass(frozen=True, slots=True)
class SynopsisEncoder:
    """Words with their inverse document frequencies, (words,), and axes, (words, SYNOPSIS_DIMENSIONS)."""

    words: NDArray[np.str_]
    frequencies: NDArray[np.float32]
    axes: NDArray[np.float32]

    @classmethod
    def fit(cls, synopses: Sequence[str | None], seed: int) -> SynopsisEncoder:
        """Fit on the catalogue's texts; the same seed and texts give the same axes, signs included.

        A small catalogue has fewer axes than dimensions; the remaining ones are 0.
        """
        vectorizer = _vectorizer()
        texts = [text or "" for text in synopses]
        analyze = vectorizer.build_analyzer()
        if not any(analyze(text) for text in texts):
            return cls(np.empty(0, np.str_), np.empty(0, np.float32), _no_axes(0))
        weights = vectorizer.fit_transform(texts)
        rank = min(s.SYNOPSIS_DIMENSIONS, *weights.shape)
        _, _, axes = randomized_svd(weights, rank, n_iter=POWER_ITERATIONS, random_state=seed)
        padded = _no_axes(weights.shape[1])
        padded[:, :rank] = axes.T
        words = np.asarray(vectorizer.get_feature_names_out(), dtype=np.str_)
        return cls(words, vectorizer.idf_.astype(np.float32), padded)

    def encode(self, synopses: Sequence[str | None]) -> NDArray[np.float32]:
        """Return (titles, SYNOPSIS_DIMENSIONS): unit length, or all 0 for a text without known words."""
        if len(self.words) == 0:
            return np.zeros((len(synopses), s.SYNOPSIS_DIMENSIONS), dtype=np.float32)
        vectorizer = _vectorizer(self.words.tolist())
        vectorizer.idf_ = self.frequencies
        weights = vectorizer.transform([text or "" for text in synopses])
        # Projecting (rather than taking the left factors) leaves texts without known words exactly 0.
        embeddings: NDArray[np.float32] = normalize(weights @ self.axes)
        return embeddings


def _vectorizer(words: Sequence[str] | None = None) -> TfidfVectorizer:
    return TfidfVectorizer(
        max_features=VOCABULARY if words is None else None,
        vocabulary=words, sublinear_tf=True, stop_words="english", dtype=np.float32,
    )  # fmt: skip


def _no_axes(words: int) -> NDArray[np.float32]:
    return np.zeros((words, s.SYNOPSIS_DIMENSIONS), dtype=np.float32)
