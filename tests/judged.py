"""Tables of predictions for tests of numbers."""

from io import BytesIO

import numpy as np
import pandas as pd
from PIL import Image

from dda.core import mistakes
from dda.io import tables, worst

HOSTILE = '<script>alert(1)</script>"&/café|.png'
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


def write_benchmark(params, detector, benchmark, protocols=("native", "fakes-q96", "jpeg-50", "jpeg-30")):
    """Predictions as `evaluate` writes them: three images are unreadable, two names are hostile."""
    parts = [_under(protocol, seed) for seed, protocol in enumerate(protocols)]
    path = params.paths.predictions / detector / f"{benchmark}.parquet"
    pd.concat(parts).to_parquet(path)
    picture = BytesIO()
    Image.new("RGB", (60, 40), "teal").save(picture, "JPEG")
    kept = [
        {"mistake": kind, **{name: row[name] for name in worst.COLUMNS if name in row}, "picture": picture.getvalue()}
        for kind, rows in mistakes.worst(parts[0], 2).items()
        for row in tables.records(rows)
    ]
    tables.write(worst.path_of(path), kept, worst.COLUMNS)


def _under(protocol, seed):
    found = table(n_pairs=30, seed=seed).assign(protocol=protocol, inference="e" * 32)
    found["error"] = found["error"].astype(object)
    found.loc[[4, 5, 8], "logit"] = None
    found.loc[[4, 5, 8], "error"] = ["empty file", "no image", "damaged: <b>bad</b>"]
    found.loc[[5], "sha256"] = None
    found.loc[4, "image_id"] = HOSTILE
    found.loc[0, "logit"] = 7.0 if protocol == "native" else found.loc[0, "logit"]
    found.loc[0, "image_id"] = "'><img src=x onerror=alert(2)>.png"
    return found
