"""Bootstrap draws of whole clusters, as weights: how often each cluster stands in each draw."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
CHUNK_ELEMENTS = 2**20  # draws x images that are computed at once: 8 MiB an array


def numbered(names: Values) -> Values:
    """The number of each image's cluster, from 0, by the order of the names and not of the rows."""
    return np.unique(names, return_inverse=True)[1]


def draws(clusters: Values, labels: Values, samples: int, seed: int) -> Iterator[Values]:
    """Counts (B, clusters) of so many draws in all, as floats, some at a time: how often each cluster was drawn.

    As many clusters as there are are drawn with replacement, the percentile bootstrap's draw. `clusters` and `labels`
    (N,) are those of the images that were judged; a draw without an image of a label that they hold is drawn again.
    """
    n_clusters = int(clusters.max()) + 1
    held = [np.bincount(clusters[labels == label], minlength=n_clusters) > 0 for label in np.unique(labels)]
    holds = np.stack(held, axis=1).astype(float)
    rng, at_once, left = np.random.default_rng(seed), max(1, CHUNK_ELEMENTS // len(clusters)), samples
    while left:
        drawn = rng.integers(n_clusters, size=(min(at_once, left), n_clusters))
        counts = np.stack([np.bincount(one, minlength=n_clusters) for one in drawn]).astype(float)
        counts = counts[(counts @ holds > 0).all(axis=1)]
        left -= len(counts)
        if len(counts):
            yield counts
