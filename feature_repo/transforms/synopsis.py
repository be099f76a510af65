"""What a title is about, as a vector: latent semantic analysis of its synopsis.

TF-IDF followed by a truncated SVD (Deerwester et al., "Indexing by Latent Semantic Analysis", JASIS
41(6), 1990), solved by random projection (Halko, Martinsson and Tropp, SIAM Review 53(2), 2011). Word
weights and axes are fitted on the text of the whole catalogue, later titles included: the vectors know
words of the future, but no viewing, so no label leaks through them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from feature_repo import schema as s

VOCABULARY: Final = 8_000
POWER_ITERATIONS: Final = 2


def synopsis_embeddings(synopses: Sequence[str | None], seed: int) -> NDArray[np.float32]:
    """Return (titles, SYNOPSIS_DIMENSIONS): unit length, or all 0 where there is no usable text.

    The same seed and texts give the same vectors, signs included. A small catalogue has fewer axes; the
    remaining dimensions are 0.
    """
    embeddings = np.zeros((len(synopses), s.SYNOPSIS_DIMENSIONS), dtype=np.float32)
    vectorizer = TfidfVectorizer(
        max_features=VOCABULARY, sublinear_tf=True, stop_words="english", dtype=np.float32
    )
    texts = [text or "" for text in synopses]
    analyze = vectorizer.build_analyzer()
    if not any(analyze(text) for text in texts):
        return embeddings
    weights = vectorizer.fit_transform(texts)
    rank = min(s.SYNOPSIS_DIMENSIONS, *weights.shape)
    _, _, axes = randomized_svd(weights, rank, n_iter=POWER_ITERATIONS, random_state=seed)
    # Projecting (rather than taking the left factors) leaves texts without known words exactly 0.
    embeddings[:, :rank] = normalize(weights @ axes.T)
    return embeddings
