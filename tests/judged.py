"""Tables of predictions for tests of numbers."""

import numpy as np
import pandas as pd

KINDS = {"label": "Int64", "logit": "Float64", "width": "Int64", "height": "Int64"}


def table(n_pairs=60, seed=0, step=None, generators=("a", "b")):
    """Pairs of a real and a fake of alternating generators, each pair a cluster; `step` rounds logits, to make ties."""
    rng = np.random.default_rng(seed)
    pair, label = np.repeat(np.arange(n_pairs), 2), np.tile([0, 1], n_pairs)
    logit = rng.normal(1.6 * label - 0.8, 1.2)
    fakes = np.array(generators)[pair % len(generators)]
    sides = rng.integers(100, 1500, (2, 2 * n_pairs))
    columns = {
        "image_id": [f"{number}/{'real' if not one else 'fake'}.png" for number, one in zip(pair, label, strict=True)],
        "cluster": [f"pair-{number}" for number in pair],
        "generator": np.where(label == 1, fakes, "real"),
        "source": np.array(["COCO", "RAISE", "X"])[pair % 3],
        "label": label,
        "protocol": "native",
        "logit": np.round(logit / step) * step if step else logit,
        "width": sides[0],
        "height": sides[1],
        "error": None,
        "sha256": [f"{number:064x}" for number in range(2 * n_pairs)],
    }
    return pd.DataFrame(columns).astype(KINDS)
